"""JPEG files by simplejpeg, where it is installed: Pillow's pixels to the last bit, sooner.

Pillow opens every file, so that its limits, errors and reading of EXIF count; what is out of the
ordinary it decodes as well. Never simplejpeg's fast transforms: their pixels are others.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

_CORNERS = np.array([[0, 1], [2, 3]], np.uint8)


def fast_jpeg(content: bytes, opened: Image) -> Image | None:
    """The upright RGB image of a JPEG that Pillow has opened and not loaded; None leaves it to it.

    What comes back is a Pillow image with an attribute `pixels`, (h, w, 3) or (h, w) uint8; Pillow
    gets a copy of them when something asks for it.

    Raises:
        Exception: what Pillow raises on EXIF that it can't read.
    """
    pixels = _decoded(content, opened)
    if pixels is None:
        return None
    image: Image = _image_class()(_upright(pixels, opened))
    return image


def _decoded(content: bytes, opened: Image) -> np.ndarray | None:
    simplejpeg = _library()
    if (
        simplejpeg is None
        or opened.format not in {"JPEG", "MPO"}
        or opened.mode not in {"L", "RGB"}
    ):
        return None
    if opened.info.get("adobe_transform", 1) != 1:  # colours that are no YCbCr, or said not to be
        return None
    grey = opened.mode == "L"
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(
            content, "GRAY" if grey else "RGB", fastdct=False, fastupsample=False, strict=True
        )
    except (LookupError, RuntimeError, ValueError):  # damaged, if only a little: Pillow decides
        return None
    pixels = pixels[:, :, 0] if grey else pixels
    return pixels if pixels.shape[:2] == (opened.height, opened.width) else None


@cache
def _library() -> Any:
    try:
        import simplejpeg
    except ImportError:
        return None
    return simplejpeg


def _upright(pixels: np.ndarray, opened: Image) -> np.ndarray:
    """Turned as Pillow turns four pixels with the same EXIF."""
    from PIL import ExifTags, Image, ImageOps

    if opened.getexif().get(ExifTags.Base.Orientation, 1) not in range(2, 9):
        return pixels
    probe = Image.fromarray(_CORNERS)
    probe.info = dict(opened.info)
    turned = np.asarray(ImageOps.exif_transpose(probe))
    for swapped in (False, True):
        for rows in (1, -1):
            for columns in (1, -1):
                corners = (_CORNERS.T if swapped else _CORNERS)[::rows, ::columns]
                if np.array_equal(corners, turned):
                    whole = _whole_pixels(pixels)
                    stored = whole.swapaxes(0, 1) if swapped else whole
                    upright = np.ascontiguousarray(stored[::rows, ::columns])
                    return upright.view(np.uint8).reshape(*upright.shape, *pixels.shape[2:])
    raise ValueError("EXIF turns the image into another")


def _whole_pixels(pixels: np.ndarray) -> np.ndarray:
    """(h, w), a pixel an element: NumPy copies those twice as fast as single bytes."""
    return pixels if pixels.ndim == 2 else pixels.view("V3")[:, :, 0]


@cache
def _image_class() -> Any:
    from PIL import Image

    class DecodedJpeg(Image.Image):
        """An RGB image whose pixels Pillow copies when they are asked for."""

        def __init__(self, pixels: np.ndarray) -> None:
            super().__init__()
            self.pixels: np.ndarray | None = pixels
            self._mode = "RGB"
            self._size = (pixels.shape[1], pixels.shape[0])

        def load(self) -> Any:
            if self.pixels is not None:
                self.im = Image.fromarray(self.pixels).convert("RGB").im
                self.pixels = None  # what is drawn into the image from now on is in Pillow's copy
            return super().load()

    return DecodedJpeg


__all__ = ["fast_jpeg"]
