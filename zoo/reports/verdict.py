"""The first lines of a report: the verdict in a sentence, and the score against the arms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.reports import svg
from zoo.reports.figure import Figure, Table
from zoo.reports.words import (
    count,
    interval,
    metric_name,
    number,
    percent,
    points,
    seconds,
    shown,
)
from zoo.runs import wording
from zoo.runs.wording import CALLED

if TYPE_CHECKING:
    from markupsafe import Markup

_PERCENT = "\u00a0%"
_SIGN = {"positive": "▲", "marginal": "△", "none": "●", "negative": "▼"}
_ARE = {
    "transfer": "the pretrained backbone, frozen, under the head",
    "scratch": "a learner trained on these samples alone",
    "raw": "the input itself under the best of the heads",
    "random_weights": "the same architecture with random weights",
    "majority": "the most frequent answer",
}


@dataclass(frozen=True)
class Headline:
    """What stands at the top: how good news it is, a sentence, a second one, and advice."""

    level: str
    sign: str
    sentence: str
    more: str
    advice: str = ""


def headline(summary: Mapping[str, Any]) -> Headline:
    """The verdict in one sentence, or the score where no verdict was asked for."""
    score = _score(summary)
    verdict: Any = summary.get("verdict")
    try:
        level, sentence = verdict["level"], shown(wording.headline(verdict), 300)
    except (KeyError, TypeError, ValueError):  # none, or another program's
        more = "Whether the transfer was worth it was not measured in this run."
        return Headline("unknown", "", score[0].upper() + score[1:], more)
    more = (
        f"95\u00a0% interval {points(verdict.get('low'))} to {points(verdict.get('high'))} points, "
        f"paired on {count(verdict.get('rows'), 'row')}. {score}."
    )
    advice = shown(verdict.get("advice") or "", 400)
    if advice:
        advice = advice[0].upper() + advice[1:] + ("" if advice.endswith((".", "…")) else ".")
    return Headline(level, _SIGN[level], sentence, more, advice)


def _score(summary: Mapping[str, Any]) -> str:
    evaluation = summary["evaluation"]
    name = evaluation["primary"]
    metric = evaluation["metrics"][name]
    if name == "accuracy":
        value, low, high = (percent(metric.get(part)) for part in ("value", "low", "high"))
        around = f"{low.removesuffix(_PERCENT)} to {high.removesuffix(_PERCENT)}"
        said = f"{value} of {_held_out(evaluation)} are predicted right"
        return f"{said} (95\u00a0% interval {around})"
    said = f"{metric_name(name)} is {number(metric.get('value'))} on {_held_out(evaluation)}"
    return f"{said} (95\u00a0% interval {interval(metric)})"


def _held_out(evaluation: Mapping[str, Any]) -> str:
    rows = count(evaluation.get("rows"), "row")
    return f"{rows}, cross-validated" if evaluation.get("protocol") == "cv" else f"{rows} held out"


def arms_figure(verdict: Mapping[str, Any]) -> Figure:
    """The score of the transfer with its interval against the other arms."""
    arms = {name: arm for name, arm in verdict["arms"].items() if isinstance(arm, Mapping)}
    order = [name for name in _ARE if name in arms]
    order += [name for name in arms if name not in _ARE]
    metric = str(verdict.get("metric", "score"))
    names = [CALLED.get(name, shown(name, 18)) for name in order]
    entries = [
        (told, arms[name], name == "transfer") for name, told in zip(order, names, strict=True)
    ]
    rows = [
        (
            label,
            number(arm.get("value")),
            interval(arm),
            _ahead(arm.get("delta")),
            seconds(arm.get("seconds")),
            _ARE.get(name, ""),
        )
        for name, (label, arm, _) in zip(order, entries, strict=True)
    ]
    return Figure(
        "arms",
        "The score against the arms",
        f"{metric_name(metric).capitalize()} with its 95\u00a0% interval; all were judged on the "
        f"same {count(verdict.get('rows'), 'row')}.",
        forest(entries, metric_name(metric), "Scores of the arms"),
        Table(
            (
                "arm",
                metric_name(metric),
                "95\u00a0% interval",
                "transfer ahead by",
                "time",
                "what it is",
            ),
            rows,
        ),
    )


def _ahead(delta: Any) -> str:
    """Points by which the transfer is ahead of an arm, with their paired interval."""
    if not isinstance(delta, Mapping):  # the transfer itself, or a run of an older version
        return ""
    around = f"{points(delta.get('low'))} to {points(delta.get('high'))}"
    return f"{points(delta.get('value'))} ({around})"


def forest(
    entries: Sequence[tuple[str, Mapping[str, Any], bool]],
    axis: str,
    label: str,
    *,
    zero: bool = False,
) -> Markup:
    """Values with intervals below each other, some of them stressed; with a line at zero."""
    tell = points if zero else number
    numbers = [x for _, part, _ in entries for x in (part["low"], part["value"], part["high"])]
    left, right, step = 112.0, 306.0, 30.0
    bottom = 14 + step * len(entries)
    shares = not zero and min(numbers, default=0) >= 0 and max(numbers, default=0) <= 1
    within = (0.0, 1.0) if shares else (-math.inf, math.inf)
    around = [*numbers, *([0.0] if zero else [])]
    scale = svg.Scale.around(around, left, right, within=within)
    marks = [svg.x_axis(scale, bottom, axis, 8)]
    if zero:
        marks.append(svg.line(scale(0), 8, scale(0), bottom, "rule"))
    for i, (name, part, stressed) in enumerate(entries):
        y, class_ = 14 + step * (i + 0.5), "main" if stressed else "other"
        low, value, high = (float(part[key]) for key in ("low", "value", "high"))
        told = f"{name}: {tell(value)} (95\u00a0% interval {tell(low)} to {tell(high)})"
        marks += [
            svg.word(left - 10, y + 4, svg.cut(name, 17), f"label {class_}", "end"),
            svg.line(scale(low), y, scale(high), y, f"whisker {class_}"),
            svg.mark(scale(value), y, told, f"dot {class_}", 5),
            svg.word(svg.WIDTH, y + 4, tell(value), f"value {class_}", "end"),
        ]
    return svg.drawing(bottom + 36, label, *marks)
