"""Finds the samples whose labels are likely wrong, by what heads say that did not see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UsageError
from zoo.reports.held_out import held_out

if TYPE_CHECKING:
    from zoo.reports.rows import RunRows
    from zoo.runs import Run


@dataclass(frozen=True)
class Suspect:
    """A sample whose label is likely wrong.

    Attributes:
        row: its number in the `RunRows`.
        name: what people call it.
        split: where it is; a wrong label in train harms the head, one in test the score.
        label: what the data says.
        suggestion: what heads that did not see it say.
        probability: the label's, by these heads.
        suggested: the suggestion's.
    """

    row: int
    name: str
    split: str
    label: str
    suggestion: str
    probability: float
    suggested: float


def suspects(
    run: Run,
    rows: RunRows,
    most: int | None = None,
    *,
    probabilities: np.ndarray | None = None,
    threads: int = 1,
) -> list[Suspect]:
    """Labels of any split that are likely wrong, likeliest first; see `suspicious`.

    Of several labels each is looked at alone, as there or not there. There are none of numbers.

    Args:
        run: the run.
        rows: its samples.
        most: at most so many.
        probabilities: (n, k) as `held_out` gives them, where they are at hand.
        threads: upper bound, where they are not.
    """
    if run.task == "regression":
        return []
    chances = held_out(run, rows, threads=threads) if probabilities is None else probabilities
    names, values = run.names, rows.target.values
    found: list[Suspect] = []

    def add(row: int, label: str, suggestion: str, chance: float, other: float) -> None:
        name, split = rows.dataset.items[row].name, str(rows.split[row])
        found.append(Suspect(row, name, split, label, suggestion, chance, other))

    if run.task == "class":
        for row, other in zip(*suspicious(chances, values), strict=True):
            chance, better = float(chances[row, values[row]]), float(chances[row, other])
            add(int(row), names[values[row]], names[other], chance, better)
    else:
        for j, name in enumerate(names):
            pair = np.stack([1.0 - chances[:, j], chances[:, j]], axis=1)
            said = (f"not {name}", name)
            for row, other in zip(*suspicious(pair, values[:, j]), strict=True):
                chance, better = float(pair[row, 1 - other]), float(pair[row, other])
                add(int(row), said[1 - other], said[other], chance, better)
    found.sort(key=lambda one: (one.probability - one.suggested, one.row))
    return _distinct(rows, found)[:most]


def suspicious(probabilities: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers whose class is likely wrong, likeliest first, and the class that each likely is.

    Confident learning (Northcutt, Jiang, Chuang 2021). A row counts as of class j where its
    probability of j is at least the mean of those of the rows labelled j, of several such the
    likeliest: thresholds make up for heads that are surer of some classes than of others. Of the
    rows labelled i that count, the share of other classes says how many of all rows labelled i are
    wrong; so many are named, by the margin of the likeliest other class, and none whose own label
    is the likeliest.

    Args:
        probabilities: (n, k) by heads that did not see the rows; rows with NaN are left out.
        codes: (n,) classes by the labels.

    Raises:
        UsageError: shapes or codes do not fit.
    """
    chances, codes = np.asarray(probabilities, np.float64), np.asarray(codes, np.int64)
    fits = chances.ndim == 2 and codes.shape == chances.shape[:1]
    if not fits or ((codes < 0) | (codes >= chances.shape[1])).any():
        raise UsageError(f"probabilities {chances.shape} do not fit {codes.shape} classes")
    rows = np.flatnonzero(np.isfinite(chances).all(axis=1))
    p, own = chances[rows], codes[rows]
    given = p[np.arange(len(rows)), own]
    others = p.copy()
    others[np.arange(len(rows)), own] = -np.inf
    margin = others.max(axis=1, initial=-np.inf) - given
    found = []
    for label, wrong in enumerate(_wrong(p, own, given).tolist()):
        there = np.flatnonzero((own == label) & (margin > 0.0))
        found.append(there[np.argsort(-margin[there], kind="stable")[:wrong]])
    each = np.concatenate([np.empty(0, np.int64), *found])
    each = each[np.lexsort((each, -margin[each]))]
    return rows[each], others[each].argmax(axis=1)


def _wrong(p: np.ndarray, own: np.ndarray, given: np.ndarray) -> np.ndarray:
    """(k,) int64: how many rows of each label are likely of another class."""
    k = p.shape[1]
    count = np.bincount(own, minlength=k)
    # A class without rows has no threshold to pass.
    sums, none = np.bincount(own, given, minlength=k), np.full(k, np.inf)
    confident = np.where(p >= np.divide(sums, count, out=none, where=count > 0), p, -np.inf)
    counted = np.isfinite(confident.max(axis=1, initial=-np.inf))
    off = counted & (confident.argmax(axis=1) != own)
    whole, part = (np.bincount(own[some], minlength=k) for some in (counted, off))
    share = np.divide(part, whole, out=np.zeros(k), where=whole > 0)
    return np.rint(share * count).astype(np.int64)


def _distinct(rows: RunRows, found: list[Suspect]) -> list[Suspect]:
    """Without byte-identical samples that say the same again."""
    seen, out = set(), []
    for one in found:
        what = (rows.keys[one.row].tobytes(), one.label)
        if what not in seen:
            seen.add(what)
            out.append(one)
    return out
