"""From 8-bit pixels to a backbone's input: resize, crop, normalise, layout and type in one pass."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from zoo import _core

# By Pillow's numbers.
FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
MAX_SIDE = 1 << 24  # pixels; every whole number up to it is a float32


class Window(NamedTuple):
    """What is cut out of a resized image; where it lies outside, levels are 0."""

    top: int
    left: int
    height: int
    width: int


def prepare_pixels(
    image: np.ndarray,
    levels: np.ndarray,
    *,
    resized: tuple[int, int],
    window: Window,
    filter: str = "bilinear",  # noqa: A002 - Pillow's and preprocess.toml's word
    box: tuple[float, float, float, float] | None = None,
    layout: str = "nchw",
    color: str = "rgb",
) -> np.ndarray:
    """An image as (3, h, w) or (h, w, 3) values, h and w those of the window.

    The levels that are looked up are those of Pillow's ``resize`` without ``reducing_gap``, to the
    last bit: of Pillow 13, which resizes images that lose most of their height vertically first.
    Only what the window needs is computed. The interpreter's lock is released.

    Args:
        image: (h, w) grey, (h, w, 3) RGB or (h, w, 4), whose fourth byte is ignored, uint8.
        levels: (3, 256) of a type of 1, 2 or 4 bytes: what a level becomes in each of the output's
            channels.
        resized: height and width of the whole after resizing.
        window: what is cut out of that.
        filter: one of `FILTERS`.
        box: left, top, right and bottom of the part that is resized; the whole where None.
        layout: ``nchw`` or ``nhwc``, less the n.
        color: ``rgb`` or ``bgr``, the order of the output's channels.

    Raises:
        ValueError: a size is 0 or above `MAX_SIDE`, the box is empty or leaves the image, or an
            argument is none of those named here.
    """
    for name, value, known in (
        ("filter", filter, FILTERS),
        ("layout", layout, ("nchw", "nhwc")),
        ("color", color, ("rgb", "bgr")),
    ):
        if value not in known:
            raise ValueError(f"{name} is one of {', '.join(known)}, not {value!r}")
    sides = (*image.shape[:2], *resized, *window[2:])
    if image.dtype != np.uint8 or min(sides, default=0) < 1:
        raise ValueError(f"an image of shape {image.shape} and dtype {image.dtype} to {resized}")
    return _core.prepare_pixels(
        np.ascontiguousarray(image),
        np.ascontiguousarray(levels),
        resized=resized,
        window=window,
        kind=FILTERS.index(filter),
        box=box,
        planes=layout == "nchw",
        mirror=color == "bgr",
    )


def shared_pixels(image: Any) -> np.ndarray | None:
    """The memory of a Pillow image of mode RGB as (h, w, 4) uint8, read-only; the fourth byte is 0.

    None where Pillow holds the image in several pieces (above 4 million pixels) or can't share it
    (before 11.2): `numpy.asarray` makes a copy of any.
    """
    share = getattr(image, "__arrow_c_array__", None)
    if share is None or image.mode != "RGB":
        return None
    try:
        schema, array = share()
        pixels = _core.arrow_pixels(schema, array, height=image.height, width=image.width)
    except ValueError:
        return None
    pixels.flags.writeable = False
    return pixels


__all__ = [
    "FILTERS",
    "MAX_SIDE",
    "Window",
    "prepare_pixels",
    "shared_pixels",
]
