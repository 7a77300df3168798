"""The report of several runs: their scores beside each other, and which differences are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError
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
    try:
        metric, ranked = _ranked(runs)
    except DataError as error:
        return Headline("unknown", "", f"{count(len(runs))} runs side by side", shown(error, 300))
    best, second = ranked[0], ranked[1]
    value = number(_primary(best)["value"])
    sentence = f"{_name(best, runs)} has the highest {metric_name(metric)}: {value}"
    try:
        found = compare_runs(second, best).as_dict()
    except DataError as error:
        return Headline("unknown", "", sentence, f"{shown(error, 300)}.")
    difference = {name: 100 * part for name, part in found["difference"].items()}
    told = (
        "is shown to be better than"
        if found["verdict"] == "better"
        else ("is not shown to be better than")
    )
    more = (
        f"On the same {count(found['rows'], 'row')} it {told} {_name(second, runs)}: "
        f"{points(difference['value'])} points, 95\u00a0% interval {points(difference['low'])} to "
        f"{points(difference['high'])}, McNemar's p = {found['test']['p']:.2g}."
    )
    level = "positive" if found["verdict"] == "better" else "none"
    return Headline(level, "▲" if level == "positive" else "●", sentence, more)


def comparison_parts(runs: Sequence[Run]) -> list[Part]:
    """The runs' scores, the differences on the same rows, and what each run was."""
    return [_scores(runs), _differences(runs), _what(runs)]


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
        return Part("score", "The scores", notes=[("absent", f"{error}.")], tables=tables)
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
    return Part("score", "The scores", figures=[figure, *others], tables=tables)


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
    title = "Differences on the same rows"
    try:
        _metric, ranked = _ranked(runs)
    except DataError as error:
        return Part("differences", title, absent=f"{error}.")
    best, entries, rows, notes = ranked[0], [], [], []
    for run in ranked[1:]:
        try:
            found = compare_runs(best, run).as_dict()
        except DataError as error:
            notes.append(("absent", f"{_name(run, runs)}: {shown(error, 300)}."))
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
        return Part("differences", title, notes=notes)
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
    return Part("differences", title, figures=[figure], notes=notes)


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
    return Part("what", "What was run", tables=[Table(header, rows)])


def _ranked(runs: Sequence[Run]) -> tuple[str, list[Run]]:
    """The score that all runs are judged by, and the runs by it, the best first."""
    metrics = {run.summary["evaluation"]["primary"] for run in runs}
    if len(metrics) > 1:
        told = ", ".join(sorted(map(metric_name, metrics)))
        raise DataError(f"The runs are judged by different scores ({told})")
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
