"""``zoo models``: finds models by words, and says what a source is and how inputs are prepared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import common
from zoo.cli.contract import contract_lines
from zoo.errors import SourceError, ZooError

if TYPE_CHECKING:
    from zoo.plugin import Facts, Found
    from zoo.registry import Registry
    from zoo.runs import RunOptions

_FOUND = 20  # of each place that is searched
_TAPS_SHOWN = 12


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
    del debug
    registry = common.make_registry(quiet=quiet)
    if not source:
        _overview(registry, as_json=as_json)
    elif (query := _query(registry, source)) is not None:
        names, words = query
        _search(registry, names, words, offline=offline, as_json=as_json)
    else:
        from zoo.runs import RunOptions

        options = RunOptions(preprocess=preprocess, offline=offline, trust_repo=trust_repo)
        _inspect(registry, source, options, as_json=as_json)


command.help = """Find models, or show what one is.

SOURCE is a model source, such as hf:org/name: what it is, how large, under which licence, how its
inputs are prepared and which layers may stand after '#'. No weights are loaded.

Anything else is words to look for: in folders nearby, in the Hub's cache, on the Hub itself unless
--offline is given, and wherever plugins look. 'PROVIDER:' asks one provider for what is at hand.
Without an argument: the providers, and the models that need no download.
"""


def _query(registry: Registry, text: str) -> tuple[list[str], str] | None:
    """Providers to ask and words to look for; None where `text` is the source of one model.

    Raises:
        SourceError: it names a provider that there is not.
    """
    prefix, colon, rest = text.partition(":")
    if colon and not rest and prefix in registry.providers:
        return [prefix], ""
    try:
        registry.resolve_source(text)
    except SourceError:
        if colon:
            raise
        return list(registry.providers), text
    return None


def _overview(registry: Registry, *, as_json: bool) -> None:
    found = {name: item.entry.summary for name, item in registry.providers.items()}
    models, _ = _found(registry, list(found), "", offline=True)
    if as_json:
        listed = [asdict(model) for model in models]
        common.print_json({"schema": 1, "providers": found, "models": listed})
        return
    for name, summary in found.items():
        common.show(f"{name + ':':<12}{summary}")
    if models:
        common.show("", "at hand:")
        _table(models)


def _search(
    registry: Registry, names: list[str], words: str, *, offline: bool, as_json: bool
) -> None:
    models, failures = _found(registry, names, words, offline=offline)
    for line in failures:
        common.warn(f"warning: {line}")
    if as_json:
        listed = [asdict(model) for model in models]
        common.print_json({"schema": 1, "query": words, "models": listed, "failed": failures})
    elif models:
        _table(models)
    else:
        common.warn(f"nothing found for '{words}' among {', '.join(names)}")


def _found(
    registry: Registry, names: list[str], words: str, *, offline: bool
) -> tuple[list[Found], list[str]]:
    """What the providers find, those at hand first; and a line for each search that failed."""
    models: list[Found] = []
    failures: list[str] = []
    for name in names:
        try:
            with registry.blaming("provider", name):
                provider = registry.create("provider", name)
                for found in provider.search(words, offline=offline, limit=_FOUND):
                    models.append(found)  # noqa: PERF402 - what came before a failure counts
        except ZooError as error:
            failures.append(f"{name}: {error}")
    return sorted(models, key=lambda found: not found.local), failures


def _table(models: Iterable[Found]) -> None:
    rows = [
        (found.source, "yes" if found.local else "", found.licence, found.summary)
        for found in models
    ]
    common.show_table(("source", "at hand", "licence", ""), rows)


def _inspect(registry: Registry, source: str, options: RunOptions, *, as_json: bool) -> None:
    from zoo.features import open_model

    opened = open_model(registry, source, options.load_options())
    with registry.blaming("provider", opened.source.provider):
        contract = opened.stated()
        facts = opened.facts()
    if as_json:
        common.print_json(
            {
                "schema": 1,
                "source": str(opened.source),
                "contract": contract,
                "facts": asdict(facts),
            }
        )
        return
    common.show(f"source    {opened.source}")
    common.show(*_lines(facts))
    common.show("contract", *contract_lines(contract))
    _show_taps(facts, contract["tap"])


def _lines(facts: Facts) -> list[str]:
    parameters = "-" if facts.parameters is None else f"{facts.parameters:,}"
    return [
        f"features  {facts.dim or '-'}",
        f"size      {parameters} parameters",
        f"licence   {facts.licence or 'not stated'}",
    ]


def _show_taps(facts: Facts, chosen: str) -> None:
    """The tap in use, and the last layers: those are what features are usually taken from."""
    if not facts.taps:
        return
    names: list[Any] = list(facts.taps)
    common.show(f"taps ({len(names)}: SOURCE#NAME/pooling; all of them with --json)")
    shown = names[-_TAPS_SHOWN:]
    for name in [*([] if chosen in shown or chosen not in names else [chosen]), *shown]:
        shape = " x ".join("n" if axis < 0 else str(axis) for axis in facts.taps[name])
        common.show(f"  {name:<40}{shape or '?'}{'   (in use)' if name == chosen else ''}")
