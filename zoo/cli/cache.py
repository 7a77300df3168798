"""``zoo cache``: what the feature store holds, and whether it is sound."""

from __future__ import annotations

import click

from zoo.cli import common
from zoo.errors import StoreError, UsageError


@click.group("cache")
def command() -> None:
    """List, describe and verify the feature store."""


@command.command("list")
@common.output
def list_command(*, as_json: bool, quiet: bool, debug: bool) -> None:
    """List the feature keys, with their rows and bytes."""
    del debug, quiet
    from zoo import settings
    from zoo.engine import list_stores

    found = list_stores(settings.store_root())
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
    from rich.table import Table
    from rich.text import Text

    table = Table("key", "source", "rows", "shards", "MB", box=None, pad_edge=False)
    for store in found:
        source = str(store.provenance.get("source", ""))
        size = f"{store.bytes / 1e6:.1f}"
        table.add_row(
            Text(store.folder.name), Text(source), str(store.rows), str(store.shards), size
        )
    common.console().print(table)


@command.command("info")
@click.argument("key")
@common.output
def info_command(key: str, *, as_json: bool, quiet: bool, debug: bool) -> None:
    """Describe one KEY (or the start of one)."""
    del debug, quiet
    from zoo import settings
    from zoo.engine import list_stores

    found = [s for s in list_stores(settings.store_root()) if s.folder.name.startswith(key)]
    if len(found) != 1:
        raise UsageError(f"{len(found)} keys start with '{key}'", hint="zoo cache list")
    store = found[0]
    described = {
        "schema": 1,
        "folder": str(store.folder),
        "key": dict(store.key),
        "columns": {
            name: {"dtype": column.dtype, "dim": column.dim, "rows": column.rows}
            for name, column in store.columns.items()
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

    common.console().print(json.dumps(described, indent=1, ensure_ascii=False))


@command.command("verify")
@common.output
def verify_command(*, as_json: bool, quiet: bool, debug: bool) -> None:
    """Read every byte of every shard; changes nothing, exits 5 on damage."""
    del debug
    from zoo import settings
    from zoo.engine import verify_stores

    report = verify_stores(settings.store_root())
    if as_json:
        common.print_json(
            {
                "schema": 1,
                "shards": report.shards,
                "rows": report.rows,
                "bytes": report.bytes,
                "damaged": [{"shard": shard, "reason": why} for shard, why in report.damaged],
            }
        )
    elif not quiet:
        size = report.bytes / 1e6
        common.console().print(f"{report.shards} shards, {report.rows} rows, {size:.1f} MB read")
    if report.damaged:
        for shard, why in report.damaged:
            common.warn(f"damaged: {shard}: {why}")
        raise StoreError(
            f"{len(report.damaged)} of {report.shards} shards are damaged",
            hint="delete the shards named above; their rows are computed again when needed",
        )
