"""What the report is made of: parts, with figures that each have a table behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

    from zoo.reports.samples import Shown

Cells = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Table:
    """Header and rows of text; the first cell of a row is its head."""

    header: Sequence[str]
    rows: Cells
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing, the sentence that says how to read it, and its numbers.

    Attributes:
        name: its id in the page.
        title: what it shows.
        note: how to read it, and on how many rows.
        drawing: the SVG.
        table: the same numbers, for who cannot or would rather not see.
        wide: whether it may take two columns of a large screen.
    """

    name: str
    title: str
    note: str
    drawing: Markup
    table: Table | None = None
    wide: bool = False


@dataclass(frozen=True)
class Card:
    """A sample in a gallery: how it looks, its name, and what is said of it."""

    shown: Shown
    name: str
    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Part:
    """A section of the page; one without anything to show says why in a line.

    Attributes:
        name: its id in the page.
        title: its heading.
        lead: a sentence or two below the heading.
        figures, tables, cards: what it shows, in this order.
        notes: lines, each with its kind: ``warning``, ``note`` or ``text``.
        absent: why there is nothing, in one line.
        foot: what belongs under all figures, such as their legend.
        data: what the script needs of it, as plain JSON.
    """

    name: str
    title: str
    lead: str = ""
    figures: Sequence[Figure] = ()
    notes: Sequence[tuple[str, str]] = ()
    cards: Sequence[Card] = ()
    tables: Sequence[Table] = ()
    absent: str = ""
    foot: Markup | None = None
    data: Mapping[str, object] = field(default_factory=dict)
