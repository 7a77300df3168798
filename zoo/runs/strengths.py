"""The path of a head's search, as plain values: what each strength lost on held-out rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from zoo.plugin import SearchResult


def strength_path(search: SearchResult) -> list[dict[str, Any]]:
    """For each strength, strongest first, its held-out loss and how that differs between folds.

    Returns:
        Objects of ``strength``; ``value``, the mean loss over all judged rows; ``low`` and
        ``high``, one standard error over the folds to either side (Breiman et al. 1984), both null
        for less than two folds; ``folds``, the mean loss of each. Losses are log losses, or of
        numbers squared errors in units of their variance; null where a fit diverged.
    """
    if search.losses is None or not len(search.strengths):
        return []
    folds = search.fold_losses
    if folds is None:
        folds = np.empty((0, len(search.strengths)))
    out = []
    for s, strength in enumerate(search.strengths):
        value, own = float(search.losses[s]), folds[:, s]
        there = own[np.isfinite(own)]
        error = float(there.std(ddof=1) / np.sqrt(len(there))) if len(there) > 1 else np.nan
        out.append(
            {
                "strength": float(strength),
                "value": _plain(value),
                "low": _plain(value - error),
                "high": _plain(value + error),
                "folds": [_plain(float(loss)) for loss in own],
            }
        )
    return out


def _plain(value: float) -> float | None:
    """JSON has no NaN."""
    return value if np.isfinite(value) else None
