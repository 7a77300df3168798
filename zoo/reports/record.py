"""What was run and what it cost: contract, versions, digests, the command, the ledger."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo.plugin import Source
from zoo.reports import svg
from zoo.reports.figure import Figure, Part, Table
from zoo.reports.words import NONE, count, metric_name, number, seconds, shown, size
from zoo.runs import RunOptions
from zoo.runs.wording import judged_by

if TYPE_CHECKING:
    from zoo.runs import Run

_LONGEST = 400  # characters of a value


def command_of(run: Run) -> str:
    """The command that repeats a run, its revision pinned.

    Empty where none does: the samples were in memory, or a name can't be shown in one line.
    """
    plan, chosen = run.plan, run.plan["options"]
    data = plan.get("data_path", plan.get("data"))
    if data is None:
        return ""
    words = ["zoo", "transfer", "--model", str(_found_anywhere(plan)), "--data", str(data)]
    words += ["--head", str(chosen.get("head", "auto"))]
    for name, default in RunOptions().as_dict().items():
        if name != "head" and name in chosen and chosen[name] != default:
            words += _flag(name, chosen[name])
    if any(shown(word, _LONGEST) != word for word in words):
        return ""
    return " ".join(map(shlex.quote, words))


def _found_anywhere(plan: Mapping[str, Any]) -> Source:
    """The source of a run's plan, its revision pinned, local files by paths from the root."""
    source = Source.parse(str(plan["resolved"]))
    if revision := plan["contract"].get("revision"):
        source = replace(source, revision=source.revision or revision)
    if plan.get("path") and source.path is not None:
        source = replace(source, reference=str(plan["path"]))
    if plan.get("weights_path") and source.weights:
        source = replace(source, weights=str(plan["weights_path"]))
    return source


def _flag(name: str, value: Any) -> list[str]:
    """A recorded choice as words of the command."""
    if name == "slices":
        return [word for column in value for word in ("--slice", str(column))]
    if name == "preprocess":
        value = ",".join(_setting(*pair) for pair in value.items())
    flag = f"--{name.replace('_', '-')}"
    return [flag] if value is True else [flag, str(value)]


def _setting(key: str, value: Any) -> str:
    if isinstance(value, list):
        return f"{key}={';'.join(map(str, value))}"
    return f"{key}={str(value).lower() if isinstance(value, bool) else value}"


def metrics_table(summary: Mapping[str, Any]) -> Table:
    """Every metric with its interval."""
    evaluation = summary["evaluation"]
    rows = [
        (
            metric_name(name),
            number(metric["value"]),
            f"{number(metric['low'])} to {number(metric['high'])}",
        )
        for name, metric in evaluation["metrics"].items()
    ]
    caption = f"Metrics on {count(evaluation.get('rows'), 'row')} ({judged_by(evaluation)})"
    return Table(("metric", "value", "95\u00a0% interval"), rows, caption)


def record_part(run: Run) -> Part:
    """What was run: enough to repeat it, and to see what would be another run."""
    plan, summary = run.plan, run.summary
    model, data, head = summary["model"], summary["data"], summary["head"]
    strength = head.get("strength")
    splits = ", ".join(f"{name} {count(rows)}" for name, rows in data["splits"].items())
    parameters = model.get("parameters")
    rows = [
        ("model", shown(model["source"], _LONGEST)),
        ("revision", shown(model.get("revision") or "none", _LONGEST)),
        ("parameters", count(parameters) if parameters else NONE),
        ("features", f"{count(model.get('dim'))} numbers a sample, {_dtype(summary)}"),
        ("data", shown(plan.get("data", ""), _LONGEST)),
        ("samples", f"{count(data.get('rows'))} ({splits}), {count(len(data['bad']))} unreadable"),
        ("head", f"{shown(head['name'])}{f', strength {strength:.3g}' if strength else ''}"),
        ("column in the store", shown(plan.get("column", ""), _LONGEST)),
    ]
    contract = [(key, _value(value)) for key, value in sorted(plan["contract"].items())]
    versions = [(key, _value(value)) for key, value in plan.get("versions", {}).items()]
    tables = [
        Table(("", ""), rows, "The run"),
        Table(
            ("key", "value"), contract, "Contract: how inputs are prepared, and by which weights"
        ),
        Table(("package", "version"), versions, "Versions"),
    ]
    notes = [("text", shown(note, _LONGEST)) for note in plan.get("notes", [])]
    command = command_of(run)
    lead = "This command repeats it; features that are still stored are not computed again."
    if str(run.plan["resolved"]).startswith("torchhub:"):
        lead += " The repository's code has to be trusted again (--trust-repo)."
    if not command:
        lead = "No command repeats it: its samples were in memory, or a name can't be shown."
    return Part(
        "record",
        "What was run",
        lead,
        notes=[*([("code", command)] if command else []), *notes],
        tables=[table for table in tables if table.rows],
    )


