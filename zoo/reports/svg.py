"""The few things that figures are drawn with: escaped elements, scales, ticks and axes.

A figure is drawn 360 units wide and shown about as wide, on a phone and in a column of a large
screen alike, so that its letters are as large as those of the page. Colours are classes of the
style sheet: the policy of the page allows no style on an element, and light, dark and paper differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

WIDTH = 360.0


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element; children and values are escaped unless they are Markup.

    ``class_`` is ``class``, ``stroke_width`` is ``stroke-width``; None leaves an attribute out.
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(escape(child) for child in children)
    return Markup(f"<{name}{told}>{inner}</{name}>")  # noqa: S704 - every part is escaped above


def drawing(height: float, label: str, *marks: Markup, class_: str = "") -> Markup:
    """A figure of the page: as wide as its column, and one thing to a screen reader."""
    return tag(
        "svg",
        *marks,
        viewBox=f"0 0 {WIDTH:.0f} {_plain(height)}",
        role="img",
        aria_label=label,
        class_=f"drawing {class_}".strip(),
    )


def word(x: float, y: float, text: str, class_: str = "", anchor: str | None = None) -> Markup:
    """A line of text; `anchor` is ``middle`` or ``end``."""
    return tag("text", text, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str, *, closed: bool = False) -> Markup:
    """A line through points, or the area that it closes."""
    steps = "L".join(f"{_plain(x)} {_plain(y)}" for x, y in points)
    return tag("path", d=f"M{steps}{'Z' if closed else ''}", class_=class_)


def dots(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """Many round dots as one path: ten bytes each, their size and colour by the style sheet."""
    return tag("path", d="".join(f"M{_plain(x)} {_plain(y)}h0" for x, y in points), class_=class_)


def mark(x: float, y: float, told: str, class_: str, radius: float = 4.0) -> Markup:
    """A dot that says something when it is pointed at or reached by arrow keys."""
    return tag("circle", cx=x, cy=y, r=radius, class_=class_, data_tip=told)


def cut(text: str, longest: int) -> str:
    """A label that fits its place; the whole of it stands in the figure's table."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


@dataclass(frozen=True)
class Scale:
    """From values to a place: `low` is at `start`, `high` at `end`; evenly or by logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value; what lies outside stays just outside."""
        low, high, at = self.low, self.high, float(value)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + min(1.05, max(-0.05, share)) * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> list[float]:
        """Round values along the scale."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            step = max(1, -(-(last - first) // wanted))
            return [10.0**power for power in range(first, last + 1, step)] or [self.low, self.high]
        if self.high <= self.low:
            return [self.low]
        width = _round_step((self.high - self.low) / wanted)
        first = math.ceil(self.low / width - 1e-9)
        last = math.floor(self.high / width + 1e-9)
        return [round(width * k, 12) + 0.0 for k in range(first, last + 1)]

    @classmethod
    def around(
        cls,
        values: Sequence[float] | np.ndarray,
        start: float,
        end: float,
        *,
        within: tuple[float, float] = (-math.inf, math.inf),
    ) -> Scale:
        """A scale that holds all values, with a little air, but no place that cannot be."""
        some = np.asarray(values, np.float64)
        some = some[np.isfinite(some)]
        low, high = (float(some.min()), float(some.max())) if some.size else (0.0, 1.0)
        air = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
        return cls(max(within[0], low - air), min(within[1], high + air), start, end)


def tick_text(value: float) -> str:
    """A tick's label."""
    if value and (abs(value) < 1e-2 or abs(value) >= 1e5):
        power = math.log10(abs(value))
        if abs(power - round(power)) < 1e-9:
            sign = "\u2212" if value < 0 else ""
            return f"{sign}10{str(round(power)).translate(_RAISED)}"
        return f"{value:.1e}".replace("-", "\u2212")
    return f"{value:.6g}".replace("-", "\u2212")


def x_axis(scale: Scale, y: float, label: str, top: float, wanted: int = 5) -> Markup:
    """Grid lines up to `top`, ticks and the label below."""
    parts = []
    for value in scale.ticks(wanted):
        at = scale(value)
        parts += [
            line(at, top, at, y, "grid"),
            word(at, y + 14, tick_text(value), "tick", "middle"),
        ]
    middle = (scale.start + scale.end) / 2
    return Markup("").join([*parts, word(middle, y + 30, label, "axis", "middle")])


def y_axis(scale: Scale, x: float, label: str, right: float, wanted: int = 5) -> Markup:
    """Grid lines up to `right`, ticks at the left, and the label above."""
    parts = []
    for value in scale.ticks(wanted):
        at = scale(value)
        parts += [
            line(x, at, right, at, "grid"),
            word(x - 6, at + 4, tick_text(value), "tick", "end"),
        ]
    return Markup("").join([*parts, word(0, min(scale.start, scale.end) - 10, label, "axis")])


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= step - 1e-12)


def _plain(value: object) -> object:
    """Numbers with one decimal, which is a third of a pixel at most."""
    if isinstance(value, float | np.floating):
        return f"{value:.1f}".removesuffix(".0")
    return value
