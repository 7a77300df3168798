"""``hf:org/name`` or ``hf:./folder``: encoders and decoders in Hugging Face's format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.backbones.pooling import NUMERICS as POOLING_NUMERICS
from zoo.errors import SourceError, TrustError
from zoo.plugin import Backbone, Contract, Facts, Found, LoadOptions, Provider, Reference, Source
from zoo.plugin.contract import canonical_json
from zoo.preprocess import AudioSpec, ImageSpec, TextSpec
from zoo.preprocess.stated import check_keys
from zoo.providers import hf_audio, hf_families, hf_parts, hf_patches, hf_text, hf_trust
from zoo.providers.guard import no_questions, no_sockets
from zoo.providers.hf_files import Snapshot, open_snapshot

if TYPE_CHECKING:
    from zoo.backbones.torch_trunk import TorchTrunk

# Keys of config.json that decide no feature.
_NO_MATTER = frozenset(("_name_or_path", "id2label", "label2id", "transformers_version", "dtype"))
# Heads that AutoModel leaves out, layers that only their own tap would need, and what stands for
# masked positions in training.
_UNUSED_LAYERS = tuple(
    "pooler. classifier. cls. lm_head. mask_token head. masked_spec_embed".split()
)


@dataclass(frozen=True)
class _Described:
    snapshot: Snapshot
    config: dict[str, Any]  # sanitised
    spec: ImageSpec | TextSpec | AudioSpec
    contract: Contract
    tower: str = ""  # of a model of several
    extraction: hf_audio.Extraction | None = None
    patches: hf_patches.Patches | None = None


class HuggingFaceProvider(Provider):
    """Models that transformers can build from config.json and safetensors alone."""

    def describe(self, source: Source, options: LoadOptions) -> Contract:
        """The contract from the model's JSON files; raises SourceError on what is unsupported."""
        return _describe(source, options).contract

    def load(self, source: Source, options: LoadOptions) -> Backbone:
        """The trunk with its weights, computed in `options.compute_dtype`."""
        return self.load_taps([source], options)

    def load_taps(self, sources: Sequence[Source], options: LoadOptions) -> TorchTrunk:
        """The same with several taps; each needs its weights to be complete."""
        described, *others = (_describe(source, options) for source in sources)
        contracts = [other.contract for other in others]
        # All files are here: nothing is to be fetched or asked any more.
        with no_sockets(_refused), no_questions():
            module = _load_module(described, options, [other.tap for other in contracts])
            trunk = _trunk(module, described, options)
        trunk.also(contracts)
        return trunk

    def search(self, query: str, *, offline: bool, limit: int) -> Iterable[Found]:
        """Folders nearby, the Hub's cache, and the Hub where there is a query and a network."""
        from zoo.providers.hf_search import search

        return search(query, offline=offline, limit=limit)

    def inspect(self, source: Source, options: LoadOptions) -> Facts:
        """Facts from the model card and from the architecture, built without its weights."""
        from zoo.providers.hf_inspect import facts, traced

        described = _describe(source, options)
        with no_sockets(_refused), no_questions():
            parameters, shapes = traced(described.contract, _configured(described), described.tower)
        return facts(described.snapshot, described.contract, parameters, shapes)

    def reference(self, source: Source, options: LoadOptions) -> Reference:
        """The library's own processor and model; Pillow and NumPy where no processor is stated."""
        from zoo.providers.hf_reference import HuggingFaceReference, StatedImages

        described = _describe(source, options)
        snapshot, contract = described.snapshot, described.contract
        if contract.modality == "text":
            tokenizer = snapshot.read("tokenizer_config.json")
            hf_trust.check_tokenizer(tokenizer, str(snapshot.folder))
        stated = contract.modality != "image" or _processor(snapshot) is not None
        kind = HuggingFaceReference if stated else StatedImages
        snapshot.check_weights()
        with no_sockets(_refused), no_questions():
            return kind(
                snapshot.folder,
                _configured(described),
                contract,
                tower=described.tower,
                patches=described.patches,
                told=snapshot.read("sentence_bert_config.json") or {},
                given=options.preprocess,
            )


def _describe(source: Source, options: LoadOptions) -> _Described:
    snapshot = open_snapshot(source, offline=options.offline)
    read = snapshot.read("config.json")
    if read is None:
        raise SourceError(
            f"'{source.reference}' has no config.json: it is not a Hugging Face model",
            hint="for an ONNX file write onnx:./file.onnx",
        )
    config = hf_trust.sanitised(read, source.reference)
    hf_trust.check_files(snapshot, source.reference)
    stated_type = str(config.get("model_type", ""))
    if hf_trust.names_code(read) and hf_families.tap_of(stated_type) is None:
        hf_trust.check_architecture(stated_type, source.reference)
    tower, source = hf_parts.choose_tower(source, config, options)
    own = hf_parts.tower_config(config, tower)
    model_type = str(own.get("model_type", ""))
    processor = _processor(snapshot)
    extraction: hf_audio.Extraction | None = None
    patches: hf_patches.Patches | None = None
    spec: ImageSpec | TextSpec | AudioSpec
    if _takes_images(processor, options) and tower != "text":
        modality = "image"
        spec, tap, pooling = _image(source, processor or {}, model_type, options)
        patches = hf_patches.patches_of(own, spec.size, pooling, source.reference)
    elif hf_audio.is_audio(processor) and processor is not None:
        modality = "audio"
        spec, extraction = hf_audio.stated_audio(processor, config, options, source.reference)
        default = hf_families.tap_of(model_type)
        tap, pooling = hf_families.choose_tap(source, options.preprocess, default, model_type)
    else:
        modality = "text"
        hf_text.check_text(source, snapshot, None if tower else processor)
        spec, tap, pooling = hf_text.stated_text(source, snapshot, own, options)
    contract = Contract(
        modality=modality,
        preprocess={**spec.as_dict(), **(extraction.as_dict() if extraction else {})},
        model={
            "library": "transformers",
            "config": _config_digest(config),
            "pooling_numerics": POOLING_NUMERICS,
            **(patches.as_dict() if patches else {}),
        },
        weights=snapshot.weights_digest(),
        tap=tap,
        pooling=pooling,
        revision=snapshot.revision,
        rules=extraction.rules() if extraction else hf_text.rules(spec),
        info={
            "architecture": ", ".join(map(str, config.get("architectures") or [])) or model_type,
            "model_type": model_type,
            **({"tower": tower} if tower else {}),
            "stored_dtype": config.get("dtype") or config.get("torch_dtype"),
        },
    )
    return _Described(snapshot, config, spec, contract, tower, extraction, patches)


