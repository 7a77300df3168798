"""The report of several runs: their scores beside each other, and which differences are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError
from zoo.reports.fence import Absent, attempt, fenced
from zoo.reports.figure import Figure, Part, Table
from zoo.reports.verdict import Headline, forest
from zoo.reports.words import (
    NONE,
    count,
    interval,
    metric_name,
    number,
    points,
    seconds,
    shown,
    size,
)
from zoo.runs import compare_runs
from zoo.runs.wording import CALLED

if TYPE_CHECKING:
    from zoo.runs import Run

_LOW = frozenset({"mae", "rmse", "log_loss"})  # the lower, the better


def comparison_headline(runs: Sequence[Run]) -> Headline:
    """Which run is best by the score they share, and whether that is more than chance."""
    sound, _ = _sifted(runs)
    if len(sound) < 2:
        more = f"Fewer than two of {count(len(runs), 'run')} can be shown."
        return Headline("unknown", "", f"{count(len(runs))} runs side by side", more)
    try:
        metric, ranked = _ranked(sound)
    except DataError as error:
        return Headline("unknown", "", f"{count(len(runs))} runs side by side", shown(error, 300))
    best, second = ranked[0], ranked[1]
    value = number(_primary(best)["value"])
    sentence = f"{_name(best, sound)} has the highest {metric_name(metric)}: {value}"
    found, why = attempt(lambda: _compared(second, best), "comparison")
    if found is None:
        return Headline("unknown", "", sentence, f"{why}.")
    difference = {name: 100 * part for name, part in found["difference"].items()}
    told = (
        "is shown to be better than"
        if found["verdict"] == "better"
        else ("is not shown to be better than")
    )
    more = (
        f"On the same {count(found['rows'], 'row')} it {told} {_name(second, sound)}: "
        f"{points(difference['value'])} points, 95\u00a0% interval {points(difference['low'])} to "
        f"{points(difference['high'])}, McNemar's p = {found['test']['p']:.2g}."
    )
    level = "positive" if found["verdict"] == "better" else "none"
    return Headline(level, "▲" if level == "positive" else "●", sentence, more)


def comparison_parts(runs: Sequence[Run]) -> list[Part]:
    """The runs' scores, the differences on the same rows, and what each run was.

    A run that can't be shown by itself is a line, and has no part in the rest.
    """
    sound, notes = _sifted(runs)
    parts = [
        fenced("score", "The scores", lambda: _scores(sound)),
        fenced("differences", "Differences on the same rows", lambda: _differences(sound)),
        fenced("what", "What was run", lambda: _what(sound)),
    ]
    return [replace(parts[0], notes=[*notes, *parts[0].notes]), *parts[1:]]


def _sifted(runs: Sequence[Run]) -> tuple[list[Run], list[tuple[str, str]]]:
    """The runs that can be shown, and a line for each other one."""
    sound, notes = [], []
    for run in runs:
        _, why = attempt(lambda run=run: (_scores([run]), _what([run])), "run")  # type: ignore[misc]
        if why:
            notes.append(("absent", f"{_name(run, runs)}: {why}."))
        else:
            sound.append(run)
    return sound, notes


def _compared(first: Run, second: Run) -> dict[str, Any]:
    """Two runs on the same rows; raises Absent where they can't be compared."""
    try:
        return compare_runs(first, second).as_dict()
    except DataError as error:
        raise Absent(shown(error, 300)) from error


def _scores(runs: Sequence[Run]) -> Part:
    told = [run.summary["evaluation"]["metrics"] for run in runs]
    rows = []
    for name in dict.fromkeys(name for one in told for name in one):
        cells = (
            f"{number(one[name]['value'])} ({interval(one[name])})" if name in one else NONE
            for one in told
        )
        rows.append((metric_name(name), *cells))
    header = ("metric", *(_name(run, runs) for run in runs))
    tables = [Table(header, rows, "Every metric, with its interval")]
    try:
        metric, ranked = _ranked(runs)
    except DataError as error:
        return Part("", "", notes=[("absent", f"{error}.")], tables=tables)
    best = ranked[0]
    figure = Figure(
        "scores",
        "The scores",
        f"{metric_name(metric).capitalize()} with its 95\u00a0% interval, the best first. "
        "Where intervals overlap, scores may still differ on the same rows: see below.",
        forest(
            [(_name(run, runs), _primary(run), run is best) for run in ranked],
            metric_name(metric),
            "Scores of the runs",
        ),
        Table(
            ("run", metric_name(metric), "95\u00a0% interval", "rows"),
            [
                (
                    _name(run, runs),
                    number(_primary(run)["value"]),
                    interval(_primary(run)),
                    count(run.summary["evaluation"].get("rows")),
                )
                for run in ranked
            ],
        ),
    )
    others = [_verdicts(runs)] if any(_verdict(run) for run in runs) else []
    return Part("", "", figures=[figure, *others], tables=tables)


