"""What vision transformers make of an image: patches, tokens before them, and where patches are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.errors import SourceError

# Tokens before the patches that stand for no place in the image: class, distillation. Registers,
# where a family has any, follow them.
_PREFIX = {
    "beit": 1,
    "clip_vision_model": 1,
    "deit": 2,
    "dinov2": 1,
    "dinov2_with_registers": 1,
    "dinov3_vit": 1,
    "ijepa": 0,
    "siglip_vision_model": 0,
    "vit": 1,
    "vit_mae": 1,
    "vit_msn": 1,
}
_REGISTERS = {"dinov2_with_registers": 4, "dinov3_vit": 0}
_PATCH = {
    "clip_vision_model": 32,
    "dinov2": 14,
}  # pixels of a side, where the file leaves them out; else 16
# One learned position a patch: other sizes need them stretched, which some do by themselves.
_ALWAYS = frozenset({"dinov2", "dinov2_with_registers"})
_ON_REQUEST = frozenset(
    "clip_vision_model deit ijepa siglip_vision_model vit vit_mae vit_msn".split()
)


@dataclass(frozen=True)
class Patches:
    """The tokens of one image.

    Attributes:
        prefix: how many tokens stand before the patches.
        count: how many patches there are.
        trained: height and width in pixels that positions were learned for.
        used: height and width in pixels of the images that are given.
        stretched: whether positions are interpolated from one size to the other.
        asked: whether the module must be told that its images are of another size.
    """

    prefix: int
    count: int
    trained: tuple[int, int]
    used: tuple[int, int]
    stretched: bool
    asked: bool

    def as_dict(self) -> dict[str, Any]:
        """What it adds to a contract: nothing where all tokens are patches and sizes are equal."""
        positions = {
            "trained": list(self.trained),
            "used": list(self.used),
            "interpolation": "bicubic",
        }
        return {
            **({"prefix_tokens": self.prefix} if self.prefix else {}),
            **({"positions": positions} if self.stretched else {}),
        }

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments that the module needs beside the pixels."""
        return {"interpolate_pos_encoding": True} if self.asked else {}


def patches_of(
    config: Mapping[str, Any], size: tuple[int, int], pooling: str, where: str
) -> Patches | None:
    """The tokens of an image of `size` (height, width); None for families that have no such.

    Raises:
        SourceError: sizes that are none, or the class token of a family that has none is wanted.
    """
    family = str(config.get("model_type", ""))
    if family not in _PREFIX:
        return None
    if pooling == "cls" and not _PREFIX[family]:
        raise SourceError(
            f"{where}: models of type '{family}' have no class token",
            hint="pool with /mean, or take what the model pools by itself: #pooler_output",
        )
    trained = _pair(config.get("image_size", 224), where)
    patch = _pair(config.get("patch_size", _PATCH.get(family, 16)), where)
    registers = config.get("num_register_tokens", _REGISTERS.get(family, 0))
    if type(registers) is not int or registers < 0:
        raise SourceError(f"{where}: num_register_tokens = {registers!r} in config.json")
    grid = (size[0] // patch[0], size[1] // patch[1])
    other = grid != (trained[0] // patch[0], trained[1] // patch[1])
    return Patches(
        prefix=_PREFIX[family] + (registers if family in _REGISTERS else 0),
        count=grid[0] * grid[1],
        trained=trained,
        used=size,
        stretched=other and family in _ALWAYS | _ON_REQUEST,
        asked=trained != size and family in _ON_REQUEST,
    )


def _pair(value: Any, where: str) -> tuple[int, int]:
    values = value if isinstance(value, list) and len(value) == 2 else [value, value]
    if not all(type(x) is int and x > 0 for x in values):
        raise SourceError(f"{where}: image_size or patch_size in config.json is {value!r}")
    return values[0], values[1]
