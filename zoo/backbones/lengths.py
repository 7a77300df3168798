"""Runs recordings of different lengths without padding them: one pass for each length.

Padding a batch is harmless only where a backbone masks what was padded. Where it can't, zeros enter
its statistics, and a recording's features would depend on its neighbours in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from zoo.plugin import Features


def by_length(
    batch: Sequence[np.ndarray],
    run: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    *,
    most: int | None = None,
) -> dict[str, Features]:
    """The outputs for all, in their order, as if each had been run alone.

    Args:
        batch: b arrays of shape (n,), n of each its own.
        run: from (k, n), all of one length, to (k, d) or (k, t, ...) of each tap, by its name.
        most: the greatest k; None for any.

    Returns:
        Of each tap (b, d); or (b, t, ...) with zeros behind shorter outputs, and the mask of what
        counts, (b, t), where there are any.
    """
    lengths = np.array([len(one) for one in batch])
    outputs: dict[str, dict[int, np.ndarray]] = {}
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        step = most or len(same)
        for some in (same[i : i + step] for i in range(0, len(same), step)):
            for name, values in run(np.stack([batch[i] for i in some])).items():
                outputs.setdefault(name, {}).update(zip(some.tolist(), values, strict=True))
    return {name: _together([rows[i] for i in range(len(batch))]) for name, rows in outputs.items()}


def _together(rows: list[np.ndarray]) -> Features:
    positions = np.array([row.shape[0] for row in rows])
    if rows[0].ndim == 1 or (positions == positions[0]).all():
        return Features(np.stack(rows))
    padded = np.zeros((len(rows), positions.max(), *rows[0].shape[1:]), rows[0].dtype)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return Features(padded, np.arange(positions.max()) < positions[:, None])
