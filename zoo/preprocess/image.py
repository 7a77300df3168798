"""Images: resize, crop, rescale and normalise as Pillow and the checkpoint's own pipeline do.

Resizing is the engine's, equal to Pillow's on 8-bit channels to the last bit; the rest is one table
of 256 values a channel, so that the result equals scaling in float64, rounding to float32, then
subtracting and dividing in float32 (the order of operations of transformers' Pillow backend).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import engine
from zoo.errors import DataError, SourceError

if TYPE_CHECKING:
    from PIL.Image import Image

NUMERICS = 1  # raised whenever the same image would come out otherwise
MAX_PIXELS = 89_478_485  # Pillow's own limit on what it decodes: 256 MiB as RGB
_STRIP_PIXELS = 1 << 20  # Pillow holds up to 4 million pixels in one piece


@dataclass(frozen=True)
class ImageSpec:
    """How an RGB image becomes an array.

    Attributes:
        size: height and width after the crop, in pixels.
        resize: shortest edge, or height and width, or None for no resizing.
        crop: whether the centre of `size` is cut out (missing borders are zeros).
        filter: Pillow's resampling filter.
        color: ``rgb`` or ``bgr``.
        layout: ``nchw`` or ``nhwc``.
        scale: factor on 0..255; then `mean` is subtracted and `std` divides, in the order of color.
        dtype: of the array.
    """

    size: tuple[int, int]
    resize: int | tuple[int, int] | None
    crop: bool
    filter: str = "bilinear"
    color: str = "rgb"
    layout: str = "nchw"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    dtype: str = "float32"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; what decides the array, and nothing else."""
        out = asdict(self)
        for key in ("size", "resize", "mean", "std"):
            if isinstance(out[key], tuple):
                out[key] = list(out[key])
        return {"input": "image", "numerics": NUMERICS, **out}

    @classmethod
    def from_stated(cls, stated: Mapping[str, Any], where: str) -> ImageSpec:
        """From preprocess.toml's keys; raises SourceError with what is missing."""
        raw = stated.get("dtype") == "uint8"
        needed = ("size", "resize") if raw else ("size", "resize", "mean", "std")
        missing = [key for key in needed if key not in stated]
        extra = [key for key in ("scale", "mean", "std") if raw and key in stated]
        if extra:
            raise SourceError(f"{where}: dtype uint8 takes raw pixels, and no {', '.join(extra)}")
        if missing:
            raise SourceError(
                f"{where}: preprocessing is not stated: {', '.join(missing)}",
                hint="put a preprocess.toml beside the model or give --preprocess "
                "'size=224,resize=256,crop=center,mean=0.485;0.456;0.406,std=0.229;0.224;0.225'",
            )
        size = _pair(stated["size"])
        resize: int | tuple[int, int] | None
        if stated["resize"] == "exact":
            resize = size
        elif stated["resize"] == "none":
            resize = None
        else:
            value = stated["resize"]
            resize = _pair(value) if isinstance(value, list) else int(value)
        return cls(
            size=size,
            resize=resize,
            crop=stated.get("crop", "center" if resize != size else "none") == "center",
            filter=stated.get("filter", "bilinear"),
            color=stated.get("color", "rgb"),
            layout=stated.get("layout", "nchw"),
            scale=float(stated.get("scale", 1 / 255)),
            mean=_triple(stated.get("mean", [0.0]), "mean", where),
            std=_triple(stated.get("std", [1.0]), "std", where),
            dtype=stated.get("dtype", "float32"),
        )

    def apply(self, image: Image) -> np.ndarray:
        """One RGB image as (3, h, w) or (h, w, 3) of `dtype`.

        Raises:
            SourceError: without a crop, the image's own size is not `size`.
            DataError: resizing would make more than `MAX_PIXELS`.
        """
        target = self._resized(image.width, image.height)
        if target != image.size and target[0] * target[1] > MAX_PIXELS:
            raise DataError(
                f"an image of {image.width} by {image.height} pixels would be resized to "
                f"{target[0]} by {target[1]}"
            )
        height, width = self.size if self.crop else target[::-1]
        if (height, width) != self.size:
            raise SourceError(
                f"an image of {width} by {height} pixels came out where the "
                f"backbone takes {self.size[1]} by {self.size[0]}",
                hint="state resize = 'exact' or crop = 'center' with --preprocess",
            )
        # The middle, cut down; of an image that is too small, borders of zeros.
        top, left = (target[1] - height) // 2, (target[0] - width) // 2
        try:
            return engine.prepare_pixels(
                _pixels(image),
                self._levels,
                resized=target[::-1],
                window=engine.Window(top, left, height, width),
                filter=self.filter,
                layout=self.layout,
                color=self.color,
            )
        except ValueError as error:
            raise DataError(
                f"an image of {image.width} by {image.height} pixels: {error}"
            ) from error

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after resizing; the longer edge is cut to a whole pixel."""
        if self.resize is None:
            return width, height
        if isinstance(self.resize, tuple):
            return self.resize[1], self.resize[0]
        short, long = min(width, height), max(width, height)
        longer = int(self.resize * long / short)
        return (self.resize, longer) if width <= height else (longer, self.resize)

    @cached_property
    def _levels(self) -> np.ndarray:
        """(3, 256) values by channel and grey level."""
        if self.dtype == "uint8":
            return np.tile(np.arange(256, dtype=np.uint8), (3, 1))
        levels = (np.arange(256, dtype=np.float64) * self.scale).astype(np.float32)
        mean = np.array(self.mean, np.float32)[:, None]
        std = np.array(self.std, np.float32)[:, None]
        return ((levels[None] - mean) / std).astype(self.dtype)


def _pixels(image: Image) -> np.ndarray:
    """(h, w), (h, w, 3) or (h, w, 4) uint8 of an RGB image, without a copy where that can be."""
    decoded = getattr(image, "pixels", None)
    if isinstance(decoded, np.ndarray):
        return decoded
    shared = engine.shared_pixels(image)
    return _in_strips(image) if shared is None else shared


def _in_strips(image: Image) -> np.ndarray:
    """A copy, taken by parts that Pillow shares; four times as fast as one of the whole."""
    width, height = image.size
    out = np.empty((height, width, 4), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        strip = engine.shared_pixels(image.crop((0, top, width, bottom)))
        if strip is None:  # no RGB image, or a Pillow before 11.2
            return np.asarray(image)
        out[top:bottom] = strip
    return out


def _pair(value: Any) -> tuple[int, int]:
    values = value if isinstance(value, list) else [value]
    return (int(values[0]), int(values[-1]))


def _triple(value: list[float], key: str, where: str) -> tuple[float, ...]:
    values = value * 3 if len(value) == 1 else value
    if len(values) != 3 or not all(math.isfinite(x) for x in values):
        raise SourceError(f"{where}: {key} has {len(value)} values, not 3")
    if key == "std" and any(x == 0 for x in values):
        raise SourceError(f"{where}: std holds a zero")
    return tuple(float(x) for x in values)
