"""What the report has computed for it on stored features: maps, doubtful labels, a curve."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import settings
from zoo.errors import DataError
from zoo.reports.maps import Layout
from zoo.reports.words import percent

if TYPE_CHECKING:
    from zoo.runs import Run

_CURVE_SECONDS = 20.0  # no refit of a learning curve is begun later


def layouts(
    features: np.ndarray, seed: int, codes: np.ndarray | None, most: int
) -> tuple[np.ndarray, list[Layout]]:
    """The maps of (m, d) features: numbers of the rows that are shown, and where they lie."""
    found = _function("zoo.reports.embedding", "embedding_map")(
        features, seed, codes=codes, most=most
    )
    share = percent(sum(found.explained))
    note = f"The two directions in which features differ most; they hold {share} of the variance."
    maps = [Layout("Principal components", note, found.pca)]
    if found.neighbours is not None:
        note = "By t-SNE: who is near is alike; how far groups are apart says little."
        maps.append(Layout("Neighbours", note, found.neighbours))
    return np.asarray(found.rows), maps


def run_rows(run: Run, data: str) -> Any:
    """All labelled samples of a run with their features, the data read again."""
    return _function("zoo.reports.rows", "run_rows")(run, data or None)


def suspects(run: Run, rows: Any, most: int) -> list[Any]:
    """The samples whose labels are most likely wrong."""
    find = _function("zoo.reports.suspects", "suspects")
    return list(find(run, rows, most, threads=settings.threads()))


def learning_curve(run: Run, rows: Any) -> tuple[str, Sequence[Mapping[str, Any]]]:
    """The metric, and its values of heads on parts of the training rows."""
    threads = settings.threads()
    found = _function("zoo.reports.curve", "learning_curve")(
        run, rows, seconds=_CURVE_SECONDS, threads=threads
    )
    return found.metric, found.points


def _function(module: str, name: str) -> Callable[..., Any]:
    """A function of a module that this version may not have."""
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DataError("this version does not compute it") from error
    return found
