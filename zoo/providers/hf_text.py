"""How a Hugging Face checkpoint prepares texts: length, tokenizer, padding and pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.errors import SourceError
from zoo.preprocess import AudioSpec, ImageSpec, TextSpec
from zoo.preprocess.stated import check_keys
from zoo.providers import hf_families, hf_trust

if TYPE_CHECKING:
    from zoo.plugin import LoadOptions, Source
    from zoo.providers.hf_files import Snapshot


def check_text(source: Source, snapshot: Snapshot, processor: Mapping[str, Any] | None) -> None:
    """Raise SourceError where a model that is no image model is no text model either."""
    if processor is not None or not snapshot.has_tokenizer():
        raise SourceError(
            f"'{source.reference}' states neither how images nor how texts are prepared",
            hint="for images: --preprocess 'input=image,size=...,resize=...,mean=...,std=...'",
        )


def stated_text(
    source: Source, snapshot: Snapshot, config: Mapping[str, Any], options: LoadOptions
) -> tuple[TextSpec, str, str]:
    """Spec, tap and pooling that the checkpoint states, with ``--preprocess`` over them.

    Raises:
        SourceError: a length or a pooling that is not understood, or no length at all.
    """
    given = check_keys({"input": "text", **options.preprocess}, "--preprocess")
    sentence = snapshot.read("sentence_bert_config.json") or {}
    tokenizer = snapshot.read("tokenizer_config.json") or {}
    model_type = str(config.get("model_type", ""))
    # Sentence Transformers' own length wins over the tokenizer's; no model numbers more positions
    # than it has.
    length = sentence.get("max_seq_length", tokenizer.get("model_max_length"))
    if "max_seq_length" in sentence and not (type(length) is int and length > 0):
        raise SourceError(
            f"'{source.reference}': max_seq_length = {length!r} in sentence_bert_config.json",
            hint="a positive whole number is wanted; --preprocess max_length=N overrides it",
        )
    limits = [length, hf_families.max_positions(config)]
    stated = [int(x) for x in limits if isinstance(x, int | float) and 0 < x < 1e6]
    if "max_length" not in given and not stated:
        raise SourceError(
            f"'{source.reference}' does not say how many tokens it takes",
            hint="--preprocess max_length=512",
        )
    spec = TextSpec(
        tokenizer=snapshot.tokenizer_digest(),
        max_length=int(given.get("max_length") or min(stated)),
        lower_case=bool(sentence.get("do_lower_case", False)),
        prefix=str(given.get("prefix", "")),
        padding=hf_families.padding_of(model_type),
    )
    default = _sentence_pooling(snapshot) or hf_families.tap_of(model_type)
    return (spec, *hf_families.choose_tap(source, given, default, model_type))


def rules(spec: ImageSpec | TextSpec | AudioSpec) -> dict[str, str]:
    """What holds for texts beside the spec, in words; nothing for others."""
    if not isinstance(spec, TextSpec):
        return {}
    if spec.padding == "max_length":
        padding, mask = "to full length, as in training", "none: padding is part of the text"
    else:
        side = "behind the text" if spec.padding == "right" else "on the tokenizer's side"
        padding = f"to the longest of a batch, {side}"
        mask = "padding is hidden from tokens and counts in no pooling"
    return {"truncation": "what is longer is cut off", "padding": padding, "mask": mask}


def load_tokenizer(snapshot: Snapshot) -> Any:
    """The checkpoint's tokenizer, or a SourceError where it can't be loaded."""
    from transformers import AutoTokenizer

    hf_trust.check_tokenizer(snapshot.read("tokenizer_config.json"), str(snapshot.folder))
    try:
        return AutoTokenizer.from_pretrained(
            snapshot.folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # a configuration can make transformers stumble over anything
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SourceError(f"the tokenizer cannot be loaded: {first}") from error


def _sentence_pooling(snapshot: Snapshot) -> tuple[str, str] | None:
    """Tap and pooling by Sentence Transformers' 1_Pooling/config.json, where there is one."""
    stated = snapshot.read("1_Pooling/config.json")
    if stated is None:
        return None
    modes = [
        key.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
        for key, value in stated.items()
        if key.startswith("pooling_mode_") and value is True
    ]
    if isinstance(stated.get("pooling_mode"), str):
        modes = [stated["pooling_mode"]]
    pooling = {"mean": "mean", "cls": "cls", "last": "last", "lasttoken": "last"}
    if len(modes) != 1 or modes[0] not in pooling:
        raise SourceError(
            f"pooling {' + '.join(modes) or 'not named'} is not supported",
            hint="override it: SOURCE#last_hidden_state/mean",
        )
    return "last_hidden_state", pooling[modes[0]]
