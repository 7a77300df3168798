"""From a tap's output to one row a sample, over positions that count; or to a row for each."""

from __future__ import annotations

import numpy as np

from zoo.errors import SourceError

NUMERICS = 1  # raised whenever the same output would give other rows
POOLINGS = ("none", "mean", "cls", "last")


def pool(
    values: np.ndarray, mask: np.ndarray | None, *, pooling: str, layout: str, tap: str
) -> np.ndarray:
    """(b, d) float32 rows of a tap's output.

    Args:
        values: (b, d), (b, t, d), or with spatial axes (b, c, h, w) or (b, h, w, c).
        mask: (b, t), true where a position counts; None where all do.
        pooling: ``mean`` over positions, ``cls`` the first, ``last`` the last that counts, or
            ``none``, for outputs that have one position.
        layout: where the channels of 4-d outputs are: ``channels_first`` or ``channels_last``.
        tap: the output's name, for messages.

    Raises:
        SourceError: the output has several positions and pooling is ``none``, or no such axes.
    """
    if values.ndim < 2:
        raise SourceError(f"tap '{tap}' has shape {values.shape}: not one row a sample")
    if values.ndim > 3 and layout == "channels_first":
        values = np.moveaxis(values, 1, -1)
    batch, channels = values.shape[0], values.shape[-1]
    rows = values.reshape(batch, -1, channels)
    if rows.shape[1] == 1:
        return np.ascontiguousarray(rows[:, 0], dtype=np.float32)
    if pooling == "none":
        raise SourceError(
            f"tap '{tap}' has shape {values.shape}: {rows.shape[1]} positions a sample",
            hint="name a pooling: '#tap/mean', '#tap/cls' or '#tap/last'",
        )
    if mask is not None and mask.shape != rows.shape[:2]:
        raise SourceError(f"tap '{tap}': mask {mask.shape} does not fit output {rows.shape}")
    return np.asarray(_POOL[pooling](rows, mask), dtype=np.float32)


def positions(
    values: np.ndarray, mask: np.ndarray | None, *, layout: str, tap: str
) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of a tap's output at every position that counts, of all samples one by one.

    Args:
        values: (b, t, d), or with spatial axes (b, c, h, w) or (b, h, w, c), taken row by row.
        mask: as for `pool`.
        layout: as for `pool`.
        tap: the output's name, for messages.

    Returns:
        (sum t, d) float32, and offsets (b + 1,) int64: sample i has the vectors from offset i on.

    Raises:
        SourceError: the output has one vector a sample, or the mask does not fit it.
    """
    if values.ndim > 3 and layout == "channels_first":
        values = np.moveaxis(values, 1, -1)
    shape = values.shape
    if len(shape) < 3 or (len(shape) > 3 and all(axis == 1 for axis in shape[1:-1])):
        raise SourceError(
            f"tap '{tap}' has one vector a sample, and no tokens, patches or frames",
            hint="name a layer that has: SOURCE#last_hidden_state",
        )
    rows = values.reshape(shape[0], -1, shape[-1])
    if mask is None:
        counts = np.full(len(rows), rows.shape[1])
        vectors = rows.reshape(-1, shape[-1])
    else:
        if mask.shape != rows.shape[:2]:
            raise SourceError(f"tap '{tap}': mask {mask.shape} does not fit output {rows.shape}")
        counts, vectors = mask.sum(axis=1), rows[mask]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return np.ascontiguousarray(vectors, dtype=np.float32), offsets


def width(shape: tuple[int, ...], *, pooling: str, layout: str) -> int | None:
    """How many features `pool` makes of one sample's output of that shape; None where it refuses.

    Axes that differ from sample to sample are -1.
    """
    if not shape:
        return None
    channels_first = len(shape) > 2 and layout == "channels_first"
    channels = shape[0] if channels_first else shape[-1]
    positions = shape[1:] if channels_first else shape[:-1]
    if channels < 1 or (pooling == "none" and any(axis != 1 for axis in positions)):
        return None
    return channels


def _mean(rows: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    if mask is None:
        return np.asarray(rows.mean(axis=1, dtype=np.float64))
    weight = mask.astype(np.float64)
    total = np.einsum("btd,bt->bd", rows.astype(np.float64), weight)
    return np.asarray(total / np.maximum(weight.sum(axis=1, keepdims=True), 1.0))


def _first(rows: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    start = np.zeros(len(rows), np.int64) if mask is None else mask.argmax(axis=1)
    return np.asarray(rows[np.arange(len(rows)), start])


def _last(rows: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    length = rows.shape[1]
    end = (
        np.full(len(rows), length - 1)
        if mask is None
        else length - 1 - mask[:, ::-1].argmax(axis=1)
    )
    return np.asarray(rows[np.arange(len(rows)), end])


_POOL = {"mean": _mean, "cls": _first, "last": _last}
