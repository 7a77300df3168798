"""Writes the report: parts, style and script in one HTML file that asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zoo
from zoo.errors import DataError, UsageError
from zoo.files import replacing
from zoo.reports.compare import comparison_headline, comparison_parts
from zoo.reports.maps import MOST_POINTS
from zoo.reports.sections import Page
from zoo.reports.verdict import Headline, headline
from zoo.reports.words import count, shown

if TYPE_CHECKING:
    from jinja2 import Template

    from zoo.reports.figure import Part
    from zoo.runs import Run

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_BYTES = 3_000_000
_FEWEST_POINTS = 300


@dataclass(frozen=True)
class Report:
    """A written report.

    Attributes:
        path: the file.
        size: its bytes.
        absent: what it could not show and why, a line each.
    """

    path: Path
    size: int
    absent: tuple[str, ...]


def write_report(runs: Sequence[Run], *, out: Path | None = None, data: str = "") -> Report:
    """Write the report of a run, or the comparison of several, as one HTML file.

    Args:
        runs: finished runs.
        out: the file, or a folder for ``report.html``; None is the run's own folder, or
            ``comparison.html`` in the working folder for several.
        data: where the data of a single run lies now, if it was moved.

    Raises:
        UsageError: no run, or `data` for several.
        DataError: the file cannot be written.
    """
    if not runs:
        raise UsageError("there is no run to report", hint="zoo runs lists the runs below ./runs")
    if data and len(runs) > 1:
        raise UsageError("--data is for the report of one run", hint="leave it out, or one run")
    path = _place(runs, out)
    html, parts = _fitting(runs, data)
    content = html.encode("utf-8")
    with replacing(path, hint="choose another file with --out") as temporary:
        temporary.write_bytes(content)
    return Report(path, len(content), tuple(_absent(parts)))


def _place(runs: Sequence[Run], out: Path | None) -> Path:
    if out is None:
        return runs[0].folder / "report.html" if len(runs) == 1 else Path("comparison.html")
    if out.is_dir():
        return out / "report.html"
    if out.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"'{out}' is no HTML file", hint="--out report.html, or a folder")
    return out


def _fitting(runs: Sequence[Run], data: str) -> tuple[str, list[Part]]:
    """The page, with fewer points in its maps where it would be too large with all."""
    if len(runs) > 1:
        parts = comparison_parts(runs)
        return _rendered(runs, parts), parts
    page = Page(runs[0], data)
    parts, most = page.parts(), MOST_POINTS
    while True:
        html = _rendered(runs, parts)
        most //= 2
        if len(html.encode("utf-8")) <= _MOST_BYTES or most < _FEWEST_POINTS:
            return html, parts
        parts = [page.map_part(most) if part.name == "map" else part for part in parts]


def _rendered(runs: Sequence[Run], parts: Sequence[Part]) -> str:
    style, script = (_file(name) for name in ("report.css", "report.js"))
    top = headline(runs[0].summary) if len(runs) == 1 else comparison_headline(runs)
    points: Any = next((part.data["points"] for part in parts if "points" in part.data), None)
    picture = next((part.data["picture"] for part in parts if "picture" in part.data), "")
    return _template().render(
        title=_title(runs),
        top=top,
        facts=_facts(runs),
        parts=parts,
        points=points,
        picture=picture,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        version=zoo.__version__,
    )


def _template() -> Template:
    """The page's template, in which every text is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_function"] = _dumps
    return environment.get_template("report.html.j2")


def _dumps(value: Any, **_: Any) -> str:
    """JSON without spaces and with letters as they are: half as long as Python's own."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _file(name: str) -> str:
    try:
        return (_TEMPLATES / name).read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"the installation lacks '{name}': {error.strerror}") from error


def _hash(text: str) -> str:
    """What a content security policy calls a style or script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _title(runs: Sequence[Run]) -> str:
    names = ", ".join(shown(run.folder.name, 40) for run in runs[:3])
    return f"{'Comparison' if len(runs) > 1 else 'Report'} of {names}"


def _facts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """What was run, in the line below the verdict."""
    if len(runs) > 1:
        return [("runs", count(len(runs)))]
    summary = runs[0].summary
    data = summary["data"]
    what = {"class": ("class", "classes"), "regression": ("number",), "multilabel": ("label",)}
    outputs = data.get("outputs") or data.get("classes")
    if runs[0].task == "class":
        outputs = data.get("classes")
    return [
        ("model", shown(summary["model"]["source"])),
        ("data", shown(runs[0].plan.get("data", ""))),
        ("samples", count(data.get("rows"))),
        ("predicted", count(outputs, *what.get(runs[0].task, ("output",)))),
        ("head", shown(summary["head"]["name"])),
    ]


def _absent(parts: Sequence[Part]) -> list[str]:
    lines = []
    for part in parts:
        if part.absent:
            lines.append(f"{part.title}: {part.absent}")
        lines += [text for kind, text in part.notes if kind == "absent"]
    return list(dict.fromkeys(lines))


__all__ = ["Headline", "Report", "write_report"]
