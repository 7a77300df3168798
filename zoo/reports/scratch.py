"""The figure of how learning from scratch went, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError
from zoo.reports import svg
from zoo.reports.figure import Figure, Table
from zoo.reports.words import count, metric_name, number

if TYPE_CHECKING:
    from markupsafe import Markup

_LEFT, _RIGHT = 52.0, 344.0
_BOTTOM = 268.0  # of the loss, where the epochs stand below
_TICKS = 6


def scratch_figure(told: Mapping[str, Any], metric: str, *, folds: int = 1) -> Figure:
    """Validation metric and training loss of each epoch, and whether the budget cut it short.

    Args:
        told: ``{"curve", "best_epoch", "converged"}`` of the learner, the curve a list of
            ``{"epoch", "train_loss", "validation"}``.
        metric: the name of what validation is measured by.
        folds: how many times it was trained; the curve is that of the first.

    Raises:
        DataError: no epoch was finished.
    """
    curve = [step for step in told["curve"] if _finite(step["train_loss"])]
    if not curve:
        raise DataError("no epoch was finished")
    epochs = [int(step["epoch"]) for step in curve]
    best, what = told.get("best_epoch"), metric_name(metric)
    x = svg.Scale(epochs[0], epochs[-1], _LEFT + 6, _RIGHT - 6)
    marks = []
    if best in epochs:
        end = "end" if x(best) > 200 else None
        marks = [
            svg.line(x(best), 12, x(best), _BOTTOM, "rule dashed"),
            svg.word(x(best) + (-6 if end else 6), 20, f"kept: epoch {best}", "label main", end),
        ]
    for key, label, top, bottom in (
        ("validation", f"{what}, validation", 36.0, 138.0),
        ("train_loss", "loss, training", 176.0, _BOTTOM),
    ):
        marks += _panel(curve, key, label, (bottom, top), x)
    step = max(1, -(-len(epochs) // _TICKS))
    marks += [svg.word(x(e), _BOTTOM + 14, str(e), "tick", "middle") for e in epochs[::step]]
    marks.append(svg.word((_LEFT + _RIGHT) / 2, _BOTTOM + 30, "epoch", "axis", "middle"))
    ended = ""
    if told.get("converged") is True:
        ended = " Its budget did not cut it."
    elif told.get("converged") is False:
        ended = " Its budget cut it short: with a greater --scratch-budget it may reach more."
    first = f" of the first of {folds} folds" if folds > 1 else ""
    return Figure(
        "scratch",
        "Learning from scratch",
        f"{what[0].upper()}{what[1:]} on validation rows, by which an epoch is kept, and loss on "
        f"training rows, of each of {count(len(epochs), 'epoch')}{first}.{ended}",
        svg.drawing(_BOTTOM + 36, "Learning from scratch", *marks),
        Table(
            ("epoch", f"{what}, validation", "loss, training"),
            [
                (str(e), number(step["validation"]), number(step["train_loss"]))
                for e, step in zip(epochs, curve, strict=True)
            ],
        ),
    )


def _panel(
    curve: Sequence[Mapping[str, Any]],
    key: str,
    label: str,
    heights: tuple[float, float],
    x: svg.Scale,
) -> list[Markup]:
    """One quantity against the epochs, between two heights."""
    points = [(int(step["epoch"]), float(step[key])) for step in curve if _finite(step[key])]
    y = svg.Scale.around([value for _, value in points], *heights)
    marks = [svg.y_axis(y, _LEFT, label, _RIGHT, 3)]
    if len(points) > 1:
        marks.append(svg.path([(x(epoch), y(value)) for epoch, value in points], "curve"))
    for epoch, value in points:
        told = f"epoch {epoch}: {label} {number(value)}"
        marks.append(svg.mark(x(epoch), y(value), told, "dot main", 3))
    return marks


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
