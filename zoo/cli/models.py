"""``zoo models``: what a model source is and how its inputs are prepared."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli import common


@click.command("models")
@click.argument("source", required=False, default="")
@click.option("--preprocess", default="", envvar="ZOO_PREPROCESS", help="TOML or key=value,...")
@click.option("--offline", is_flag=True, envvar="ZOO_OFFLINE", help="Never open a socket.")
@common.trust_repo
@common.output
def command(  # noqa: D103 - click shows the help below
    source: str,
    *,
    preprocess: str,
    offline: bool,
    trust_repo: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    del debug, quiet
    registry = common.make_registry()
    if not source:
        _providers(registry, as_json=as_json)
        return
    from zoo.features import open_model
    from zoo.runs import RunOptions

    options = RunOptions(preprocess=preprocess, offline=offline, trust_repo=trust_repo)
    opened = open_model(registry, source, options.load_options())
    with registry.blaming("provider", opened.source.provider):
        contract = opened.contract.as_dict()
    if as_json:
        common.print_json({"schema": 1, "source": str(opened.source), "contract": contract})
        return
    common.show(f"source    {opened.source}")
    for name in ("modality", "tap", "pooling", "revision", "weights", "digest"):
        common.show(f"{name:<10}{contract[name] or '-'}")
    for title in ("info", "preprocess", "model"):
        common.show(title)
        for key, value in contract[title].items():
            common.show(f"  {key:<18}{value}")


command.help = """Show what SOURCE is and how its inputs are prepared; without SOURCE the providers.

Reads configuration alone: no weights are loaded.
"""


def _providers(registry: Any, *, as_json: bool) -> None:
    found = {name: item.entry.summary for name, item in registry.providers.items()}
    if as_json:
        common.print_json({"schema": 1, "providers": found})
        return
    for name, summary in found.items():
        common.show(f"{name + ':':<12}{summary}")
