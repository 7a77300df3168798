"""The modules of a sentence encoder, read from its folder as data and refused where they run code.

The library follows what a folder says: classes by name, activations by name, arguments for other
loaders. All of it is checked here before a file is handed over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from zoo.errors import TrustError
from zoo.plugin import SourceError
from zoo.providers import Snapshot

PATTERNS = ("*.json", "*.txt", "*.model", "model*.safetensors", "[0-9]_*/*.safetensors")
_LIBRARY = "sentence_transformers."
_WEIGHTED = ("Transformer", "Dense", "LayerNorm", "StaticEmbedding")
_KINDS = (*_WEIGHTED, "Pooling", "Normalize", "Dropout")
_TOKENIZER = frozenset(
    "added_tokens.json special_tokens_map.json tokenizer.json tokenizer_config.json "
    "vocab.json".split()
)
_STATIC = ("static", "model2vec")  # config.json's model_type where there is no modules.json
# What the library's Transformer may be told by a folder; the rest reaches other loaders.
_TOLD = frozenset(
    "max_seq_length do_lower_case transformer_task modality_config module_output_name "
    "processing_kwargs unpad_inputs query_length document_length query_expansion".split()
)
_METHODS = ("forward", "get_text_features")
_CONFIGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in "bert roberta distilbert camembert albert xlm-roberta xlnet".split()
)


@dataclass(frozen=True)
class Module:
    """One module of the pipeline: what it is and the folder of its files."""

    kind: str
    files: Snapshot


@dataclass(frozen=True)
class Pipeline:
    """A sentence encoder as its folder states it.

    Attributes:
        snapshot: the folder.
        modules: from texts to rows, in order.
        told: the Transformer's own configuration (`max_seq_length`, `do_lower_case`), or empty.
        settings: of config_sentence_transformers.json (prompts), or empty.
        saved: whether a modules.json names the modules; else it is a static embedding alone.
    """

    snapshot: Snapshot
    modules: tuple[Module, ...]
    told: Mapping[str, Any]
    settings: Mapping[str, Any]
    saved: bool

    @classmethod
    def read(cls, snapshot: Snapshot) -> Pipeline:
        """The pipeline in a folder.

        Raises:
            SourceError: no sentence encoder, or modules and settings that are not supported.
            TrustError: a file names code outside the library, or files outside the folder.
        """
        settings = snapshot.read("config_sentence_transformers.json") or {}
        kind = settings.get("model_type", "SentenceTransformer")
        if kind != "SentenceTransformer":
            raise SourceError(f"'{snapshot.folder.name}' is a {kind}, not a sentence encoder")
        prompts = settings.get("prompts") or {}
        if not (isinstance(prompts, dict) and all(isinstance(p, str) for p in prompts.values())):
            raise SourceError(f"'{snapshot.folder.name}': prompts are not texts by name")
        saved = (snapshot.folder / "modules.json").is_file()
        modules = _named(snapshot) if saved else _static(snapshot)
        if modules[0].kind not in ("Transformer", "StaticEmbedding"):
            raise SourceError(f"'{snapshot.folder.name}' begins with {modules[0].kind}")
        for module in modules:
            _CHECKS.get(module.kind, _nothing)(module)
        told = _told(modules[0].files) if modules[0].kind == "Transformer" else {}
        return cls(snapshot, modules, told, settings, saved)

    @property
    def static(self) -> bool:
        """Whether texts are means of token vectors."""
        return self.modules[0].kind == "StaticEmbedding"

    def prompt(self) -> str:
        """What the model puts before every text unless it is told otherwise; mostly nothing."""
        name = self.settings.get("default_prompt_name")
        prompts = dict(self.settings.get("prompts") or {})
        if name is not None and name not in prompts:
            raise SourceError(
                f"'{self.snapshot.folder.name}' has no prompt '{name}', its default",
                hint="state it: --preprocess \"prefix='query: '\", or prefix=''",
            )
        return str(prompts.get(name) or "")

    def weights_digest(self) -> str:
        """SHA-256 in hex of the weights file, or over those of several modules."""
        weighted = [module for module in self.modules if module.kind in _WEIGHTED]
        digests = [module.files.weights_digest() for module in weighted]
        if len(digests) == 1:
            return digests[0]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def config_digest(self) -> str:
        """SHA-256 in hex over all JSON files of all modules, those of tokenizers aside."""
        sha = hashlib.sha256(" ".join(module.kind for module in self.modules).encode())
        folders = {self.snapshot.folder, *(module.files.folder for module in self.modules)}
        for folder in sorted(folders):
            for path in sorted(folder.glob("*.json")):
                if path.name in _TOKENIZER:
                    continue
                name = path.relative_to(self.snapshot.folder).as_posix()
                sha.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return sha.hexdigest()


def _named(snapshot: Snapshot) -> tuple[Module, ...]:
    """The modules that modules.json lists."""
    path = snapshot.folder / "modules.json"
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        pairs = [(str(entry["type"]), str(entry["path"])) for entry in listed]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise SourceError(f"'{path}' does not list modules: {error!r}") from error
    if not pairs:
        raise SourceError(f"'{path}' lists no module")
    modules = []
    for kind, place in pairs:
        name = kind.rpartition(".")[2]
        if not kind.startswith(_LIBRARY):
            raise TrustError(
                f"'{snapshot.folder.name}' needs code of its own ({kind})",
                hint="zoo runs no code from a model's files",
            )
        if name not in _KINDS:
            raise SourceError(
                f"'{snapshot.folder.name}': module {name} is not supported",
                hint=f"supported: {', '.join(sorted(_KINDS))}",
            )
        if PurePosixPath(place).is_absolute() or ".." in PurePosixPath(place).parts:
            raise TrustError(f"'{path}' names '{place}', outside the model's folder")
        modules.append(Module(name, Snapshot(snapshot.folder / place, snapshot.revision)))
    return tuple(modules)


def _static(snapshot: Snapshot) -> tuple[Module, ...]:
    """The modules of a bare static embedding, as model2vec writes it."""
    config = snapshot.read("config.json") or {}
    if config.get("model_type") not in _STATIC:
        raise SourceError(
            f"'{snapshot.folder.name}' has no modules.json: it does not say how tokens are pooled",
            hint="say it yourself: hf:MODEL#last_hidden_state/mean",
        )
    kinds = ["StaticEmbedding"] + ["Normalize"] * (config.get("normalize") is True)
    return tuple(Module(kind, snapshot) for kind in kinds)


def _told(files: Snapshot) -> dict[str, Any]:
    """What the first of the library's configuration files says of a Transformer."""
    told = next((found for name in _CONFIGS if (found := files.read(name))), {})
    foreign = sorted(key for key, value in told.items() if key not in _TOLD and value)
    if foreign:
        raise SourceError(
            f"'{files.folder.name}': '{foreign[0]}' of a Transformer module is not supported",
            hint="it would steer how other files are loaded; take hf:MODEL#last_hidden_state/mean",
        )
    methods = told.get("modality_config") or {}
    for entry in methods.values() if isinstance(methods, dict) else [None]:
        method = entry.get("method") if isinstance(entry, dict) else entry
        if method not in _METHODS:  # the library calls what the name says
            raise SourceError(f"'{files.folder.name}': method {method!r} is not supported")
    length = told.get("max_seq_length")
    if length is not None and not (type(length) is int and length > 0):
        raise SourceError(
            f"'{files.folder.name}': max_seq_length = {length!r} is no number of tokens"
        )
    return told


