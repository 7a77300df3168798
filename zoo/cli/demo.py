"""``zoo demo``: the whole way offline, on few of scikit-learn's handwritten digits."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import common
from zoo.cli.summary import conclude

if TYPE_CHECKING:
    from zoo.runs import Run, RunOptions

_MODEL = "builtin:formulanet"
_DATA = "sklearn:digits?shots=10"


@click.command("demo")
@common.head
@common.out
@common.no_verdict
@common.scratch_budget
@click.option("--seed", type=int, default=0, show_default=True, envvar="ZOO_SEED")
@click.option("--threads", type=int, default=None, envvar="ZOO_THREADS")
@common.output
def command(  # noqa: D103 - click shows the help below
    *, as_json: bool, quiet: bool, debug: bool, **chosen: Any
) -> None:
    del debug
    from zoo.runs import run_transfer

    registry = common.make_registry()
    with common.run_options(quiet=quiet, **chosen) as options:
        run = run_transfer(registry, _MODEL, _DATA, options=options)
    conclude(run, as_json=as_json, quiet=quiet, report=True)
    if as_json or quiet:
        return
    with common.run_options(quiet=True, **chosen) as options:  # what is amiss has been said
        again = run_transfer(registry, _MODEL, _DATA, options=_second_question(run, options))
    common.show("", *_told(run, again))


def _second_question(run: Run, options: RunOptions) -> RunOptions:
    """The same data and backbone under another head, in the first free folder beside the run."""
    from zoo.runs.folder import RunPlace

    head = "logistic" if run.summary["head"]["name"] == "lda" else "lda"
    place = None
    if options.out is not None:
        first = run.folder if run.folder.name else run.folder.resolve()
        free = RunPlace(first.with_name(f"{first.name}-{head}"), replaces=False).candidates()
        place = next(folder for folder in free if not os.path.lexists(folder))
    return replace(options, head=head, out=place, no_verdict=True)


def _told(run: Run, again: Run) -> list[str]:
    """What the second run cost, and what to type next."""
    metric, summary = again.metrics["accuracy"], again.summary
    passes, seconds = summary["features"]["forwards"], summary["ledger"]["seconds"]["total"]
    scored = f"accuracy {metric['value']:.3f} ({metric['low']:.3f} to {metric['high']:.3f})"
    return [
        f"again     --head {summary['head']['name']} on the same features: {scored},",
        f"          {passes} forward passes, {seconds:.1f} s",
        f"compare   {shlex.join(['zoo', 'report', str(run.folder), str(again.folder)])}",
        "yours     zoo transfer --model hf:facebook/dinov2-small --data ./photos",
        f"offline   zoo transfer --model {_MODEL} --data ./photos --offline",
    ]


command.help = f"""Run the whole way offline: 10 labels of each of ten handwritten digits.

The same as: zoo transfer --report --model {_MODEL} --data '{_DATA}'. The backbone was pretrained
by zoo's own script on drawings that formulas made; the other 1,697 digits judge what that is worth
against raw pixels, a network trained from scratch, and the same architecture with random weights.
Then one more question about the same features: what a second run costs.
"""
