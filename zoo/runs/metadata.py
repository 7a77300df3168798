"""Whether what is known of files without reading them tells their labels: size, extension, shape.

A backbone sees how files were made along with what they show. For each attribute a rule (one value
or one of 8 ranges of a number, one class: Holte's 1R, 1993) is learnt on four fifths of the
different samples and judged on the rest, five times over. It counts where it beats the commonest
class by McNemar's exact test at 0.001 shared by all attributes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.names import modality_of
from zoo.metrics.paired import Paired
from zoo.plugin import Blob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.plugin import Item

LEVEL = 0.001
_FOLDS = 5
_RANGES = 8
_VALUES = 100  # the others count as one
_MIN_ROWS = 40


@dataclass(frozen=True)
class Telling:
    """An attribute that tells labels.

    Attributes:
        attribute: what it is, in words.
        accuracy: of the rule, on rows that it was not learnt on.
        majority: of the commonest class.
        rows: that were judged.
        p: McNemar's, for this attribute alone.
    """

    attribute: str
    accuracy: float
    majority: float
    rows: int
    p: float

    @property
    def lift(self) -> float:
        """The share of the commonest class's errors that the rule does not make."""
        return (self.accuracy - self.majority) / (1.0 - self.majority)


def telling_attributes(items: Sequence[Item], codes: np.ndarray, seed: int) -> list[Telling]:
    """The attributes that tell the classes, the best first.

    Args:
        items: n different samples; no file is opened, sizes are the file system's.
        codes: (n,) classes.
        seed: of the folds.
    """
    if len(items) < _MIN_ROWS or len(np.unique(codes)) < 2:
        return []
    found = attributes(items)
    rng = np.random.Generator(np.random.PCG64(seed))
    fold = rng.permutation(len(items)) % _FOLDS
    codes = np.unique(codes, return_inverse=True)[1]
    out = []
    for name, values in found.items():
        told = _told(name, values, codes, fold)
        if told.accuracy > told.majority and told.p < LEVEL / len(found):
            out.append(told)
    return sorted(out, key=lambda told: -told.accuracy)


def attributes(items: Sequence[Item]) -> dict[str, np.ndarray]:
    """(n,) numbers or texts by attribute, of those that every item has and that vary."""
    found: dict[str, list[int | None] | list[str | None]] = {
        "file size": [_size(item) for item in items],
        "file extension": [_extension(item) for item in items],
        "shape": [_shape(item) for item in items],
    }
    arrays = {name: np.array(values) for name, values in found.items() if None not in values}
    return {name: values for name, values in arrays.items() if (values != values[0]).any()}


def _size(item: Item) -> int | None:
    value = item.value
    if isinstance(value, Path):
        try:
            return value.stat().st_size
        except OSError:
            return None
    size = len(value) if isinstance(value, bytes) else getattr(value, "size", None)
    return size if isinstance(value, Blob | bytes) and isinstance(size, int) else None


def _extension(item: Item) -> str | None:
    name = item.name.lower()
    return os.path.splitext(name)[1] if modality_of(name) else None  # noqa: PTH122 - a name


def _shape(item: Item) -> str | None:
    shape = item.value.shape if isinstance(item.value, np.ndarray) else None
    return None if shape is None else "x".join(map(str, shape))


def _told(name: str, values: np.ndarray, codes: np.ndarray, fold: np.ndarray) -> Telling:
    guessed = codes == np.bincount(codes).argmax()
    right = np.zeros(len(codes), np.bool_)
    for number in range(_FOLDS):
        held = fold == number
        right[held] = _judged(values, codes, held)
    paired = Paired.of(guessed, right)
    return Telling(name, float(right.mean()), float(guessed.mean()), len(codes), paired.p_value())


def _by_frequency(values: np.ndarray) -> np.ndarray:
    """(n,) numbers of the values, the most frequent 0."""
    _, kind, counts = np.unique(values, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.asarray(rank[kind])


def _judged(values: np.ndarray, codes: np.ndarray, held: np.ndarray) -> np.ndarray:
    """(h,) whether the commonest class of the like among the other rows is right."""
    kind = values
    if values.dtype.kind in "iuf":
        edges = np.quantile(values[~held], np.arange(1, _RANGES) / _RANGES)
        kind = np.searchsorted(edges, values, side="right")
    kind = np.minimum(_by_frequency(kind), _VALUES)
    classes = int(codes.max()) + 1
    counts = np.bincount(kind[~held] * classes + codes[~held], minlength=classes * (kind.max() + 1))
    table = counts.reshape(-1, classes)
    common = table.sum(axis=0).argmax()
    best = np.where(table.any(axis=1), table.argmax(axis=1), common)
    return np.asarray(codes[held] == best[kind[held]])