def _verdicts(runs: Sequence[Run]) -> Figure:
    told = [(run, verdict) for run in runs if (verdict := _verdict(run))]
    entries = [
        (_name(run, runs), {"value": v["delta"], "low": v["low"], "high": v["high"]}, False)
        for run, v in told
    ]
    return Figure(
        "verdicts",
        "Gain over doing without the backbone",
        "Over the better of the raw input and training from scratch, in points, each on the rows "
        "of its own run, with its 95\u00a0% interval.",
        forest(entries, "points", "Gain over doing without the backbone", zero=True),
        Table(
            ("run", "verdict", "over", "points", "95\u00a0% interval"),
            [
                (
                    _name(run, runs),
                    shown(v["level"]),
                    shown(CALLED.get(v["reference"], v["reference"])),
                    points(v["delta"]),
                    f"{points(v['low'])} to {points(v['high'])}",
                )
                for run, v in told
            ],
        ),
    )


def _differences(runs: Sequence[Run]) -> Part:
    try:
        _metric, ranked = _ranked(runs)
    except DataError as error:
        raise Absent(str(error)) from error
    best, entries, rows, notes = ranked[0], [], [], []
    for run in ranked[1:]:
        found, why = attempt(lambda run=run: _compared(best, run), "difference")  # type: ignore[misc]
        if found is None:
            notes.append(("absent", f"{_name(run, runs)}: {why}."))
            continue
        points_of = {name: 100 * value for name, value in found["difference"].items()}
        entries.append((_name(run, runs), points_of, False))
        right = found["right"]
        rows.append(
            (
                _name(run, runs),
                points(points_of["value"]),
                f"{points(points_of['low'])} to {points(points_of['high'])}",
                count(right["only_first"]),
                count(right["only_second"]),
                f"{found['test']['p']:.2g}",
            )
        )
    if not entries:
        return Part("", "", notes=notes)
    names = (
        "run",
        "points",
        "95\u00a0% interval",
        "only the best right",
        "only it right",
        "McNemar's p",
    )
    figure = Figure(
        "differences",
        f"Difference to {_name(best, runs)}",
        "In points of accuracy on the same rows, with Tango's 95\u00a0% interval.",
        forest(entries, "points", "Differences to the best run", zero=True),
        Table(names, rows),
    )
    return Part("", "", figures=[figure], notes=notes)


def _what(runs: Sequence[Run]) -> Part:
    rows = []
    for run in runs:
        summary, ledger = run.summary, _ledger(run)
        head, model = summary["head"], summary["model"]
        strength = head.get("strength")
        total = (ledger.get("seconds") or {}).get("total")
        rows.append(
            (
                _name(run, runs),
                shown(model["source"]),
                count(model.get("dim")),
                f"{shown(head['name'])}{f' at {strength:.3g}' if strength else ''}",
                shown(run.plan.get("data", "")),
                shown(run.plan["options"].get("seed", "")),
                seconds(total),
                size(ledger.get("peak_memory_bytes")),
            )
        )
    header = ("run", "model", "features", "head", "data", "seed", "time", "peak memory")
    return Part("", "", tables=[Table(header, rows)])


def _ranked(runs: Sequence[Run]) -> tuple[str, list[Run]]:
    """The score that all runs are judged by, and the runs by it, the best first."""
    metrics = {run.summary["evaluation"]["primary"] for run in runs}
    if len(metrics) > 1:
        told = ", ".join(sorted(map(metric_name, metrics)))
        raise DataError(f"The runs are judged by different scores ({told})")
    if not metrics:
        raise DataError("None of the runs can be shown")
    (metric,) = metrics
    sign = 1.0 if metric in _LOW else -1.0
    return metric, sorted(runs, key=lambda run: sign * float(_primary(run)["value"]))


def _primary(run: Run) -> Mapping[str, Any]:
    evaluation = run.summary["evaluation"]
    found: Mapping[str, Any] = evaluation["metrics"][evaluation["primary"]]
    return found


def _verdict(run: Run) -> Mapping[str, Any] | None:
    verdict = run.summary.get("verdict")
    return verdict if isinstance(verdict, Mapping) and "delta" in verdict else None


def _name(run: Run, runs: Sequence[Run]) -> str:
    """A run by its folder's name, or its path where two have the same."""
    same = [other for other in runs if other.folder.name == run.folder.name]
    return shown(run.folder.name if len(same) == 1 else run.folder.as_posix())


def _ledger(run: Run) -> Mapping[str, Any]:
    told = run.summary.get("ledger")
    if isinstance(told, Mapping):
        return told
    try:
        read = json.loads((run.folder / "ledger.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
