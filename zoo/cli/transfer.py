"""``zoo transfer``: train a head on a pretrained model's features and measure it."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli import common
from zoo.cli.summary import conclude
from zoo.errors import UsageError


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
@common.report
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
    report: bool,
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
    conclude(run, as_json=as_json, quiet=quiet, report=report)
    if gate:
        hold_to_gate(run.verdict, run.folder.as_posix())


command.help = """Train a head on a pretrained model's features and measure it.

The frozen backbone runs once; its features stay in the store, so that the next run on the same
samples costs no forward pass. The run's folder holds the head, predictions and metrics.
"""