def _nothing(module: Module) -> None:
    del module


def _check_transformer(module: Module) -> None:
    name, config = module.files.folder.name, module.files.read("config.json")
    if config is None:
        raise SourceError(f"'{name}' has no config.json")
    for kernel in _attentions(config):
        if "/" in kernel:
            raise TrustError(
                f"'{name}' would load a kernel from elsewhere ({kernel})",
                hint="do not use this model",
            )
    if (module.files.folder / "adapter_config.json").is_file():
        raise SourceError(f"'{name}' is an adapter to another model: merge it first")
    module.files.weights()


def _attentions(config: Mapping[str, Any]) -> Iterator[str]:
    """What a configuration, or one within it, says of how attention is computed."""
    for key, value in config.items():
        if key in ("attn_implementation", "_attn_implementation"):
            yield str(value)
        elif isinstance(value, Mapping):
            yield from _attentions(value)


def _check_dense(module: Module) -> None:
    config = module.files.read("config.json") or {}
    activation = str(config.get("activation_function", "torch."))
    if not activation.startswith("torch."):  # the library would take Tanh instead, in a log line
        raise TrustError(
            f"'{module.files.folder.name}' names an activation outside torch: {activation}",
            hint="zoo runs no code from a model's files",
        )
    _check_single(module)


def _check_single(module: Module) -> None:
    if not (module.files.folder / "model.safetensors").is_file():
        raise SourceError(
            f"'{module.files.folder}' has no model.safetensors",
            hint="zoo loads safetensors alone; convert the checkpoint or take another revision",
        )


_CHECKS = {
    "Transformer": _check_transformer,
    "Dense": _check_dense,
    "LayerNorm": _check_single,
    "StaticEmbedding": _check_single,
}
