"""``zoo extract``: bring features into the store, and out to a file if one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo.cli import common


@click.command("extract")
@common.model
@common.data
@common.columns
@click.option(
    "--export",
    "export_to",
    type=click.Path(path_type=Path),
    envvar="ZOO_EXPORT",
    help="Write features, labels, items and split to FILE.npz or FILE.safetensors.",
)
@common.features
@common.compute
@common.dry_run
@common.output
def command(  # noqa: D103 - click shows the help below
    model: str,
    data: str,
    *,
    export_to: Path | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **chosen: Any,
) -> None:
    del debug
    from zoo.runs import dry_extract, run_extract

    registry = common.make_registry()
    with common.run_options(quiet=quiet, **chosen) as options:
        if dry_run:
            plan = dry_extract(registry, model, data, options=options, export_to=export_to)
            common.show_plan(plan, as_json=as_json)
            return
        result = run_extract(registry, model, data, options=options, export_to=export_to)
    if as_json:
        common.print_json(result.summary)
        return
    features = result.summary["features"]
    each = "each token, patch or frame" if chosen["features"] == "tokens" else "each"
    common.show(
        f"features  {features['rows']} distinct samples, {features['dim']} features {each}; "
        f"{features['forwards']} forward passes ({features['seconds']:.1f} s)"
    )
    if export_to is not None:
        common.show(f"export    {export_to}")


command.help = """Bring features into the store, and out to a file if one is named.

An exported .npz holds features float32 (n, d), labels, items and split, one row an item. With
--features tokens it holds those of every token, patch or frame, (sum t, d), and offsets (n + 1).
"""
