"""Figures of how the head was chosen: loss against strength, score against samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.errors import DataError
from zoo.reports import svg
from zoo.reports.figure import Figure, Table
from zoo.reports.words import NONE, count, interval, metric_name, number


def strength_figure(path: Sequence[Mapping[str, Any]], chosen: float | None, head: str) -> Figure:
    """Held-out loss against the strengths that the head's search tried, with a line for each fold.

    Args:
        path: ``{"strength", "value", "low", "high", "folds"}``, the last three where they are
            known, null where a fit diverged.
        chosen: the strength of the head.
        head: its name, which decides what a strength is.

    Raises:
        DataError: fewer than two strengths have a loss.
    """
    steps = sorted((s for s in path if _finite(s.get("value"))), key=lambda s: s["strength"])
    if len(steps) < 2:
        raise DataError("fewer than two strengths were tried")
    at = [float(step["strength"]) for step in steps]
    values = [float(step["value"]) for step in steps]
    bands = [(_or(s.get("low"), s["value"]), _or(s.get("high"), s["value"])) for s in steps]
    count_of = max(len(s.get("folds") or ()) for s in steps)
    x = svg.Scale(at[0], at[-1], 52, 344, log=at[0] > 0)
    folds = [_fold(step, fold) for step in steps for fold in range(count_of)]
    drawn = [*values, *np.ravel(bands).tolist(), *(loss for loss in folds if loss is not None)]
    y = svg.Scale.around(drawn, 272, 24)
    what = _STRENGTHS.get(head, "strength of the penalty")
    marks = [
        svg.y_axis(y, 52, "loss", 344),
        svg.x_axis(x, 272, f"{what}{' (log scale)' if x.log else ''}", 272),
    ]
    low = [(x(s), y(b[0])) for s, b in zip(at, bands, strict=True)]
    high = [(x(s), y(b[1])) for s, b in zip(at, bands, strict=True)]
    marks.append(svg.path([*low, *high[::-1]], "band", closed=True))
    for number_of in range(count_of):
        of_fold = [(s["strength"], _fold(s, number_of)) for s in steps]
        curve = [(x(strength), y(loss)) for strength, loss in of_fold if loss is not None]
        if len(curve) > 1:
            marks.append(svg.path(curve, "curve fold"))
    marks.append(svg.path([(x(s), y(v)) for s, v in zip(at, values, strict=True)], "curve"))
    if chosen is not None and at[0] <= chosen <= at[-1]:
        end = "end" if x(chosen) > 200 else None
        aside = -6 if end else 6
        marks += [
            svg.line(x(chosen), 12, x(chosen), 272, "rule dashed"),
            svg.word(x(chosen) + aside, 20, f"chosen: {chosen:.2g}", "label main", end),
        ]
    for strength, value, band in zip(at, values, bands, strict=True):
        around_it = f" ({number(band[0])} to {number(band[1])})" if band[0] < band[1] else ""
        told = f"{strength:.2g}: loss {number(value)}{around_it}"
        marks.append(svg.mark(x(strength), y(value), told, "dot main", 3))
    each = f"; thin lines are the {count_of} folds" if count_of else ""
    rows = [
        (f"{s:.3g}", number(v), f"{number(b[0])} to {number(b[1])}" if b[0] < b[1] else NONE)
        for s, v, b in zip(at, values, bands, strict=True)
    ]
    return Figure(
        "strength",
        "Loss against strength",
        f"Held-out loss of each {what} that was tried, the lower the better. The band is one "
        f"standard error{each}.",
        svg.drawing(308, "Loss against strength", *marks),
        Table((what, "loss", "one standard error"), rows),
    )


def _fold(step: Mapping[str, Any], number_of: int) -> float | None:
    folds = step.get("folds") or ()
    loss = folds[number_of] if number_of < len(folds) else None
    return None if loss is None or not _finite(loss) else float(loss)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _or(value: Any, other: Any) -> float:
    return float(value if _finite(value) else other)


def learning_figure(
    metric: str, given: Sequence[Mapping[str, Any]], *, cut: float | None = None
) -> Figure:
    """The score of heads that are fitted on parts of the training rows.

    Args:
        metric: its name.
        given: ``{"rows", "value", "low", "high"}`` of each size.
        cut: the seconds after which no more was fitted, where that left sizes out.

    Raises:
        DataError: there are fewer than two points.
    """
    points = sorted(given, key=lambda point: point["rows"])
    if len(points) < 2:
        raise DataError("the learning curve has fewer than two points")
    metric = metric_name(metric)
    rows = [int(point["rows"]) for point in points]
    x = svg.Scale(rows[0], rows[-1], 52, 340, log=True)
    around = [float(point.get(key, point["value"])) for point in points for key in _RANGE]
    y = svg.Scale.around(around, 272, 24)
    marks = [svg.y_axis(y, 52, metric, 348)]
    taken = -100.0
    for n in rows:
        if x(n) - taken > 44:
            taken = x(n)
            marks.append(svg.word(taken, 286, count(n), "tick", "middle"))
    marks.append(svg.word(198, 302, "training rows (log scale)", "axis", "middle"))
    marks.append(svg.path([(x(p["rows"]), y(p["value"])) for p in points], "curve"))
    for point in points:
        at, low, high = x(point["rows"]), point.get("low"), point.get("high")
        told = f"{count(point['rows'], 'row')}: {metric} {number(point['value'])}"
        if low is not None and high is not None:
            marks.append(svg.line(at, y(low), at, y(high), "whisker main"))
            told += f" ({number(low)} to {number(high)})"
        marks.append(svg.mark(at, y(point["value"]), told, "dot main", 4))
    return Figure(
        "learning",
        "Learning curve",
        f"{metric.capitalize()} of heads fitted on part of the training rows, judged on the same "
        "rows; where the line still climbs, more samples would help."
        f"{'' if cut is None else f' Cut short after {cut:g} s: larger parts are missing.'}",
        svg.drawing(308, "Learning curve", *marks),
        Table(
            ("training rows", metric, "95\u00a0% interval"),
            [(count(p["rows"]), number(p["value"]), interval(p)) for p in points],
        ),
    )


_RANGE = ("low", "value", "high")
_STRENGTHS = {"knn": "number of neighbours", "lda": "shrinkage"}
