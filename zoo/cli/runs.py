"""``zoo runs``: finished runs."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli import common

_BASE = Path("runs")


@click.group("runs", invoke_without_command=True)
@common.output
@click.pass_context
def command(ctx: click.Context, *, as_json: bool, quiet: bool, debug: bool) -> None:
    """List the finished runs below ./runs, or show one."""
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
    from zoo.cli.transfer import show
    from zoo.runs import load_run

    loaded = load_run(run, common.make_registry())
    if as_json or _asked_above():
        common.print_json(loaded.summary)
    else:
        show(loaded)


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
