"""From stored bytes to a sample: image, text or recording; what cannot be read is one error."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import DataError
from zoo.preprocess.decode_audio import audio_array, decode_audio
from zoo.preprocess.jpeg import fast_jpeg

if TYPE_CHECKING:
    from PIL.Image import Image

    from zoo.plugin import Item
    from zoo.preprocess.audio import Waveform

NUMERICS = 1  # raised whenever the same bytes would give another sample
MAX_FILE_BYTES = 1 << 30  # some of Pillow's plugins read a file whole before they know its size
MAX_CHARACTERS = 1 << 22  # tokenizing takes a hundred bytes of memory a character
# What Pillow's plugins raise on damaged files.
_DAMAGED = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_MODES = frozenset("1 L LA La P PA RGB RGBA RGBa RGBX CMYK YCbCr HSV".split())
_SCALE = "scale it to 0..255 and save it with 8 bits"


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Silence Pillow's warnings about odd files, in the calling thread and those it starts.

    Filters of warnings belong to the whole process, so a thread that decodes must not set them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


def decode(item: Item, modality: str) -> Image | str | Waveform:
    """The sample of an item: an RGB image, upright by its EXIF orientation, a text or a waveform.

    The README of this folder has a table of what becomes of odd files.

    Raises:
        DataError: the file cannot be read or is not what its name says.
    """
    if modality == "text":
        if not isinstance(item.value, str):
            raise DataError(f"'{item.name}' is not a text")
        if len(item.value) > MAX_CHARACTERS:
            raise DataError(f"'{item.name}' has more than {MAX_CHARACTERS} characters")
        return item.value
    if modality == "audio":
        return _recording(item)
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


def _recording(item: Item) -> Waveform:
    content = item.content()
    if isinstance(content, np.ndarray):
        return audio_array(content, item.name)
    if isinstance(content, str):
        raise DataError(f"'{item.name}' is a text where a recording is needed")
    return decode_audio(content, item.name)


def _file_content(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
                raise DataError(f"'{name}' is larger than {MAX_FILE_BYTES >> 20} MiB")
            return file.read()
    except OSError as error:
        raise DataError(f"'{name}': {error.strerror or error}") from error


def _from_bytes(content: bytes, name: str) -> Image:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            _check_size(image, name)
            fast = fast_jpeg(content, image)
            if fast is not None:
                return fast
            image.load()
            upright = ImageOps.exif_transpose(image)
            return _rgb(upright if upright is not None else image, name)
    except UnidentifiedImageError as error:
        raise DataError(f"'{name}' is not an image that can be read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"'{name}' would decode to too many pixels") from error
    except _DAMAGED as error:
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


def _rgb(image: Image, name: str) -> Image:
    from PIL import Image as Pillow

    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion would clip it to white
        grey = np.asarray(image)
        if grey.min() < 0 or grey.max() > 0xFFFF:
            raise DataError(f"'{name}' has more than 16 bits a pixel", hint=_SCALE)
        return Pillow.fromarray((grey >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise DataError(f"'{name}' has floating-point pixels, whose range is open", hint=_SCALE)
    if image.mode not in _MODES:
        raise DataError(f"'{name}' has pixels of mode {image.mode}", hint="convert it to RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
