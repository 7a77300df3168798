"""Finds a run's samples in its data, opened again, and shows them small: pictures and texts."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from zoo import settings
from zoo.engine import sample_digest
from zoo.errors import DataError
from zoo.preprocess.decode import decode, quiet_decoding
from zoo.reports.judged import plain_cell
from zoo.reports.words import LONGEST_TEXT, shown
from zoo.runs.folder import safe_cell

if TYPE_CHECKING:
    from PIL.Image import Image

    from zoo.plugin import Dataset, Item

_GALLERY = 132  # pixels a side: sharp at the 96 pixels that it is shown with
TILE = 64
_ACROSS = 32  # tiles beside each other in a sheet
_SHEET_BYTES = 900_000
_QUALITIES = (70, 55, 40, 25, 12)
_T = TypeVar("_T")
Sample = tuple[str, bytes]  # its name and its content's digest


@dataclass(frozen=True)
class Shown:
    """A sample as the report shows it: a picture as a data URI, or a text, or neither."""

    picture: str = ""
    text: str = ""


@dataclass(frozen=True)
class Sheet:
    """Many small pictures in one: `places` has each sample's tile, -1 where it has none."""

    uri: str = ""
    places: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    tile: int = TILE
    across: int = _ACROSS


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of a run, each shown only if its content is still what the run was made of.

    Attributes:
        absent: why none can be shown, in one line; empty where they can.
        modality: ``image``, ``text`` or ``audio``.
    """

    modality: str = ""
    absent: str = ""
    _items: dict[str, list[Item]] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset) -> Samples:
        """Those of a run's data, opened again."""
        items: dict[str, list[Item]] = {}
        for item in dataset.items:
            items.setdefault(plain_cell(safe_cell(item.name)), []).append(item)
        return cls(dataset.modality, "", items)

    def show(self, samples: Sequence[Sample]) -> list[Shown]:
        """Samples of a size for a gallery."""
        return self._each(samples, self._shown)

    def sheet(self, samples: Sequence[Sample]) -> Sheet:
        """One picture of their tiles, as good as its bytes allow; empty for texts."""
        if self.modality == "text" or self.absent:
            return Sheet()
        tiles = self._each(samples, lambda sample: self._picture(sample, TILE))
        there = [tile for tile in tiles if tile is not None]
        if not there:
            return Sheet()
        places = np.cumsum([tile is not None for tile in tiles]) - 1
        places[[tile is None for tile in tiles]] = -1
        return Sheet(_sheet(there), places)

    def texts(self, samples: Sequence[Sample], longest: int) -> list[str]:
        """Their texts, each cut; empty where they are none."""
        if self.modality != "text":
            return [""] * len(samples)
        return [shown(self._text(sample), longest) for sample in samples]

    def _each(self, samples: Sequence[Sample], what: Callable[[Sample], _T]) -> list[_T]:
        with quiet_decoding(), ThreadPoolExecutor(settings.threads()) as pool:
            return list(pool.map(what, samples))

    def _shown(self, sample: Sample) -> Shown:
        if self.modality == "text":
            return Shown(text=shown(self._text(sample), LONGEST_TEXT))
        image = self._picture(sample, _GALLERY)
        return Shown() if image is None else Shown(picture=_data_uri(image, 78))

    def _item(self, sample: Sample) -> Item | None:
        """The item of the name that still has the content."""
        name, key = sample
        for item in self._items.get(name, ()):
            try:
                if sample_digest(item.content()) == key:
                    return item
            except DataError:
                continue
        return None

    def _text(self, sample: Sample) -> str:
        item = self._item(sample)
        return item.value if item is not None and isinstance(item.value, str) else ""

    def _picture(self, sample: Sample, side: int) -> Image | None:
        item = self._item(sample)
        if item is None:
            return None
        try:
            found: Any = decode(item, self.modality)
        except DataError:
            return None
        return _drawn(found.samples, side) if self.modality == "audio" else _fitted(found, side)


def _fitted(image: Image, side: int) -> Image:
    """A picture within a square, its own shape kept; small ones grow by whole pixels."""
    from PIL import Image as Pillow

    larger = side // max(image.size)
    if larger > 1:
        return image.resize(
            (image.width * larger, image.height * larger), Pillow.Resampling.NEAREST
        )
    small = image.copy()
    small.thumbnail((side, side), Pillow.Resampling.BICUBIC, reducing_gap=2.0)
    return small


def _drawn(wave: np.ndarray, side: int) -> Image:
    """A recording as its envelope: how loud it is from start to end."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    image = Pillow.new("RGB", (side, side), (246, 246, 244))
    draw = ImageDraw.Draw(image)
    parts = np.array_split(np.abs(np.ravel(wave)), side)
    peaks = np.array([float(part.max()) if len(part) else 0.0 for part in parts])
    heights = peaks / (peaks.max() or 1.0) * (side / 2 - 2)
    for x, height in enumerate(heights.tolist()):
        draw.line((x, side / 2 - height, x, side / 2 + height), fill=(45, 98, 158))
    return image


def _sheet(tiles: Sequence[Image]) -> str:
    from PIL import Image as Pillow

    rows = -(-len(tiles) // _ACROSS)
    sheet = Pillow.new("RGB", (TILE * min(len(tiles), _ACROSS), TILE * rows), (255, 255, 255))
    for number, tile in enumerate(tiles):
        row, column = divmod(number, _ACROSS)
        left, top = (TILE - tile.width) // 2, (TILE - tile.height) // 2
        sheet.paste(tile, (column * TILE + left, row * TILE + top))
    for quality in _QUALITIES:
        uri = _data_uri(sheet, quality)
        if len(uri) <= _SHEET_BYTES:
            break
    return uri


def _data_uri(image: Image, quality: int) -> str:
    out = io.BytesIO()
    # Of the file there is nothing but its pixels: Pillow would keep a comment.
    image.save(out, "JPEG", quality=quality, optimize=True, comment=b"")
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
