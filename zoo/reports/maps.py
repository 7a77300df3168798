"""The embedding maps: each judged sample a dot, with its picture or text where one points."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from zoo.reports import svg
from zoo.reports.figure import Figure, Table
from zoo.reports.words import count, number, percent, shown

if TYPE_CHECKING:
    from zoo.reports.judged import Judged
    from zoo.reports.samples import Samples

MOST_POINTS = 5_000
_MOST_TILES = 1_500
_MOST_TEXT = 400_000  # characters of all texts together
_MARGIN = 14.0
_LEAST_HEIGHT = 200.0
_COLOURS = 8
_LABELLED = 15  # groups up to which each has its name in the map
_KEYS = 40  # groups up to which each has a button


@dataclass(frozen=True, eq=False)
class Layout:
    """Places of the judged rows in a plane.

    Attributes:
        title: the method.
        note: what near and far mean in it.
        places: (m, 2).
    """

    title: str
    note: str
    places: np.ndarray


@dataclass(frozen=True, eq=False)
class Maps:
    """The maps of a run.

    Attributes:
        figures: one a layout.
        keys: the buttons below them.
        points: what the script needs of their points.
        picture: a data URI of all tiles; empty where there are none.
    """

    figures: list[Figure]
    keys: Markup
    points: dict[str, Any]
    picture: str


def map_figures(
    judged: Judged, some: np.ndarray, layouts: Sequence[Layout], samples: Samples
) -> Maps:
    """The maps of some rows of those that judged, each layout's places in their order."""
    groups, codes = _groups(judged)
    wrong = judged.wrong
    figures = []
    places: dict[str, list[float]] = {}
    fitted = [_fitted(np.asarray(layout.places, np.float64)) for layout in layouts]
    height = max(_LEAST_HEIGHT, *(float(xy[:, 1].max()) + _MARGIN for xy in fitted))
    for i, (layout, xy) in enumerate(zip(layouts, fitted, strict=True)):
        places[f"map-{i}"] = np.round(xy, 1).ravel().tolist()
        drawn = "" if len(some) == len(judged) else f", {count(len(some))} of them drawn"
        misses = "" if judged.task == "regression" else " Crosses are wrong predictions."
        figures.append(
            Figure(
                f"map-{i}",
                layout.title,
                f"{layout.note} {count(len(judged), 'row')}{drawn}.{misses}",
                _drawing(
                    xy,
                    height,
                    codes[some],
                    wrong[some],
                    groups,
                    f"map-{i}",
                    layout.title,
                    ordered=judged.task == "regression",
                    named=judged.task == "class",
                ),
                None if i else _table(groups, codes, wrong),
            )
        )
    told = _told(judged, some, samples)
    tiled = told.pop("tiled")
    sheet = samples.sheet([judged.sample(int(some[i])) for i in tiled])
    tiles = np.full(len(some), -1, np.int64)
    tiles[tiled] = sheet.places if sheet.uri else -1
    points = {
        **told,
        "places": places,
        "tiles": tiles.tolist(),
        "tile": sheet.tile,
        "across": sheet.across,
    }
    return Maps(figures, _keys(groups, ordered=judged.task == "regression"), points, sheet.uri)


