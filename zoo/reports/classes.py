"""Figures of runs that predict one class: confusions, honesty of probabilities, classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from zoo.metrics.intervals import wilson
from zoo.reports import svg
from zoo.reports.calibration import Reliability, reliability
from zoo.reports.figure import Figure, Table
from zoo.reports.verdict import forest
from zoo.reports.words import count, interval, number, percent, shown

if TYPE_CHECKING:
    from zoo.reports.judged import Judged

_MOST_CLASSES = 25  # a matrix of more has cells too small to read
_MOST_PAIRS = 15
_NUMBERED = 12  # classes up to which the count stands in each cell


def confusion_counts(judged: Judged) -> np.ndarray:
    """(k, k) counts of rows by true and by predicted class."""
    k = len(judged.names)
    return np.bincount(judged.truth * k + judged.predicted, minlength=k * k).reshape(k, k)


def confusion_figure(counts: np.ndarray, names: Sequence[str]) -> Figure:
    """The confusion matrix; of more than 25 classes the pairs that are confused most.

    Args:
        counts: (k, k) by true and by predicted class; of repeated folds means over the repeats.
        names: the k classes, fit to be shown.
    """
    k = len(names)
    if k > _MOST_CLASSES:
        return _pairs(counts, names)
    rows = [
        (names[i], *(rows_of(c, bare=True) for c in row), percent(_recall(row, i)))
        for i, row in enumerate(counts.tolist())
    ]
    return Figure(
        "confusion",
        "Confusion matrix",
        f"True classes downwards, predicted ones across, {rows_of(counts.sum())} in all; a cell is "
        "as dark as its share of its true class.",
        _matrix(counts, names),
        Table(("true \\ predicted", *names, "recall"), rows),
        wide=k > _NUMBERED,
    )


def rows_of(value: float, *, bare: bool = False) -> str:
    """A count of rows; means over repeated folds have a decimal where they need one."""
    whole = round(float(value), 1)
    text = f"{whole:,.0f}" if whole == int(whole) else f"{whole:,.1f}"
    return text if bare else f"{text} {'row' if whole == 1 else 'rows'}"


def _recall(row: list[float], i: int) -> float | None:
    return row[i] / sum(row) if sum(row) else None


def _matrix(counts: np.ndarray, names: Sequence[str]) -> Markup:
    k = len(names)
    longest = max(len(svg.cut(name, 12)) for name in names)
    left, top = 92.0, 32.0 + (4.6 * longest if longest > 3 else 6.0)
    side = (svg.WIDTH - left - 4) / max(k, 4)
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    class_ = "tick" if k <= 16 else "tick small"
    marks = [
        svg.word(left - 8, top - 8, "true ↓", "axis", "end"),
        svg.word(left, 10, "predicted →", "axis"),
    ]
    for i, name in enumerate(names):
        middle = left + side * (i + 0.5)
        turned = f"rotate(-48 {middle:.1f} {top - 6:.1f})" if longest > 3 else None
        marks += [
            svg.word(left - 8, top + side * (i + 0.5) + 4, svg.cut(name, 13), class_, "end"),
            svg.tag(
                "text",
                svg.cut(name, 12),
                x=middle,
                y=top - 6,
                class_=class_,
                transform=turned,
                text_anchor=None if turned else "middle",
            ),
        ]
    for i, j in np.ndindex(k, k):
        n, part = float(counts[i, j]), float(share[i, j])
        x, y = left + side * j, top + side * i
        told = f"{names[i]} predicted as {names[j]}: {rows_of(n)}, {percent(part)} of the class"
        marks.append(
            svg.tag(
                "rect",
                x=x + 0.75,
                y=y + 0.75,
                width=side - 1.5,
                height=side - 1.5,
                rx=min(3.0, side / 8),
                class_="cell right" if i == j else "cell wrong" if n else "cell empty",
                fill_opacity=f"{0.12 + 0.88 * part:.2f}" if n else None,
                data_tip=told,
            )
        )
        if k <= _NUMBERED and n:
            inked = "count light" if part > 0.55 else "count"
            marks.append(
                svg.word(x + side / 2, y + side / 2 + 4, rows_of(n, bare=True), inked, "middle")
            )
    told = f"Confusion matrix of {k} classes"
    return svg.drawing(top + side * k + 4, told, *marks, class_="matrix")


def _pairs(counts: np.ndarray, names: Sequence[str]) -> Figure:
    k = len(names)
    off = counts.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:_MOST_PAIRS]
    pairs = [(*divmod(int(at), k), float(off.flat[at])) for at in order if off.flat[at]]
    scale = svg.Scale(0, max((n for _, _, n in pairs), default=1), 0, svg.WIDTH - 40)
    marks = []
    for row, (i, j, n) in enumerate(pairs):
        y = 34.0 * row
        told = f"{names[i]} predicted as {names[j]}: {rows_of(n)}"
        marks += [
            svg.word(0, y + 12, svg.cut(f"{names[i]} → {names[j]}", 52), "label"),
            svg.tag(
                "rect", x=0, y=y + 17, width=scale(n), height=8, rx=2, class_="bar", data_tip=told
            ),
            svg.word(scale(n) + 6, y + 25, rows_of(n, bare=True), "value"),
        ]
    return Figure(
        "confusion",
        "The most confused classes",
        f"True class → predicted class, the {len(pairs)} most frequent confusions of {k} classes; "
        f"{rows_of(off.sum(), bare=True)} of {rows_of(counts.sum())} are confused.",
        svg.drawing(34.0 * max(1, len(pairs)) + 4, "The most confused classes", *marks),
        Table(
            ("true", "predicted", "rows", "share of the true class"),
            [
                (names[i], names[j], rows_of(n, bare=True), percent(n / counts[i].sum()))
                for i, j, n in pairs
            ],
        ),
    )


def reliability_figure(judged: Judged) -> Figure:
    """How often predictions of a confidence are right, against that confidence."""
    found = reliability(judged.chances, judged.truth == judged.predicted)
    return reliability_diagram(
        found,
        f"The calibration error is {number(found.ece)}. On the diagonal, a confidence is the share "
        f"that is right. Whiskers are 95\u00a0% intervals, bars the rows of each point, "
        f"{count(len(judged))} in all.",
        "confidence of the prediction",
        "share right",
    )


def reliability_diagram(found: Reliability, note: str, x_label: str, y_label: str) -> Figure:
    """Observed shares against stated probabilities, with the rows of each bin below."""
    x, y = svg.Scale(0, 1, 44, 344), svg.Scale(0, 1, 232, 24)
    bars = svg.Scale(0, int(found.counts.max()), 0, 44)
    marks = [
        svg.y_axis(y, 44, y_label, 344),
        svg.x_axis(x, 292, "", 292),
        svg.line(x(0), y(0), x(1), y(1), "rule dashed"),
        svg.word(194, 322, x_label, "axis", "middle"),
    ]
    rows, linked = [], []
    for b in np.flatnonzero(found.counts).tolist():
        n, stated, seen = int(found.counts[b]), float(found.confidence[b]), float(found.accuracy[b])
        low, high = float(found.low[b]), float(found.high[b])
        told = (
            f"stated {percent(stated)}, happened {percent(seen)} "
            f"({percent(low)} to {percent(high)}), {count(n, 'row')}"
        )
        left, right = x(found.edges[b]), x(found.edges[b + 1])
        linked.append((x(stated), y(seen)))
        marks += [
            svg.tag(
                "rect",
                x=left + 1,
                y=288 - bars(n),
                width=right - left - 2,
                height=max(1.0, bars(n)),
                class_="bar quiet",
            ),
            svg.line(x(stated), y(low), x(stated), y(high), "whisker main"),
            svg.mark(x(stated), y(seen), told, "dot main", 4.5),
        ]
        rows.append(
            (
                f"{found.edges[b]:.2f} to {found.edges[b + 1]:.2f}",
                number(stated),
                number(seen),
                interval({"low": low, "high": high}),
                count(n),
            )
        )
    marks.insert(3, svg.path(linked, "curve faint") if len(linked) > 1 else Markup())
    return Figure(
        "reliability",
        "Reliability",
        note,
        svg.drawing(328, "Reliability diagram", *marks),
        Table(("probability", "stated, mean", "happened", "95\u00a0% interval", "rows"), rows),
    )


def class_table(judged: Judged) -> list[dict[str, Any]]:
    """What a run that keeps no table of its classes is told of them by its predictions."""
    counts = confusion_counts(judged)
    rows, called, hits = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    return [
        {
            "name": judged.names[code],
            "rows": int(rows[code]),
            "precision": _share(hits[code], called[code]),
            "recall": _share(hits[code], rows[code]),
            "f1": _share(2 * hits[code], rows[code] + called[code]),
        }
        for code in np.flatnonzero(rows + called).tolist()
    ]


def _share(part: int, whole: int) -> dict[str, float] | None:
    return wilson(float(part / whole), int(whole)) if whole else None


def recall_figure(classes: Sequence[Mapping[str, Any]]) -> Figure:
    """The recall of each class with its interval, the worst first; at most twelve drawn."""
    told = [c for c in classes if isinstance(c.get("recall"), Mapping | int | float)]
    order = sorted(told, key=lambda c: _metric(c["recall"])["value"])
    drawn = [(shown(c["name"]), _metric(c["recall"]), False) for c in order[:12]]
    rows = [
        (
            shown(c["name"]),
            count(c.get("rows")),
            *(number(_metric(c.get(part))["value"]) for part in ("precision", "recall")),
            interval(_metric(c["recall"])),
            number(_metric(c.get("f1"))["value"]),
        )
        for c in told
    ]
    which = "" if len(drawn) == len(told) else f" The {len(drawn)} worst of {len(told)} are drawn."
    return Figure(
        "classes",
        "Recall of each class",
        f"The share of a class's rows found, and its 95\u00a0% interval; worst first.{which}",
        forest(drawn, "recall", "Recall of each class"),
        Table(("class", "rows", "precision", "recall", "95\u00a0% interval of recall", "F1"), rows),
    )


def _metric(given: Any) -> dict[str, Any]:
    """A value with its interval, where the run tells one."""
    if isinstance(given, Mapping):
        return {key: given.get(key) for key in ("value", "low", "high")}
    return {"value": given, "low": given, "high": given}
