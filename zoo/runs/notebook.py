"""A run as a small HTML table for notebooks: no script, no style sheet, every text escaped."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zoo.runs.wording import sentence

_HEADER = ("", "value", "95 % interval")


def html(summary: dict[str, Any], report: Path | None = None) -> str:
    """The table of a run's summary, the object that ``--json`` prints, and a link to its report.

    Names of files, classes and models are other people's text, and a saved notebook is opened by
    others again: nothing of them may become markup.
    """
    evaluation, head = summary["evaluation"], summary["head"]
    rows = "".join(
        _row(
            name.replace("_", " "),
            _number(metric["value"]),
            f"{_number(metric['low'])} to {_number(metric['high'])}",
        )
        for name, metric in evaluation["metrics"].items()
    )
    strength = "" if head.get("strength") is None else f", strength {head['strength']:.3g}"
    told = (
        f"{summary['model']['source']} ({summary['model'].get('dim')} features), "
        f"{head['name']}{strength}, on {evaluation.get('rows')} held-out rows of "
        f"{summary['data'].get('rows')}; {summary['run']}{_verdict(summary)}"
    )
    header = "".join(f"<th>{escape(cell)}</th>" for cell in _HEADER)
    return (
        f"<table><caption>{escape(told)}</caption>"
        f"<thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>{_link(report)}"
    )


def _link(report: Path | None) -> str:
    """Leads from the working folder, which is the notebook's own: pages may not open ``file:``."""
    if report is None:
        return ""
    try:
        path = os.path.relpath(report)
    except ValueError:  # another drive of Windows
        return ""
    return f'<p><a href="{escape(quote(Path(path).as_posix()))}">report</a></p>'


def _verdict(summary: dict[str, Any]) -> str:
    """What the verdict says; nothing where there is none, or none that can be read."""
    try:
        return f". {sentence(summary['verdict'])}"
    except (KeyError, TypeError, ValueError):
        return ""


def line(summary: dict[str, Any]) -> str:
    """The same in one line: what was run and its primary metric."""
    evaluation = summary["evaluation"]
    primary = evaluation["primary"]
    value = _number(evaluation["metrics"][primary]["value"])
    parts = (summary["model"]["source"], summary["head"]["name"], f"{primary} {value}")
    return f"Run({summary['run']!r}: {', '.join(map(str, parts))})"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else str(value)
