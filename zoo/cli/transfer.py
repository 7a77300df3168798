"""``zoo transfer``: train a head on a pretrained model's features and measure it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo.cli import common
from zoo.cli.verdict import verdict_lines
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.runs import Run

_LABELS: dict[str, str | None] = {
    "brier": "Brier score",
    "auroc": "AUROC",
    "ece": "calibration error",
    "conformal_coverage": "in conformal set",
    "conformal_set_size": "classes in a set",
    "log_loss_uncalibrated": None,  # stands with the calibration
    "r2": "R2",
    "mae": "MAE",
    "rmse": "RMSE",
    "spearman": "Spearman's rho",
    "mean_average_precision": "average precision",
}


_ENDS = ("value", "low", "high")


@click.command("transfer")
@common.model
@common.data
@common.columns
@common.slices
@common.head
@common.coverage
@common.co2
@common.verdict
@common.out
@common.features
@common.compute
@common.dry_run
@common.output
def command(  # noqa: D103 - click shows the help below
    model: str,
    data: str,
    *,
    dry_run: bool,
    gate: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **chosen: Any,
) -> None:
    del debug
    from zoo.runs import dry_transfer, run_transfer
    from zoo.runs.verdict import hold_to_gate

    if gate and chosen["no_verdict"]:
        raise UsageError("--gate asks for a verdict, and --no-verdict leaves it out")

    registry = common.make_registry()
    with common.run_options(quiet=quiet, **chosen) as options:
        if dry_run:
            common.show_plan(dry_transfer(registry, model, data, options=options), as_json=as_json)
            return
        run = run_transfer(registry, model, data, options=options)
    if as_json:
        common.print_json(run.summary)
    else:
        show(run)
    if gate:
        hold_to_gate(run.verdict, run.folder.as_posix())


command.help = """Train a head on a pretrained model's features and measure it.

The frozen backbone runs once; its features stay in the store, so that the next run on the same
samples costs no forward pass. The run's folder holds the head, predictions and metrics.
"""


def show(run: Run) -> None:
    """The run in a few lines."""
    common.show(*lines(run))


def lines(run: Run) -> list[str]:
    """What a person wants to know first."""
    summary = run.summary
    data, features = summary["data"], summary["features"]
    head, evaluation = summary["head"], summary["evaluation"]
    splits = ", ".join(f"{name} {rows}" for name, rows in data["splits"].items())
    bad = f", {len(data['bad'])} unreadable" if data["bad"] else ""
    reused = max(0, features["rows"] - features["forwards"])
    strength = "" if head["strength"] is None else f", strength {head['strength']:.3g}"
    converged = " (NOT converged)" if head["converged"] is False else ""
    how = (
        f"{evaluation['rows']} held-out rows"
        if evaluation["protocol"] == "holdout"
        else f"5 x 5-fold cross-validation of {evaluation['rows']} rows"
    )
    took = f" ({features['seconds']:.1f} s)"
    out = [
        f"model     {summary['model']['source']} ({summary['model']['dim']} features)",
        f"data      {data['rows']} samples, {_outputs(summary)} ({splits}{bad})",
        f"features  {features['forwards']} forward passes, {reused} rows from the store{took}",
        f"head      {head['name']}{strength}{converged} ({head['seconds']:.1f} s)",
    ]
    primary = evaluation["primary"]
    for name, metric in evaluation["metrics"].items():
        if (label := _LABELS.get(name, name.replace("_", " "))) is None:
            continue
        value, low, high = (_number(name, metric[part]) for part in ("value", "low", "high"))
        value += f"   95 % interval {low} to {high}"
        out.append(f"{label:<18}{value}" + (f"   on {how}" if name == primary else ""))
    if unlike := evaluation.get("without_duplicates"):
        value, low, high = (_number(primary, unlike["metrics"][primary][p]) for p in _ENDS)
        label = _LABELS.get(primary, primary.replace("_", " "))
        value = f"{label} {value}   95 % interval {low} to {high}"
        out.append(f"without twins     {value}   on {unlike['rows']} rows that train lacks")
    out += _weakest(evaluation) + _slices(evaluation)
    if calibration := summary.get("calibration"):
        before = evaluation["metrics"]["log_loss_uncalibrated"]["value"]
        on = f"{calibration['method']}, on {calibration['rows']} out-of-fold rows"
        out.append(f"calibration       {on}; log loss without: {before:.3f}")
    if verdict := summary.get("verdict"):
        out += verdict_lines(verdict)
    if ledger := summary.get("ledger"):
        from zoo.runs.ledger import ledger_line

        out.append(f"ledger            {ledger_line(ledger)}")
    return [*out, f"run       {summary['run']}"]


def _weakest(evaluation: dict[str, Any]) -> list[str]:
    """Of more than two classes the one that is found least, and what it is taken for."""
    judged = [entry for entry in evaluation.get("classes") or () if entry["recall"]]
    if len(judged) < 3:
        return []
    worst = min(judged, key=lambda entry: entry["recall"]["value"])
    if worst["recall"]["value"] == 1.0:
        return []
    recall = {part: f"{value:.3f}" for part, value in worst["recall"].items()}
    pairs = evaluation["confusion"]["pairs"]
    taken = next((p["predicted"] for p in pairs if p["true"] == worst["name"]), None)
    most = "" if taken is None else f", taken for {taken[:40]!r} most"
    found = f"recall {recall['value']} ({recall['low']} to {recall['high']})"
    return [f"weakest class     {worst['name'][:40]!r}: {found} of {worst['rows']} rows{most}"]


def _slices(evaluation: dict[str, Any]) -> list[str]:
    """A line for each column that metrics are told apart by: its worst value."""
    primary, out = evaluation["primary"], []
    for column in evaluation.get("slices") or ():
        values = column["values"]
        worst = min(values, key=lambda v: v["metrics"][primary]["value"])
        metric = worst["metrics"][primary]
        value, low, high = (_number(primary, metric[part]) for part in _ENDS)
        count = len(values) + len(column["left_out"])
        called = f"lowest {value} ({low} to {high}) for {worst['value'] or 'blank'!r}"
        out.append(
            f"by {column['column'][:40]:<14} {count} values, {called} on {worst['rows']} rows"
        )
    return out


def _outputs(summary: dict[str, Any]) -> str:
    """What is predicted, and how many of it."""
    data = summary["data"]
    if summary["task"] == "class":
        return f"{data['classes']} classes"
    what = "number" if summary["task"] == "regression" else "label"
    return f"{data['outputs']} {what}{'' if data['outputs'] == 1 else 's'}"


def _number(metric: str, value: float) -> str:
    """A metric's value; those in the units of the targets by significant digits."""
    return f"{value:.4g}" if metric in {"mae", "rmse"} else f"{value:.3f}"
