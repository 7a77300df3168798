"""A run in 15 lines: what stands on its report's first screen, coloured on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.cli import common

if TYPE_CHECKING:
    from zoo.reports import Report
    from zoo.runs import Run

_LABELS = {
    "auroc": "AUROC",
    "brier": "Brier score",
    "ece": "calibration error",
    "macro_f1": "macro F1",
    "mean_average_precision": "average precision",
    "mae": "MAE",
    "micro_f1": "micro F1",
    "r2": "R2",
    "rmse": "RMSE",
    "spearman": "Spearman's rho",
}
# Not told here, but in the result and in the report: they say nearly the same as another.
_LEFT_OUT = frozenset(
    "balanced_accuracy brier log_loss_uncalibrated conformal_coverage conformal_set_size".split()
)
_COLOURS = {"positive": "green", "marginal": "yellow", "none": "yellow", "negative": "red"}
_ENDS = ("value", "low", "high")
_WIDE = 10  # characters of a line's label
_Line = tuple[str, str]


def conclude(run: Run, *, as_json: bool, quiet: bool, report: bool) -> None:
    """A finished run on stdout, with its report where one is asked for.

    A report that can't be written is a line, whatever the reason: the run is kept and worth more.
    """
    if not as_json:
        show(run)
    written: Report | None = None
    try:
        written = _report_of(run) if report else None
    finally:  # Ctrl-C meanwhile costs the report alone
        if as_json:
            where = None if written is None else written.path.as_posix()
            common.print_json({**run.summary, **({"report": where} if report else {})})
    if written is not None and not as_json:
        show_report(written, quiet=quiet)


def _report_of(run: Run) -> Report | None:
    from zoo.reports import write_report

    try:
        return write_report([run])
    except KeyboardInterrupt:
        folder = run.folder.as_posix()
        common.warn(f"the run is kept in '{folder}'; zoo report '{folder}' writes its report")
        raise
    except Exception as error:  # noqa: BLE001 - see above
        common.warn(f"warning: no report: {str(error) or type(error).__name__}")
        return None


def show_report(report: Report, *, quiet: bool) -> None:
    """Where a report lies, and what it could not show."""
    common.show(f"{'report':<{_WIDE}}{report.path} ({report.size / 1e6:.2f} MB)")
    if not quiet:
        for line in report.absent:
            common.warn(f"left out: {line}")


def show(run: Run) -> None:
    """The run's lines on stdout: foreign control characters harmless, plain in a pipe."""
    from rich.text import Text

    out = common.console()
    level = str((run.summary.get("verdict") or {}).get("level"))
    for line in lines(run):
        text = Text(common.printable(line))
        if not line.startswith(" "):
            text.stylize("dim", 0, _WIDE)
        if line.startswith("verdict "):
            text.stylize(f"bold {_COLOURS.get(level, '')}", _WIDE)
        out.print(text)


def lines(run: Run) -> list[str]:
    """What a person wants to know first; one line more for each column that is sliced by."""
    summary = run.summary
    out = [*_verdict(summary), *_score(summary), *_arms(summary), *_weak(summary), *_made(summary)]
    return [f"{label:<{_WIDE}}{text}" if label else text for label, text in out]


def _verdict(summary: dict[str, Any]) -> list[_Line]:
    from zoo.runs.wording import headline, surety

    verdict = summary.get("verdict")
    if not verdict:
        return []
    return [("verdict", headline(verdict)), ("", " " * _WIDE + surety(verdict))]


def _score(summary: dict[str, Any]) -> list[_Line]:
    """The primary metric with its interval, and the others."""
    from zoo.runs.wording import judged_by

    evaluation, verdict = summary["evaluation"], summary.get("verdict") or {}
    primary, metrics, rows = evaluation["primary"], evaluation["metrics"], evaluation["rows"]
    how = f"{rows} held-out rows"
    if evaluation["protocol"] == "cv":
        how = f"{judged_by(evaluation)} of {rows} rows"
    value, low, high = (_number(primary, metrics[primary][part]) for part in _ENDS)
    if majority := (verdict.get("arms") or {}).get("majority"):
        on = "" if verdict["rows"] == rows else f" on {verdict['rows']} of them"
        how += f" (majority {majority['value']:.3f}{on})"
    out = [("score", f"{_label(primary)} {value}   95 % interval {low} to {high}   on {how}")]
    others = [
        f"{_label(name)} {_number(name, metric['value'])}"
        for name, metric in metrics.items()
        if name != primary and name not in _LEFT_OUT
    ]
    if "conformal_coverage" in metrics:
        share, size = (metrics[f"conformal_{name}"]["value"] for name in ("coverage", "set_size"))
        others.append(f"conformal sets of {size:.3f} classes hold {share:.3f}")
    if others:
        out.append(("", " " * _WIDE + ", ".join(others)))
    return out