def _processor(snapshot: Snapshot) -> dict[str, Any] | None:
    """preprocessor_config.json, or what a processor of several inputs holds for its first."""
    alone = snapshot.read("preprocessor_config.json")
    if alone is not None:
        return alone
    several = snapshot.read("processor_config.json") or {}
    for part in ("image_processor", "feature_extractor"):
        if isinstance(several.get(part), dict):
            return dict(several[part])
    return None


def _takes_images(processor: Mapping[str, Any] | None, options: LoadOptions) -> bool:
    known = processor is not None and (
        "image_mean" in processor or "image_processor_type" in processor
    )
    return known or options.preprocess.get("input") == "image"


def _image(
    source: Source, processor: Mapping[str, Any], model_type: str, options: LoadOptions
) -> tuple[ImageSpec, str, str]:
    given = options.preprocess
    needed = {"size", "resize", "mean", "std"}
    try:
        base = (
            {"input": "image"}
            if needed <= set(given)
            else hf_families.stated_image(processor, source.reference)
        )
    except SourceError as error:
        if hf_trust.names_code(processor):
            raise TrustError(
                f"'{source.reference}' prepares images by code of its own (auto_map)",
                hint=error.hint,
            ) from error
        raise
    stated = check_keys({**base, **given}, str(source))
    tap, pooling = hf_families.choose_tap(source, given, hf_families.tap_of(model_type), model_type)
    return ImageSpec.from_stated(stated, str(source)), tap, pooling


def _refused() -> OSError:
    return ConnectionError("a model whose files are here opens no connection")


def _config_digest(config: Mapping[str, Any]) -> str:
    decisive = {k: v for k, v in config.items() if k not in _NO_MATTER}
    return hashlib.sha256(canonical_json(decisive)).hexdigest()


def _load_module(described: _Described, options: LoadOptions, more_taps: Sequence[str]) -> Any:
    import torch
    import transformers

    folder = described.snapshot.folder
    described.snapshot.check_weights()
    config = _configured(described)
    try:
        module, loading = transformers.AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=getattr(torch, options.compute_dtype),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # told by `loading`, and refused below
            output_loading_info=True,
        )
    except Exception as error:  # a configuration can make transformers stumble over anything
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SourceError(
            f"the weights of '{folder.name}' cannot be loaded: {first}",
            hint="the file may be damaged or not fit its config.json; fetch it again",
        ) from error
    other = hf_parts.unused_layers(module, described.tower)
    for tap in (described.contract.tap, *more_taps):
        _check_complete(loading, tap, folder.name, other)
    return hf_parts.part_of(module, described.tower)


def _configured(described: _Described) -> Any:
    """The configuration as transformers takes it."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    folder = described.snapshot.folder
    model_type = str(described.config.get("model_type", ""))
    if model_type not in CONFIG_MAPPING:
        raise SourceError(
            f"transformers {transformers.__version__} has no model type '{model_type}'",
            hint="a newer transformers may have it",
        )
    try:
        return CONFIG_MAPPING[model_type].from_dict(described.config)
    except Exception as error:  # as above
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SourceError(
            f"the configuration of '{folder.name}' cannot be used: {first}",
            hint="config.json may be damaged; fetch it again",
        ) from error


def _check_complete(
    loading: Mapping[str, Any], tap: str, name: str, other_parts: tuple[str, ...]
) -> None:
    missing = sorted(map(str, loading.get("missing_keys") or []))
    used = "pooler" if tap == "pooler_output" else tap
    unused = tuple(layer for layer in _UNUSED_LAYERS if not f"{used}.".startswith(layer))
    unused += other_parts
    missing = [key for key in missing if not key.startswith(unused)]
    mismatched = sorted(str(key[0]) for key in loading.get("mismatched_keys") or [])
    wrong = missing or mismatched
    if wrong:
        raise SourceError(
            f"the weights of '{name}' do not fit: {len(wrong)} missing or of another shape, "
            f"the first is '{wrong[0]}'",
            hint="features would be partly random; take a complete checkpoint",
        )


def _trunk(module: Any, described: _Described, options: LoadOptions) -> TorchTrunk:
    from zoo.backbones.torch_trunk import ImageTrunk, TextTrunk

    spec, contract = described.spec, described.contract
    if isinstance(spec, ImageSpec):
        patches = described.patches
        return ImageTrunk(
            module,
            contract,
            options,
            spec=spec,
            name="pixel_values",
            patches=patches.count if patches else 0,
            prefix=patches.prefix if patches else 0,
            arguments=patches.arguments() if patches else {},
        )
    if isinstance(spec, AudioSpec):
        assert described.extraction is not None
        return hf_audio.trunk(module, contract, options, spec, described.extraction)
    tokenizer = hf_text.load_tokenizer(described.snapshot)
    return TextTrunk(module, contract, options, spec=spec, tokenizer=tokenizer)
