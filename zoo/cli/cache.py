"""``zoo cache``: what the feature store holds, whether it is sound, and the way in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo.cli import cache_keys, common
from zoo.cli.cache_exchange import export_command, import_command
from zoo.cli.cache_prune import command as prune_command
from zoo.errors import StoreError

if TYPE_CHECKING:
    from zoo.engine import StoreInfo


@click.group("cache")
def command() -> None:
    """List, describe, verify, export, import and prune the feature store."""


command.add_command(export_command)
command.add_command(import_command)
command.add_command(prune_command)


@command.command("list")
@common.output
def list_command(*, as_json: bool, quiet: bool, debug: bool) -> None:
    """List the feature keys, with their rows and bytes."""
    del debug, quiet
    from zoo import settings

    found = _stores()
    if as_json:
        stores = [
            {
                "key": store.folder.name,
                "source": store.provenance.get("source"),
                "rows": store.rows,
                "shards": store.shards,
                "bytes": store.bytes,
            }
            for store in found
        ]
        common.print_json({"schema": 1, "home": str(settings.home()), "stores": stores})
        return
    rows = [
        (s.folder.name, s.provenance.get("source", ""), s.rows, s.shards, f"{s.bytes / 1e6:.1f}")
        for s in found
    ]
    common.show_table(("key", "source", "rows", "shards", "MB"), rows)


@command.command("info")
@click.argument("key")
@common.output
def info_command(key: str, *, as_json: bool, quiet: bool, debug: bool) -> None:
    """Describe one KEY (or the start of one)."""
    del debug, quiet
    from zoo.engine import FeatureStore

    with FeatureStore(cache_keys.find(key), read_only=True) as opened:
        store = opened.info()
    described = {
        "schema": 1,
        "folder": str(store.folder),
        "key": dict(store.key),
        "columns": {
            name: {"dtype": dtype, "dim": dim, "rows": rows}
            for name, (dtype, dim, rows) in store.columns.items()
        },
        "rows": store.rows,
        "shards": store.shards,
        "bytes": store.bytes,
        "provenance": dict(store.provenance),
    }
    if as_json:
        common.print_json(described)
        return
    import json

    common.show(*json.dumps(described, indent=1, ensure_ascii=False).splitlines())


@command.command("verify")
@common.output
def verify_command(*, as_json: bool, quiet: bool, debug: bool) -> None:
    """Read every byte of every shard; changes nothing, exits 5 on damage."""
    del debug
    found = _verify_all()
    if as_json:
        common.print_json(found)
    elif not quiet:
        size = found["bytes"] / 1e6
        line = f"{found['shards']} shards, {found['rows']} rows, {size:.1f} MB read"
        common.show(line)
    if found["damaged"]:
        for damage in found["damaged"]:
            common.warn(f"damaged: {damage['file']}: {damage['reason']}")
        raise StoreError(
            f"{len(found['damaged'])} files of {found['shards']} shards are damaged",
            hint="delete the files named above; their rows are computed again when needed",
        )


def _stores() -> list[StoreInfo]:
    """Every store under the home; damage is for the verbs to tell, once."""
    from zoo import settings
    from zoo.engine import list_stores

    cache_keys.say_damage_once()
    cache_keys.check_home()
    return list_stores(settings.store_root())


def _verify_all() -> dict[str, Any]:
    """Every store under the home, read to the last byte."""
    from zoo import settings
    from zoo.engine import FeatureStore

    found: dict[str, Any] = {"schema": 1, "shards": 0, "rows": 0, "bytes": 0, "damaged": []}
    for store in _stores():
        damaged = store.damaged
        if store.key:  # without a readable key there is nothing to open
            with FeatureStore(store.folder, read_only=True) as opened:
                report = opened.verify(threads=settings.threads())
            damaged = report.damaged
            found["shards"] += report.shards
            found["rows"] += report.rows
            found["bytes"] += report.bytes
        for name, why in damaged:
            found["damaged"].append({"file": str(store.folder / name), "reason": why})
    return found