def _arms(summary: dict[str, Any]) -> list[_Line]:
    """What the transfer has to beat and by how many points it does, and what to do next."""
    from zoo.runs.wording import CALLED

    verdict = summary.get("verdict")
    if not verdict:
        return []
    out = []
    for name, arm in verdict["arms"].items():
        if name == "majority":  # stands with the score
            continue
        value, low, high = (f"{arm[part]:.3f}" for part in _ENDS)
        took = "from the cache" if arm["cached"] else f"{arm['seconds']:.1f} s"
        ahead = arm.get("delta") or {}
        how = "" if not ahead else "   {value:+.1f} ({low:+.1f} to {high:+.1f})".format_map(ahead)
        how += "   compared with" if name == verdict["reference"] else ""
        how += f"   {arm['chosen']}" if "chosen" in arm else ""
        out.append(("", f"  {CALLED[name]:<15} {value}   {low} to {high}   ({took}){how}"))
    for name, why in verdict["left_out"].items():
        out.append(("", f"  {CALLED[name]:<15} left out: {why}"))
    return [*out, ("next", verdict["advice"])]


def _weak(summary: dict[str, Any]) -> list[_Line]:
    """Where it does worse: a class, rows that training has not seen, a column's values."""
    evaluation = summary["evaluation"]
    primary, out = evaluation["primary"], []
    if unlike := evaluation.get("without_duplicates"):
        value, low, high = (_number(primary, unlike["metrics"][primary][p]) for p in _ENDS)
        value = f"{_label(primary)} {value}   95 % interval {low} to {high}"
        out.append(("no twins", f"{value}   on {unlike['rows']} rows that train lacks"))
    else:
        out += _weakest(evaluation)
    for column in evaluation.get("slices") or ():
        worst = min(column["values"], key=lambda v: v["metrics"][primary]["value"])
        value, low, high = (_number(primary, worst["metrics"][primary][part]) for part in _ENDS)
        count = len(column["values"]) + len(column["left_out"])
        lowest = f"lowest {value} ({low} to {high}) for {worst['value'] or 'blank'!r}"
        told = f"{count} values, {lowest} on {worst['rows']} rows"
        out.append(("sliced", f"by {column['column'][:40]}: {told}"))
    return out


def _weakest(evaluation: dict[str, Any]) -> list[_Line]:
    """Of more than two classes the one that is found least, and what it is taken for."""
    judged = [entry for entry in evaluation.get("classes") or () if entry["recall"]]
    worst = min(judged, key=lambda entry: entry["recall"]["value"], default=None)
    if len(judged) < 3 or worst is None or worst["recall"]["value"] == 1.0:
        return []
    recall = {part: f"{value:.3f}" for part, value in worst["recall"].items()}
    pairs = evaluation["confusion"]["pairs"]
    taken = next((p["predicted"] for p in pairs if p["true"] == worst["name"]), None)
    most = "" if taken is None else f", taken for {taken[:40]!r} most"
    found = f"recall {recall['value']} ({recall['low']} to {recall['high']})"
    return [("weakest", f"{worst['name'][:40]!r}: {found} of {worst['rows']} rows{most}")]


def _made(summary: dict[str, Any]) -> list[_Line]:
    """Model, data, features, head, cost and folder."""
    data, features, head = summary["data"], summary["features"], summary["head"]
    splits = ", ".join(f"{name} {rows}" for name, rows in data["splits"].items())
    bad = f", {len(data['bad'])} unreadable" if data["bad"] else ""
    reused = max(0, features["rows"] - features["forwards"])
    strength = "" if head["strength"] is None else f", strength {head['strength']:.3g}"
    converged = " (NOT converged)" if head["converged"] is False else ""
    calibrated = ""
    if calibration := summary.get("calibration"):
        before = summary["evaluation"]["metrics"]["log_loss_uncalibrated"]["value"]
        on = f"{calibration['method']} on {calibration['rows']} out-of-fold rows"
        calibrated = f", calibrated by {on} (log loss without: {before:.3f})"
    passes = f"{features['forwards']} forward passes, {reused} rows from the store"
    model, took = summary["model"], f"{features['seconds']:.1f} s"
    out = [
        ("model", f"{model['source']} ({model['dim']} features: {passes}, {took})"),
        ("data", f"{data['rows']} samples, {_outputs(summary)} ({splits}{bad})"),
        ("head", f"{head['name']}{strength}{converged} ({head['seconds']:.1f} s){calibrated}"),
    ]
    if ledger := summary.get("ledger"):
        from zoo.runs.ledger import ledger_line

        out.append(("ledger", ledger_line(ledger)))
    return [*out, ("run", str(summary["run"]))]


def _outputs(summary: dict[str, Any]) -> str:
    """What is predicted, and how many of it."""
    data = summary["data"]
    if summary["task"] == "class":
        return f"{data['classes']} classes"
    what = "number" if summary["task"] == "regression" else "label"
    return f"{data['outputs']} {what}{'' if data['outputs'] == 1 else 's'}"


def _label(metric: str) -> str:
    return _LABELS.get(metric, metric.replace("_", " "))


def _number(metric: str, value: float) -> str:
    """A metric's value; those in the units of the targets by significant digits."""
    return f"{value:.4g}" if metric in {"mae", "rmse"} else f"{value:.3f}"
