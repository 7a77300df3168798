"""``timm:resnet18.a1_in1k``, ``timm:hf-hub:org/name`` or ``timm:./folder``: timm's image models."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import settings
from zoo.engine import FileDigests
from zoo.plugin import (
    Backbone,
    Contract,
    LoadOptions,
    MissingExtraError,
    Provider,
    Reference,
    Source,
    SourceError,
)
from zoo.preprocess import ImageSpec, check_keys
from zoo.providers import choose_tap, open_snapshot
from zoo_timm.pretrained import Pretrained

if TYPE_CHECKING:
    from zoo.providers import Snapshot

NUMERICS = 1  # raised whenever the same image would give other features
TAPS = ("pre_logits", "features")
_HUB = "hf-hub:"
_FILES = ("config.json", "model.safetensors")


@dataclass(frozen=True)
class _Described:
    pretrained: Pretrained
    weights: Path
    spec: ImageSpec
    contract: Contract


class TimmProvider(Provider):
    """Models of timm with safetensors weights."""

    def describe(self, source: Source, options: LoadOptions) -> Contract:
        """The contract as timm states it.

        The first look at a model imports timm and with it torch; later ones read what it said.

        Raises:
            SourceError: an unknown model, no safetensors for it, or another kind of preparation.
        """
        return _describe(source, options).contract

    def load(self, source: Source, options: LoadOptions) -> Backbone:
        """The trunk with its weights; a weight that is missing or left over is an error."""
        return self.load_taps([source], options)

    def load_taps(self, sources: Sequence[Source], options: LoadOptions) -> Backbone:
        """The same with several taps."""
        from zoo_timm.trunk import TimmTrunk, build

        described, *others = (_describe(source, options) for source in sources)
        module = build(described.pretrained, described.weights, options)
        trunk = TimmTrunk(module, described.contract, options, spec=described.spec)
        trunk.also([other.contract for other in others])
        return trunk

    def reference(self, source: Source, options: LoadOptions) -> Reference | None:
        """The library's own evaluation transform; None where timm states no preparation.

        Raises:
            MissingExtraError: torchvision, which the transform is made of, is not installed.
        """
        from zoo_timm.reference import TimmReference
        from zoo_timm.trunk import build

        if importlib.util.find_spec("torchvision") is None:
            raise MissingExtraError("torchvision", "", package="torchvision")
        described = _describe(source, options)
        if not described.pretrained.prepares:
            return None
        own = replace(options, dtype="float32", device="cpu")
        module = build(described.pretrained, described.weights, own)
        return TimmReference(module, described.contract)


def _describe(source: Source, options: LoadOptions) -> _Described:
    pretrained, weights, revision = _found(source, options)
    where = str(source)
    # What the user states whole needs nothing of timm's that zoo might not understand.
    whole = {"size", "resize", "mean", "std"} <= set(options.preprocess)
    base = {"input": "image"} if whole else pretrained.stated(where)
    stated = check_keys({**base, **options.preprocess}, where)
    spec = ImageSpec.from_stated(stated, where)
    tap, pooling = choose_tap(source.tap, options.preprocess, ("pre_logits", "none"))
    if tap not in TAPS:
        raise SourceError(
            f"{where}: there is no tap '{tap}'",
            hint="#pre_logits (the default), #features/mean or #features/cls",
        )
    contract = Contract(
        modality="image",
        # torchvision starts a crop at the rounded middle, where ImageSpec alone cuts it down.
        preprocess={**spec.as_dict(), "crop_start": "half_even"},
        model={
            "library": "timm",
            "version": metadata.version("timm"),
            "numerics": NUMERICS,
            "architecture": pretrained.architecture,
            "arguments": dict(pretrained.arguments),
            "input_size": pretrained.config.get("input_size"),
        },
        weights=FileDigests(settings.home()).sha256(weights),
        tap=tap,
        pooling=pooling,
        revision=revision,
        rules={"mask": "class and register tokens count in no mean"},
        info={
            "architecture": pretrained.architecture,
            "tag": pretrained.config.get("tag"),
            "licence": pretrained.config.get("license"),
        },
    )
    return _Described(pretrained, weights, spec, contract)


def _found(source: Source, options: LoadOptions) -> tuple[Pretrained, Path, str]:
    """What timm says of a source, its weights file, and the commit they were pinned to."""
    if source.path is None and not source.reference.startswith(_HUB):
        pretrained = Pretrained.named(source.reference)
        if source.weights:
            return pretrained, _file(source), ""
        hub = pretrained.config.get("hf_hub_id")
        if not hub:
            raise SourceError(
                f"timm states no safetensors for '{source.reference}', and random weights are no "
                "backbone",
                hint=f"give them: timm:{source.reference}?weights=FILE.safetensors",
            )
        snapshot = _snapshot(replace(source, reference=str(hub)), options)
        return pretrained, _only(snapshot), snapshot.revision
    if source.path is not None and not source.path.is_dir():
        raise SourceError(
            f"there is no folder '{source.reference}'",
            hint="on the Hub: timm:hf-hub:org/name; weights alone: timm:ARCHITECTURE?weights=FILE",
        )
    reference = source.reference.removeprefix(_HUB)
    snapshot = _snapshot(replace(source, reference=reference, weights=""), options)
    pretrained = Pretrained.in_folder(snapshot)
    return pretrained, _file(source) if source.weights else _only(snapshot), snapshot.revision


def _snapshot(source: Source, options: LoadOptions) -> Snapshot:
    return open_snapshot(source, offline=options.offline, patterns=_FILES)


def _only(snapshot: Snapshot) -> Path:
    files = snapshot.weights()
    if len(files) != 1:
        raise SourceError(f"'{snapshot.folder}' has its weights in {len(files)} files, not in one")
    return files[0]


def _file(source: Source) -> Path:
    path = Path(source.weights).expanduser()
    if not path.is_file():
        raise SourceError(f"there is no weights file '{path}'", hint="?weights=FILE.safetensors")
    if path.suffix != ".safetensors":
        raise SourceError(
            f"'{path.name}' is not a .safetensors file",
            hint="zoo loads safetensors alone: save_file(state_dict, 'weights.safetensors')",
        )
    return path
