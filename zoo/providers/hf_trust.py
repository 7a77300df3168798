"""What a model's JSON files may not do: name code, kernels, or files that are not the model's.

transformers follows several keys of config.json to places outside the model: a kernel of another
repository for attention, weights under another name, classes in Python files. What decides nothing
is dropped; what would decide features by something else than the model's own files is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import SourceError, TrustError

if TYPE_CHECKING:
    from zoo.providers.hf_files import Snapshot

_CODE = frozenset(
    "auto_map custom_pipelines custom_generate trust_remote_code use_kernels kernel_config".split()
)
_KERNELS = frozenset(
    f"{prefix}{kind}_implementation{suffix}"
    for kind in ("attn", "experts")
    for prefix, suffix in (("", ""), ("_", ""), ("_", "_internal"))
)
_DO_NOT = "do not use this model"
_NO_CODE = "zoo runs no code from a model's files; take one that transformers has"


def sanitised(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """config.json without what could name code, the configurations inside it included.

    Args:
        config: the object as read.
        name: the model's, for messages.

    Raises:
        TrustError: it names a kernel of another repository, or weights outside the folder.
        SourceError: it names its weights by another than the usual names.
    """
    weights = config.get("transformers_weights")
    if weights is not None:
        if Path(str(weights)).name != weights:
            raise TrustError(
                f"'{name}' keeps its weights in '{weights}', outside its folder", hint=_DO_NOT
            )
        raise SourceError(
            f"'{name}' names '{weights}' as its weights",
            hint="zoo loads model.safetensors and its shards alone",
        )
    return {k: _clean(v, f"{name}: {k}") for k, v in config.items() if _kept(k, v, name)}


def names_code(config: Mapping[str, Any] | None, model_class: str = "") -> bool:
    """Whether a JSON file names a class in a Python file, whoever's; `model_class` or any."""
    named = (config or {}).get("auto_map")
    if not named or not isinstance(named, Mapping):
        return bool(named)
    return not model_class or named.get(model_class) is not None


def check_files(snapshot: Snapshot, name: str) -> None:
    """Refuse a folder whose other JSON files lead elsewhere.

    Raises:
        TrustError: a tokenizer's file lies outside the folder.
        SourceError: the weights belong on top of another model's.
    """
    if (snapshot.folder / "adapter_config.json").is_file():
        raise SourceError(
            f"'{name}' holds an adapter (adapter_config.json), whose weights would be added",
            hint="merge it into its base model, or remove the file",
        )
    listed = (snapshot.read("tokenizer_config.json") or {}).get("fast_tokenizer_files")
    for file in listed if isinstance(listed, list) else []:
        if Path(str(file)).name != file:
            raise TrustError(
                f"'{name}' keeps its tokenizer in '{file}', outside its folder", hint=_DO_NOT
            )


def check_architecture(model_type: str, name: str) -> None:
    """Raise TrustError where a model that names code has an architecture that needs it."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if model_type not in CONFIG_MAPPING:
        raise TrustError(f"'{name}' needs code of its own (auto_map) to be loaded", hint=_NO_CODE)


def check_tokenizer(tokenizer: Mapping[str, Any] | None, name: str) -> None:
    """Raise TrustError where a tokenizer needs code; transformers would guess another class.

    Args:
        tokenizer: tokenizer_config.json as read.
        name: the model's, for messages.
    """
    from transformers.models.auto.tokenization_auto import tokenizer_class_from_name

    if tokenizer is None or not names_code(tokenizer, "AutoTokenizer"):
        return
    stated = str(tokenizer.get("tokenizer_class", "")).removesuffix("Fast")
    if not any(tokenizer_class_from_name(f"{stated}{end}") for end in ("", "Fast")):
        raise TrustError(
            f"'{name}' needs code of its own (auto_map) for its tokenizer", hint=_NO_CODE
        )


def _clean(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        return {k: _clean(v, where) for k, v in value.items() if _kept(k, v, where)}
    if isinstance(value, list):
        return [_clean(item, where) for item in value]
    return value


def _kept(key: str, value: Any, where: str) -> bool:
    """Whether a key stays; raises TrustError where it names another repository's kernel."""
    if key in _KERNELS:
        for named in value.values() if isinstance(value, Mapping) else [value]:
            if "/" in str(named):
                raise TrustError(
                    f"{where}: {key} names '{named}', a kernel from another repository",
                    hint=f"{_DO_NOT}, or remove the key from its config.json",
                )
    return key not in _CODE | _KERNELS
