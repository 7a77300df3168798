"""The area under the ROC curve, of two classes, of several one against the rest, and of labels.

It is the chance that a row of the class is ranked above one that is not, ties counting half, as
scikit-learn's roc_auc_score has it. The variance is DeLong's (DeLong, DeLong and Clarke-Pearson
1988): that of each row's part in the area. It says nothing where the classes are told apart without
fault, and little where one has few rows; so the interval is a score interval (Newcombe 2006, part
2, method 5): it holds the areas that a test at 5 % does not reject, under a variance that follows
Hanley and McNeil's function of the area and is DeLong's at the value found, the more so the more
rows the rarer side has. Several areas are averaged by square-and-add (Zou and Donner 2008) with the
correlations of the rows' parts. For repeated cross-validation a row's part is its mean over the
repeats, and rows of all folds are ranked together, as in `zoo.metrics.classification`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from zoo.metrics.intervals import NORMAL_95

_DIGITS = 10  # of log odds: the sums of equal votes of other classes may round apart
_FEW = 10  # rows of the rarer side at which DeLong's variance counts for half
_HALVINGS = 50
_Curve = tuple[np.ndarray, np.ndarray]


def auroc_of_classes(stack: np.ndarray, codes: np.ndarray) -> dict[str, float] | None:
    """The mean over the classes that some row has and some has not, each ranked by its log odds.

    Args:
        stack: (r, n, k) scores whose softmax is the belief, r repeats over the same rows.
        codes: (n,) class codes. Two classes have one curve.

    Returns:
        ``{"value", "low", "high"}``; None where all rows are of one class.
    """
    return _mean_area(_of_classes(stack, codes))


def auroc_of_labels(stack: np.ndarray, there: np.ndarray) -> dict[str, float] | None:
    """The same over labels, by (r, n, l) log odds and (n, l) bool."""
    return _mean_area((stack[:, :, j], there[:, j]) for j in range(there.shape[1]))


def _of_classes(stack: np.ndarray, codes: np.ndarray) -> Iterator[_Curve]:
    """Each class's (r, n) log odds against all others, and its (n,) rows.

    Probabilities themselves would tie where they round to 1.
    """
    k = stack.shape[2]
    if k == 2:
        yield _rounded(stack[:, :, 1] - stack[:, :, 0]), codes == 1
        return
    best = stack.argmax(axis=2)
    top = stack.max(axis=2)
    total = np.exp(stack - top[..., None]).sum(axis=2)
    rest = stack.copy()
    np.put_along_axis(rest, best[..., None], -np.inf, axis=2)
    second = rest.max(axis=2)
    some = np.isfinite(second)  # else all other classes are ruled out
    base = np.where(some, second, 0.0)
    with np.errstate(divide="ignore"):
        others = base + np.log(np.exp(rest - base[..., None]).sum(axis=2))
    for code in range(k):
        own = stack[:, :, code]
        without = top + np.log(np.maximum(total - np.exp(own - top), 1.0))
        yield _rounded(own - np.where(best == code, others, without)), codes == code


def _rounded(odds: np.ndarray) -> np.ndarray:
    return np.asarray(np.round(odds, _DIGITS))


def _mean_area(curves: Iterable[_Curve]) -> dict[str, float] | None:
    areas: list[float] = []
    below: float | np.ndarray = 0.0  # of each row, its part in how far the low bound lies off
    above: float | np.ndarray = 0.0
    alone = np.zeros(2)  # squared distances of bounds in which no row has a part
    for scores, there in curves:
        m, n = int(there.sum()), int((~there).sum())
        if not m or not n:
            continue
        pairs = [_area(one, there) for one in scores]
        area = float(np.mean([value for value, _ in pairs]))
        parts = np.mean([part for _, part in pairs], axis=0)
        variance = float(parts @ parts)
        low, high = _score_interval(area, variance, m, n)
        areas.append(area)
        if variance > 0.0:
            below = below + parts * ((area - low) / math.sqrt(variance))
            above = above + parts * ((high - area) / math.sqrt(variance))
        else:
            alone += (area - low) ** 2, (high - area) ** 2
    if not areas:
        return None
    value = float(np.mean(areas))
    off = [
        math.sqrt(float(np.sum(np.square(part))) + extra) / len(areas)
        for part, extra in zip((below, above), alone.tolist(), strict=True)
    ]
    return {"value": value, "low": max(0.0, value - off[0]), "high": min(1.0, value + off[1])}


def _area(scores: np.ndarray, there: np.ndarray) -> tuple[float, np.ndarray]:
    """The area, and (n,) parts of the rows in it, whose squares add up to DeLong's variance."""
    yes, no = scores[there], scores[~there]
    m, n = len(yes), len(no)
    beaten = _share_below(np.sort(no), yes)
    beating = 1.0 - _share_below(np.sort(yes), no)
    area = float(beaten.mean())
    parts = np.empty(m + n)
    parts[there] = (beaten - area) / math.sqrt(m * max(1, m - 1))
    parts[~there] = (beating - area) / math.sqrt(n * max(1, n - 1))
    return area, parts


def _share_below(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) share of `ordered` below each value, equal ones counting half."""
    left = np.searchsorted(ordered, values, side="left")
    right = np.searchsorted(ordered, values, side="right")
    return np.asarray((left + right) / (2.0 * len(ordered)))


def _score_interval(area: float, variance: float, m: int, n: int) -> tuple[float, float]:
    """The areas of a model with m rows of the class and n others that `area` does not reject."""
    modelled = _modelled(area, m, n)
    scale = 1.0
    if variance > 0.0 and modelled > 0.0:
        fewer = min(m, n)
        scale = (variance / modelled) ** (fewer / (fewer + _FEW))
    ends = []
    for outside in (0.0, 1.0):
        inside, beyond = area, outside
        for _ in range(_HALVINGS):
            middle = (inside + beyond) / 2
            far = abs(area - middle) > NORMAL_95 * math.sqrt(scale * _modelled(middle, m, n))
            inside, beyond = (inside, middle) if far else (middle, beyond)
        ends.append(inside)
    return ends[0], ends[1]


def _modelled(area: float, m: int, n: int) -> float:
    """Hanley and McNeil's variance, made symmetric as Newcombe does."""
    half = (m + n) / 2 - 1
    spread = 1 + half * (1 - area) / (2 - area) + half * area / (1 + area)
    return area * (1 - area) / (m * n) * spread
