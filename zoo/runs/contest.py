"""Which rows a verdict is about: at most 2,000 to train on and 2,000 to judge, the same for all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.splits import strata_of
from zoo.data.stratify import units_of

if TYPE_CHECKING:
    from zoo.data.splits import SplitPlan
    from zoo.plugin import Dataset, Fold, Item, Target

MOST = 2_000  # rows to train on, and rows to judge


@dataclass(frozen=True, eq=False)
class Part:
    """One outer fit, in row numbers of its contest.

    Attributes:
        train: rows for fitting.
        held: rows that judge what was fitted.
        folds: (fit, held) inside `train`, for the choice of strength; the held rows of the first
            are the validation by which arms are chosen. Empty where no row can be held.
    """

    train: np.ndarray
    held: np.ndarray
    folds: tuple[Fold, ...]


@dataclass(frozen=True, eq=False)
class Contest:
    """The rows on which a transfer meets what it has to beat.

    Attributes:
        rows: (n,) row numbers of the dataset, in the order of their content's digests.
        items: the n samples.
        target: the n rows' own.
        modality: of the samples.
        parts: one, or with cross-validation one for each of the folds of one pass.
        units: (n,) numbers of groups and duplicates.
        digest: of content, targets and parts, as hex: equal where nothing would come out otherwise.
    """

    rows: np.ndarray
    items: tuple[Item, ...]
    target: Target
    modality: str
    parts: tuple[Part, ...]
    units: np.ndarray
    digest: str

    @property
    def judge(self) -> np.ndarray:
        """(m,) the contest's rows that judge, part by part."""
        return np.concatenate([part.held for part in self.parts])


def plan_contest(dataset: Dataset, keys: np.ndarray, plan: SplitPlan, seed: int) -> Contest:
    """The rows of a verdict, the same for the same samples, splits and seed in any order.

    A hold-out is judged as the run is, on a stratified draw of both sides where they are larger.
    With repeated folds one pass of them judges: each row once, by fits that did not see it. A
    learner can't be trained from scratch 25 times, and repeats add no rows.

    Args:
        dataset: n readable items.
        keys: (n, 16) uint8 digests of their content.
        plan: the run's own.
        seed: of the draws.
    """
    order = np.lexsort(keys.T[::-1])
    target, codes = dataset.target, None
    if target.task == "class":
        codes = target.values
    if plan.protocol == "cv":
        fits = [
            (fit, held, plan.inner(0, number, codes))
            for number, (fit, held) in enumerate(plan.repeats[0])
        ]
    else:
        judge = plan.judge
        fits = [
            (_draw(target, plan.final, order, seed), _draw(target, judge, order, seed), plan.folds)
        ]
    used = np.unique(np.concatenate([np.concatenate(fit[:2]) for fit in fits]))
    rows = order[np.isin(order, used)]
    place = np.full(len(dataset), -1, np.int64)
    place[rows] = np.arange(len(rows))
    parts = tuple(_part(place, fit, held, folds, codes) for fit, held, folds in fits)
    chosen = target.take(rows)
    groups = None if dataset.groups is None else dataset.groups[rows]
    return Contest(
        rows,
        tuple(dataset.items[row] for row in rows),
        chosen,
        dataset.modality,
        parts,
        units_of(keys[rows], groups),
        _digest(keys[rows], chosen, dataset.modality, parts),
    )


def _part(
    place: np.ndarray,
    fit: np.ndarray,
    held: np.ndarray,
    folds: tuple[Fold, ...],
    codes: np.ndarray | None,
) -> Part:
    """A part in the contest's numbers; of folds what is left of them in the rows drawn."""
    inside = np.zeros(len(place), np.bool_)
    inside[fit] = True
    inner = []
    for fit_on, judged in folds:
        some, others = fit_on[inside[fit_on]], judged[inside[judged]]
        if codes is not None:
            others = others[np.isin(codes[others], codes[some])]
        varied = len(some) > 1 and (codes is None or len(np.unique(codes[some])) > 1)
        if varied and len(others):
            inner.append((np.sort(place[some]), np.sort(place[others])))
    return Part(np.sort(place[fit]), np.sort(place[held]), tuple(inner))


def _draw(target: Target, rows: np.ndarray, order: np.ndarray, seed: int) -> np.ndarray:
    """At most `MOST` of the rows, each stratum in proportion and with one row at least."""
    if len(rows) <= MOST:
        return rows
    rows = order[np.isin(order, rows)]
    strata = strata_of(target, rows)
    shuffled = np.random.Generator(np.random.PCG64([seed, 7])).permutation(len(rows))
    by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]
    counts = np.bincount(strata)
    starts = np.cumsum(counts) - counts
    own = strata[by_stratum]
    # Evenly spaced places in [0, 1) inside each stratum: the lowest are its share of any number.
    places = (np.arange(len(rows)) - starts[own]) / counts[own]
    return rows[by_stratum[np.argsort(places, kind="stable")[:MOST]]]


def _digest(keys: np.ndarray, target: Target, modality: str, parts: tuple[Part, ...]) -> str:
    state = hashlib.sha256()
    arrays = [keys, target.values]
    for part in parts:
        arrays += [part.train, part.held, *(rows for fold in part.folds for rows in fold)]
    words = [modality, target.task, *target.names, *(str(len(part.folds)) for part in parts)]
    for word in words:
        state.update(f"{len(word)}:{word}".encode())
    for array in arrays:
        state.update(f"{array.dtype.str}{array.shape}".encode())
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()
