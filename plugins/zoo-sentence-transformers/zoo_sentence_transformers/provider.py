"""``st:org/name`` or ``st:./folder``: sentence encoders with their own modules and prompts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import metadata

from zoo.plugin import (
    Backbone,
    Contract,
    LoadOptions,
    Provider,
    Reference,
    Source,
    SourceError,
)
from zoo.preprocess import TextSpec, check_keys
from zoo.providers import choose_tap, open_snapshot
from zoo_sentence_transformers.pipeline import PATTERNS, Pipeline

NUMERICS = 1  # raised whenever the same text would give other features
TAP = "sentence_embedding"


@dataclass(frozen=True)
class _Described:
    pipeline: Pipeline
    max_length: int | None
    prompt: str
    contract: Contract


class SentenceTransformersProvider(Provider):
    """Folders of the Sentence Transformers library, with safetensors weights."""

    def describe(self, source: Source, options: LoadOptions) -> Contract:
        """The contract from the folder's JSON files alone.

        Raises:
            SourceError: no sentence encoder, or one that is not supported.
            TrustError: it would run code or read files from elsewhere.
        """
        return _describe(source, options).contract

    def load(self, source: Source, options: LoadOptions) -> Backbone:
        """The modules with their weights, in `options.compute_dtype`."""
        from zoo_sentence_transformers.trunk import SentenceTrunk, build

        described = _describe(source, options)
        module = build(described.pipeline, described.max_length, options)
        return SentenceTrunk(module, described.contract, options, prompt=described.prompt)

    def reference(self, source: Source, options: LoadOptions) -> Reference:
        """The library's `encode`, with the length that the folder states."""
        from zoo_sentence_transformers.reference import SentenceTransformersReference
        from zoo_sentence_transformers.trunk import build

        pipeline = _describe(source, options).pipeline
        open_keys = {k: v for k, v in options.preprocess.items() if k == "prefix"}
        own = replace(options, dtype="float32", device="cpu", preprocess=open_keys)
        module = build(pipeline, _described_length(pipeline, options), own)
        prefix = open_keys.get("prefix")
        return SentenceTransformersReference(module, None if prefix is None else str(prefix))


def _describe(source: Source, options: LoadOptions) -> _Described:
    snapshot = open_snapshot(source, offline=options.offline, patterns=PATTERNS)
    pipeline = Pipeline.read(snapshot)
    given = check_keys({"input": "text", **options.preprocess}, "--preprocess")
    tap, pooling = choose_tap(source.tap, given, (TAP, "none"))
    if (tap, pooling) != (TAP, "none"):
        raise SourceError(
            f"{source}: a sentence encoder has one tap, its embedding",
            hint="layers of its transformer: hf:MODEL#last_hidden_state/mean",
        )
    max_length = _max_length(pipeline, given.get("max_length"))
    prompt = str(given["prefix"]) if "prefix" in given else pipeline.prompt()
    first = pipeline.modules[0].files
    spec = TextSpec(
        tokenizer=first.tokenizer_digest(),
        max_length=0,
        lower_case=bool(pipeline.told.get("do_lower_case", False)),
        prefix=prompt,
    )
    prompts = {
        name: text for name, text in (pipeline.settings.get("prompts") or {}).items() if text
    }
    contract = Contract(
        modality="text",
        preprocess={**spec.as_dict(), "max_length": max_length},
        model={
            "library": "sentence-transformers",
            "version": metadata.version("sentence-transformers"),
            "numerics": NUMERICS,
            "modules": [module.kind for module in pipeline.modules],
            "config": pipeline.config_digest(),
        },
        weights=pipeline.weights_digest(),
        tap=tap,
        pooling=pooling,
        revision=snapshot.revision,
        rules={"padding": "the library's own", "mask": "the library's own"},
        info={
            "architecture": " + ".join(module.kind for module in pipeline.modules),
            "prompts": prompts,
        },
    )
    return _Described(pipeline, max_length, prompt, contract)


def _described_length(pipeline: Pipeline, options: LoadOptions) -> int | None:
    """The folder's own length, or the user's where it states none."""
    try:
        return _max_length(pipeline, None)
    except SourceError:
        return _max_length(pipeline, options.preprocess.get("max_length"))


def _max_length(pipeline: Pipeline, given: int | None) -> int | None:
    """Tokens that are kept of a text, as the library counts them; None where all are."""
    files = pipeline.modules[0].files
    if pipeline.static:
        if given is not None:
            raise SourceError(
                "a static embedding takes as many tokens as its tokenizer.json says",
                hint="leave max_length out",
            )
        cut = (files.read("tokenizer.json") or {}).get("truncation") or {}
        return cut.get("max_length")
    if given is not None:
        return given
    if pipeline.told.get("max_seq_length"):
        return int(pipeline.told["max_seq_length"])
    tokenizer, config = files.read("tokenizer_config.json") or {}, files.read("config.json") or {}
    limits = [tokenizer.get("model_max_length"), config.get("max_position_embeddings")]
    stated = [int(x) for x in limits if isinstance(x, int | float) and 0 < x < 1e6]
    if not stated:
        raise SourceError(
            f"'{files.folder.name}' does not say how many tokens it takes",
            hint="--preprocess max_length=512",
        )
    return min(stated)
