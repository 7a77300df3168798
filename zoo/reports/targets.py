"""Figures of runs that predict numbers or several labels: predicted against true, residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.reports import svg
from zoo.reports.calibration import reliability
from zoo.reports.classes import reliability_diagram
from zoo.reports.figure import Figure, Table
from zoo.reports.verdict import forest
from zoo.reports.words import NONE, count, interval, metric_name, number, shown

if TYPE_CHECKING:
    from zoo.reports.judged import Judged

_MOST_POINTS = 2_000
_MOST_OUTPUTS = 4
_MOST_LABELS = 12
_BARS = 24


def number_figures(judged: Judged) -> list[Figure]:
    """Predicted against true and residuals, of at most four numbers."""
    out = []
    for j, name in enumerate(judged.names[:_MOST_OUTPUTS]):
        told = shown(name, 40) if len(judged.names) > 1 else ""
        out += [_against(judged, j, told), _residuals(judged, j, told)]
    return out


def _against(judged: Judged, j: int, name: str) -> Figure:
    true, said = judged.truth[:, j], judged.predicted[:, j]
    both = np.concatenate([true, said])
    x, y = svg.Scale.around(both, 52, 348), svg.Scale.around(both, 292, 24)
    some = _some(len(true))
    points = [(x(true[i]), y(said[i])) for i in some]
    far = np.argsort(-np.abs(true - said), kind="stable")[:20].tolist()
    marks = [
        svg.y_axis(y, 52, "predicted", 348),
        svg.x_axis(x, 292, "true", 24),
        svg.path([(x(x.low), y(y.low)), (x(x.high), y(y.high))], "rule dashed"),
        svg.dots(points, "cloud"),
        *(
            svg.mark(
                x(true[i]),
                y(said[i]),
                f"{shown(judged.items[i])}: true {number(float(true[i]))}, "
                f"predicted {number(float(said[i]))}",
                "dot miss",
                3.5,
            )
            for i in far
        ),
    ]
    drawn = "" if len(some) == len(true) else f", {count(len(some))} of them drawn"
    rows = [
        (
            shown(judged.items[i]),
            number(float(true[i])),
            number(float(said[i])),
            number(float(said[i] - true[i])),
        )
        for i in far
    ]
    return Figure(
        f"against-{j}",
        f"Predicted against true{f': {name}' if name else ''}",
        f"On the diagonal a prediction is exact; {count(len(true), 'row')}{drawn}. "
        f"The {len(far)} farthest off are stressed.",
        svg.drawing(328, f"Predicted against true {name}".strip(), *marks),
        Table(("sample", "true", "predicted", "residual"), rows, "The rows farthest off"),
    )


def _residuals(judged: Judged, j: int, name: str) -> Figure:
    off = judged.predicted[:, j] - judged.truth[:, j]
    counts, edges = np.histogram(off, bins=_BARS)
    x = svg.Scale.around(edges, 44, 348)
    y = svg.Scale(0, float(counts.max()) * 1.05, 292, 24)
    marks = [
        svg.y_axis(y, 44, "rows", 348),
        svg.x_axis(x, 292, "residual: predicted minus true", 292),
    ]
    rows = []
    for n, low, high in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        told = f"{number(low)} to {number(high)}"
        rows.append((told, count(n)))
        if n:
            marks.append(
                svg.tag(
                    "rect",
                    x=x(low) + 0.5,
                    y=y(n),
                    width=x(high) - x(low) - 1,
                    height=292 - y(n),
                    class_="bar",
                    data_tip=f"residual {told}: {count(n, 'row')}",
                )
            )
    if edges[0] <= 0 <= edges[-1]:
        marks.append(svg.line(x(0), 24, x(0), 292, "rule"))
    return Figure(
        f"residuals-{j}",
        f"Residuals{f': {name}' if name else ''}",
        f"Predicted minus true, mean {number(float(off.mean()))}, standard deviation "
        f"{number(float(off.std()))}, on {count(len(off), 'row')}.",
        svg.drawing(328, f"Residuals {name}".strip(), *marks),
        Table(("residual", "rows"), rows),
    )


def label_figures(judged: Judged, outputs: Mapping[str, Mapping[str, Any]] | None) -> list[Figure]:
    """The score of each label with its interval, and the honesty of the probabilities."""
    out = []
    told = {name: part["f1"] for name, part in (outputs or {}).items() if "f1" in part}
    if told:
        order = sorted(told, key=lambda name: told[name]["value"])
        present = dict(zip(judged.names, (judged.truth == 1).sum(axis=0).tolist(), strict=True))
        names = [shown(name) for name in order]
        drawn = list(zip(names, (told[name] for name in order), strict=True))[:_MOST_LABELS]
        which = (
            "" if len(drawn) == len(told) else f" The {len(drawn)} worst of {len(told)} are drawn."
        )
        out.append(
            Figure(
                "labels",
                "F1 of each label",
                f"With its 95\u00a0% interval, worst first, on {count(len(judged), 'row')}.{which}",
                forest([(name, part, False) for name, part in drawn], "F1", "F1 of each label"),
                Table(
                    ("label", "rows with it", "F1", "95\u00a0% interval"),
                    [
                        (
                            shown(name),
                            count(present.get(name)),
                            number(told[name]["value"]),
                            interval(told[name]),
                        )
                        for name in order
                    ],
                ),
            )
        )
    pairs = count(judged.truth.size, "pair")
    out.append(
        reliability_diagram(
            reliability(judged.chances.ravel(), judged.truth.ravel() == 1),
            f"All {pairs} of a sample and a label; on the diagonal, a stated probability is the "
            "share of labels that apply. Whiskers are 95\u00a0% intervals, bars counts.",
            "probability that a label applies",
            "share that does",
        )
    )
    return out


def output_table(outputs: Mapping[str, Mapping[str, Any]]) -> Table:
    """The metrics of each of several numbers or labels."""
    names = list(dict.fromkeys(metric for part in outputs.values() for metric in part))
    rows = [
        (
            shown(name),
            *(
                f"{number(part[metric]['value'])} ({interval(part[metric])})"
                if metric in part
                else NONE
                for metric in names
            ),
        )
        for name, part in outputs.items()
    ]
    return Table(("", *(metric_name(metric) for metric in names)), rows, "Each output by itself")


def _some(n: int) -> Sequence[int]:
    """At most 2,000 of n rows, evenly."""
    if n <= _MOST_POINTS:
        return range(n)
    return [int(i) for i in np.linspace(0, n - 1, _MOST_POINTS)]