def _dtype(summary: Mapping[str, Any]) -> str:
    return shown(summary["features"].get("dtype") or "of unknown type")


def _value(value: Any) -> str:
    told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown(told, _LONGEST)


def ledger_part(ledger: Mapping[str, Any]) -> Part:
    """Seconds by phase as bars; memory, energy and what the store saved as a table."""
    phases = {
        name: float(value)
        for name, value in (ledger.get("seconds") or {}).items()
        if isinstance(value, int | float) and name != "total"
    }
    total = (ledger.get("seconds") or {}).get("total")
    rows = [*_used(ledger), *(_saved(*one) for one in (ledger.get("saved") or {}).items())]
    tables = [Table(("", ""), rows, "What it took, and what the store saved")] if rows else []
    figures = [_phases(phases, total)] if phases else []
    return Part("ledger", "Ledger", figures=figures, tables=tables)


def _used(ledger: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Processor time, memory, energy and carbon dioxide, each with where the figure is from."""
    rows = []
    if (took := ledger.get("cpu_seconds")) is not None:
        rows.append(("processor time", f"{seconds(took)} of all cores"))
    if (peak := ledger.get("peak_memory_bytes")) is not None:
        rows.append(("peak memory", size(peak)))
    if energy := ledger.get("energy"):
        sources = ", ".join(shown(name) for name in energy.get("sources") or {})
        how = "measured" if energy.get("measured") else "estimated"
        told = f"{number(energy.get('joules'))} J, {how}{f': {sources}' if sources else ''}"
        rows.append(("energy", told))
        rows += [("", shown(note, _LONGEST)) for note in energy.get("notes") or []]
    if co2 := ledger.get("co2"):
        per = f"at {number(co2.get('g_per_kwh'))} g/kWh ({shown(co2.get('source', ''), _LONGEST)})"
        rows.append(("CO2", f"{number(co2.get('grams'))} g, estimated {per}"))
    return rows


def _saved(name: str, one: Mapping[str, Any]) -> tuple[str, str]:
    """What a run did not take, against an alternative in words."""
    given = one.get("assumed") or {}
    named = {
        "store": "saved against an empty store",
        "rerun": f"saved against the backbone run in {count(given.get('fits'))} fits of "
        f"{count(given.get('epochs'))} epochs",
        "scratch": "saved against training from scratch",
    }
    told = named.get(name, f"saved against {shown(name)}")
    return told, f"{seconds(one.get('seconds'))}{', estimated' if one.get('estimate') else ''}"


def _phases(phases: Mapping[str, float], total: Any) -> Figure:
    scale = svg.Scale(0, max(phases.values()) or 1.0, 112, 296)
    marks = []
    for i, (name, value) in enumerate(phases.items()):
        y = 26.0 * i
        told = f"{name}: {seconds(value)}"
        marks += [
            svg.word(102, y + 15, svg.cut(shown(name.replace("_", " ")), 17), "label", "end"),
            svg.tag(
                "rect",
                x=112,
                y=y + 4,
                width=max(1.0, scale(value) - 112),
                height=14,
                rx=2,
                class_="bar",
                data_tip=told,
            ),
            svg.word(scale(value) + 6, y + 15, seconds(value), "value"),
        ]
    return Figure(
        "phases",
        "Time by phase",
        f"{seconds(total)} of wall time in all." if total is not None else "Wall time.",
        svg.drawing(26.0 * len(phases) + 4, "Seconds by phase", *marks),
        Table(("phase", "time"), [(shown(name), seconds(value)) for name, value in phases.items()]),
    )
