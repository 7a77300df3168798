"""From stored bytes to a sample: an RGB image or a text; what cannot be read is one clear error."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

    from zoo.plugin import Item

NUMERICS = 1  # raised whenever the same bytes would give another sample


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Silence Pillow's warnings about odd files, in the calling thread and those it starts.

    Filters of warnings belong to the whole process, so a thread that decodes must not set them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


def decode(item: Item, modality: str) -> Image | str:
    """The sample of an item: an RGB image, upright by its EXIF orientation, or a text.

    Alpha is dropped, palettes and CMYK are converted by Pillow, 16-bit grey keeps its upper 8 bits,
    of an animation the first frame counts.

    Raises:
        DataError: the file cannot be read or is not what its name says.
    """
    if modality == "text":
        if not isinstance(item.value, str):
            raise DataError(f"'{item.name}' is not a text")
        return item.value
    if modality != "image":
        raise DataError(f"'{item.name}': {modality} samples cannot be decoded yet")
    content = item.content()
    if isinstance(content, np.ndarray):
        return _from_array(content, item.name)
    if isinstance(content, Path):
        return _from_bytes(_file_content(content, item.name), item.name)
    if isinstance(content, bytes):
        return _from_bytes(content, item.name)
    raise DataError(f"'{item.name}' is a text where an image is needed")


def _file_content(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"'{name}': {error.strerror or error}") from error


def _from_bytes(content: bytes, name: str) -> Image:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            _check_size(image, name)
            image.load()
            upright = ImageOps.exif_transpose(image)
            return _rgb(upright if upright is not None else image)
    except UnidentifiedImageError as error:
        raise DataError(f"'{name}' is not an image that can be read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"'{name}' would decode to too many pixels") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, KeyError) as error:
        # Pillow's plugins raise any of these on damaged files.
        raise DataError(f"'{name}' is a damaged image: {error}") from error


def _check_size(image: Image, name: str) -> None:
    """Pillow only warns of images between one and two times its limit: refuse them too."""
    from PIL import Image as Pillow

    limit = Pillow.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise DataError(f"'{name}' would decode to too many pixels")


def _from_array(values: np.ndarray, name: str) -> Image:
    from PIL import Image

    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.dtype != np.uint8 or values.ndim not in (2, 3) or values.shape[2:] not in ((), (3,)):
        raise DataError(
            f"'{name}' has shape {values.shape} and dtype {values.dtype}",
            hint="images are uint8 arrays of shape (h, w) or (h, w, 3) with values 0..255",
        )
    return Image.fromarray(np.ascontiguousarray(values)).convert("RGB")


def _rgb(image: Image) -> Image:
    from PIL import Image as Pillow

    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion would clip it to white
        grey = np.asarray(image).astype(np.int64)
        return Pillow.fromarray(np.clip(grey >> 8, 0, 255).astype(np.uint8)).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
