"""``zoo demo``: the whole way offline, on scikit-learn's handwritten digits."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli import common

_MODEL = "builtin:tinyconv"
_DATA = "sklearn:digits"


@click.command("demo")
@common.head
@common.out
@common.report
@common.no_verdict
@common.scratch_budget
@click.option("--seed", type=int, default=0, show_default=True, envvar="ZOO_SEED")
@click.option("--threads", type=int, default=None, envvar="ZOO_THREADS")
@common.output
def command(  # noqa: D103 - click shows the help below
    *, report: bool, as_json: bool, quiet: bool, debug: bool, **chosen: Any
) -> None:
    del debug
    from zoo.cli.summary import conclude
    from zoo.runs import run_transfer

    with common.run_options(quiet=quiet, **chosen) as options:
        run = run_transfer(common.make_registry(), _MODEL, _DATA, options=options)
    conclude(run, as_json=as_json, quiet=quiet, report=report)
    if not (quiet or as_json):
        common.show(
            "",
            "The backbone of this demo has random weights: it shows the way, not a gain.",
            "With a pretrained one: zoo transfer --model hf:org/name --data ./photos",
        )


command.help = f"""Run the whole way offline on 1,797 handwritten digits.

The same as: zoo transfer --model {_MODEL} --data {_DATA}. The built-in backbone has random weights
for now, so that the score is that of random features.
"""
