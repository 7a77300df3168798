"""What the report has computed for it on stored features: maps, doubtful labels, a curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo import settings
from zoo.reports import curve, embedding, rows
from zoo.reports.maps import Layout
from zoo.reports.suspects import suspects as find_suspects
from zoo.reports.words import percent

if TYPE_CHECKING:
    import numpy as np

    from zoo.plugin import Dataset
    from zoo.reports.rows import RunRows
    from zoo.reports.suspects import Suspect
    from zoo.runs import Run

_CURVE_SECONDS = 20.0  # no refit of a learning curve is begun later


def layouts(
    features: np.ndarray, seed: int, codes: np.ndarray | None, most: int
) -> tuple[np.ndarray, list[Layout]]:
    """The maps of (m, d) features: numbers of the rows that are shown, and where they lie."""
    found = embedding.embedding_map(features, seed, codes=codes, most=most)
    share = percent(sum(found.explained))
    note = f"The two directions in which features differ most; they hold {share} of the variance."
    maps = [Layout("Principal components", note, found.pca)]
    if found.neighbours is not None:
        note = "By t-SNE: who is near is alike; how far groups are apart says little."
        maps.append(Layout("Neighbours", note, found.neighbours))
    return found.rows, maps


def rows_in(run: Run, dataset: Dataset) -> RunRows:
    """All labelled samples of a run with their features, from its data opened again."""
    return rows.rows_in(run, dataset)


def suspects(run: Run, given: RunRows, most: int) -> list[Suspect]:
    """The samples whose labels are most likely wrong."""
    return find_suspects(run, given, most, threads=settings.threads())


def learning_curve(
    run: Run, given: RunRows
) -> tuple[str, Sequence[Mapping[str, Any]], float | None]:
    """The metric, its values of heads on parts of the training rows, and what cut it short."""
    threads = settings.threads()
    found = curve.learning_curve(run, given, seconds=_CURVE_SECONDS, threads=threads)
    return found.metric, found.points, None if found.complete else _CURVE_SECONDS