def _told(judged: Judged, some: np.ndarray, samples: Samples) -> dict[str, Any]:
    """What is said of each point, and which of them shall have a tile."""
    first = np.argsort(~judged.wrong[some], kind="stable")  # mistakes are looked at first
    tiled = np.sort(first[: _MOST_TILES if len(some) > _MOST_TILES else None])
    longest = max(40, min(160, _MOST_TEXT // max(1, len(some))))
    rows = [judged.sample(int(row)) for row in some]
    return {
        "names": [shown(name, 60) for name, _ in rows],
        "texts": samples.texts(rows, longest) if samples.modality == "text" else [],
        "said": [said_of(judged, int(row)) for row in some],
        "tiled": tiled,
    }


def said_of(judged: Judged, row: int) -> str:
    """What is true of a row and what was said of it."""
    truth, predicted = judged.truth[row], judged.predicted[row]
    if judged.task == "class":
        chance = percent(float(judged.chances[row]))
        said = f"{shown(judged.names[predicted], 40)} ({chance})"
        return f"true {shown(judged.names[truth], 40)}, predicted {said}"
    if judged.task == "regression":
        values = (", ".join(number(float(v)) for v in part[:4]) for part in (truth, predicted))
        return "true {}, predicted {}".format(*values)
    parts = (
        ", ".join(shown(judged.names[j], 30) for j in np.flatnonzero(part)[:6]) or "none"
        for part in (truth, predicted)
    )
    return "true {}, predicted {}".format(*parts)


def _groups(judged: Judged) -> tuple[list[str], np.ndarray]:
    """What colours stand for: the true class, fifths of the number, or right and wrong."""
    if judged.task == "class":
        return [shown(name, 40) for name in judged.names], judged.truth
    if judged.task == "multilabel":
        return ["all labels right", "some label wrong"], judged.wrong.astype(np.int64)
    values = judged.truth[:, 0]
    edges = np.unique(np.quantile(values, (0.2, 0.4, 0.6, 0.8)))
    codes = np.searchsorted(edges, values, side="right")
    borders = [float(values.min()), *edges.tolist(), float(values.max())]
    named = [f"{number(low)} to {number(high)}" for low, high in itertools.pairwise(borders)]
    return named, codes


def _fitted(places: np.ndarray) -> np.ndarray:
    """Places within the drawing; both axes by one factor, so that distances keep their meaning."""
    low, high = places.min(axis=0), places.max(axis=0)
    span = float((high - low).max()) or 1.0
    scale = (svg.WIDTH - 2 * _MARGIN) / span
    aside = (svg.WIDTH - scale * float(high[0] - low[0])) / 2
    x, y = (places[:, 0] - low[0]) * scale + aside, (high[1] - places[:, 1]) * scale + _MARGIN
    return np.stack([x, y], axis=1)


def _drawing(  # noqa: PLR0917 - one figure's parts
    xy: np.ndarray,
    height: float,
    codes: np.ndarray,
    wrong: np.ndarray,
    groups: Sequence[str],
    name: str,
    title: str,
    *,
    ordered: bool,
    named: bool,
) -> Markup:
    size = "large" if len(xy) <= 400 else "middle" if len(xy) <= 1500 else "small"
    marks = []
    for code in np.unique(codes).tolist():
        own = xy[codes == code]
        look = _look(code, ordered=ordered).partition(" ")[0]
        dots = svg.dots([tuple(at) for at in own.tolist()], f"points {size} {look}")
        hollow = svg.dots([tuple(at) for at in own.tolist()], f"hollow {size}")
        marks.append(svg.tag("g", dots, *([hollow] if code >= _COLOURS else []), data_group=code))
    crosses = "".join(f"M{x - 3:.0f} {y - 3:.0f}l6 6m0-6l-6 6" for x, y in xy[wrong].tolist())
    if crosses:
        marks.append(svg.tag("path", d=crosses, class_="crosses"))
    if named and len(groups) <= _LABELLED:
        for code in np.unique(codes).tolist():
            x, y = np.median(xy[codes == code], axis=0).tolist()
            marks.append(svg.word(x, y + 4, svg.cut(groups[code], 16), "place", "middle"))
    marks.append(svg.tag("circle", r=8, class_="ring", visibility="hidden"))
    return svg.tag(
        "svg",
        *marks,
        viewBox=f"0 0 {svg.WIDTH:.0f} {height:.0f}",
        role="img",
        aria_label=f"{title} of the judged samples",
        class_="drawing map",
        data_map=name,
    )


def _look(code: int, *, ordered: bool) -> str:
    """The classes of a group's mark: eight colours, then the same as rings; a scale of numbers."""
    if ordered:
        return f"q{code}"
    return f"c{code % _COLOURS}{' open' if code >= _COLOURS else ''}"


def _keys(groups: Sequence[str], *, ordered: bool) -> Markup:
    """A button for each group, which stresses it in all maps."""
    if len(groups) > _KEYS:
        return Markup()
    buttons = [
        svg.tag(
            "button",
            svg.tag("span", class_=f"swatch {_look(code, ordered=ordered)}", aria_hidden="true"),
            name,
            type="button",
            data_key=code,
            aria_pressed="false",
        )
        for code, name in enumerate(groups)
    ]
    return svg.tag("div", *buttons, class_="keys", role="group", aria_label="Stress a group")


def _table(groups: Sequence[str], codes: np.ndarray, wrong: np.ndarray) -> Table:
    rows = [
        (name, count(int((codes == code).sum())), count(int(wrong[codes == code].sum())))
        for code, name in enumerate(groups)
    ]
    return Table(("group", "rows", "predicted wrong"), rows)
