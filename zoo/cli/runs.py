"""``zoo runs``: finished runs, listed, shown and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo.cli import common

_BASE = Path("runs")


@click.group("runs", invoke_without_command=True)
@common.output
@click.pass_context
def command(ctx: click.Context, *, as_json: bool, quiet: bool, debug: bool) -> None:
    """List the finished runs below ./runs, show one, or compare two."""
    del debug, quiet
    if ctx.invoked_subcommand is None:
        _list(_BASE, as_json=as_json)


@command.command("list")
@click.argument("base", type=click.Path(path_type=Path), default=_BASE)
@common.output
def list_command(base: Path, *, as_json: bool, quiet: bool, debug: bool) -> None:
    """List the finished runs below BASE."""
    del debug, quiet
    _list(base, as_json=as_json or _asked_above())


@command.command("show")
@click.argument("run", type=click.Path(path_type=Path))
@common.output
def show_command(run: Path, *, as_json: bool, quiet: bool, debug: bool) -> None:
    """Show one finished run."""
    del debug, quiet
    from zoo.cli.summary import show
    from zoo.runs import load_run

    loaded = load_run(run, common.make_registry())
    if as_json or _asked_above():
        common.print_json(loaded.summary)
    else:
        show(loaded)


@command.command("compare")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@common.output
def compare_command(first: Path, second: Path, *, as_json: bool, quiet: bool, debug: bool) -> None:
    """Test whether SECOND is better than FIRST on the rows that judged both.

    Both runs must have been judged on the same rows. Prints the difference in accuracy with its
    95 % interval (Tango's) and McNemar's exact p-value.
    """
    del debug, quiet
    from zoo.runs import compare_runs, load_run

    registry = common.make_registry()
    found = compare_runs(*(load_run(run, registry) for run in (first, second))).as_dict()
    if as_json or _asked_above():
        common.print_json(found)
    else:
        common.show(*_comparison(found))


def _comparison(found: dict[str, Any]) -> list[str]:
    difference, right = found["difference"], found["right"]
    points = {name: f"{100 * value:+.1f}" for name, value in difference.items()}
    told = {
        "better": "the second is better",
        "worse": "the second is worse",
        "none": "no difference is shown",
    }
    lines = [
        f"{place:<12}{value:.3f}   {run}"
        for place, value, run in zip(
            ("first", "second"), found["values"], found["runs"], strict=True
        )
    ]
    interval = f"95 % interval {points['low']} to {points['high']}"
    lines.append(f"difference  {points['value']} points   {interval}   on {found['rows']} rows")
    counts = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in right.items())
    lines.append(f"right       {counts}")
    lines.append(f"McNemar     p = {found['test']['p']:.2g}: {told[found['verdict']]}")
    return lines


def _asked_above() -> bool:
    """Whether ``--json`` stands before the subcommand's name."""
    parent = click.get_current_context().parent
    return parent is not None and bool(parent.params.get("as_json"))


def _list(base: Path, *, as_json: bool) -> None:
    from zoo.runs import list_runs

    found = list_runs(base)
    if as_json:
        runs = [{**summary, "run": folder.as_posix()} for folder, summary in found]
        common.print_json({"schema": 1, "runs": runs})
        return
    rows = []
    for folder, summary in found:
        primary = summary["evaluation"]["primary"]
        value = summary["evaluation"]["metrics"][primary]["value"]
        names = (folder.as_posix(), summary["model"]["source"], summary["head"]["name"], primary)
        rows.append((*names, f"{value:.3f}"))
    common.show_table(("run", "model", "head", "metric", "value"), rows)
