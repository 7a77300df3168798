"""``zoo cache prune``: remove a key, keys not used for long, or the oldest beyond a size."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from zoo.cli import cache_keys, common
from zoo.errors import StoreError, UsageError

if TYPE_CHECKING:
    from zoo.engine import Pruned

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES = {"": 1, "b": 1}
_BYTES |= {f"{unit}b": 1000**power for power, unit in enumerate("kmgt", start=1)}
_BYTES |= {f"{unit}ib": 1024**power for power, unit in enumerate("kmgt", start=1)}


@click.command("prune")
@click.option("--key", help="Remove this key (or the one that starts so).")
@click.option("--older-than", help="Remove keys not used for so long: 30d, 12h, 90m, 2w.")
@click.option("--max-size", help="Remove the least recently used beyond so much: 10GB, 512MiB.")
@common.dry_run
@common.output
def command(
    *,
    key: str | None,
    older_than: str | None,
    max_size: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Remove features: a key, keys not used for long, or the oldest beyond a size.

    A key was used when a run last read or wrote it. For --max-size whole keys go, the least
    recently used first, and of the last one only its oldest shards. Keys that are being written
    into are left and named, as are files that are none of the store's.
    """
    del debug
    if key is None and older_than is None and max_size is None:
        raise UsageError(
            "prune what? Nothing is removed unless it is named",
            hint="--key KEY, --older-than 30d or --max-size 10GB; --dry-run shows what would go",
        )
    if key is not None and (older_than is not None or max_size is not None):
        raise UsageError(
            "--key removes one key, whatever its age and size", hint="give --key alone"
        )
    age = None if older_than is None else _amount(older_than, _SECONDS, "--older-than", "30d")
    size = None if max_size is None else int(_amount(max_size, _BYTES, "--max-size", "10GB"))
    from zoo import settings
    from zoo.engine import prune_stores

    cache_keys.check_home()
    keys = [] if key is None else [cache_keys.find(key).name]
    found = prune_stores(
        settings.store_root(), keys=keys, older_than=age, max_bytes=size, dry_run=dry_run
    )
    _show(found, dry_run=dry_run, as_json=as_json, quiet=quiet)
    if keys and found and found[0].busy:
        raise StoreError(
            f"key {keys[0]} is being written into ({found[0].busy}) and stays",
            hint="end what writes there, or wait for it",
        )


def _show(found: list[Pruned], *, dry_run: bool, as_json: bool, quiet: bool) -> None:
    gone = [each for each in found if each.files]
    freed = sum(each.bytes for each in gone)
    if as_json:
        removed = [
            {
                "key": each.folder.name,
                "whole": each.whole,
                "files": list(each.files),
                "bytes": each.bytes,
                "left": list(each.left),
            }
            for each in gone
        ]
        busy = [{"key": each.folder.name, "file": each.busy} for each in found if each.busy]
        common.print_json(
            {"schema": 1, "dry_run": dry_run, "removed": removed, "busy": busy, "bytes": freed}
        )
    else:
        rows = [
            (each.folder.name, "all" if each.whole else "some", len(each.files), _mb(each.bytes))
            for each in gone
        ]
        if rows:
            common.show_table(("key", "rows", "files", "MB"), rows)
        common.show(f"{_mb(freed)} MB {'would be ' if dry_run else ''}freed")
    if quiet:
        return
    for each in found:
        if each.busy:
            common.warn(f"left: key {each.folder.name} is being written into ({each.busy})")
        if each.left and each.whole:
            common.warn(f"left: {', '.join(each.left)} in {each.folder}: not the store's own")


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f}"


def _amount(text: str, units: dict[str, int], option: str, example: str) -> float:
    """A number and its unit; UsageError for anything else."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?) ?([a-zA-Z]*)", text.strip(), re.ASCII)
    unit = match[2].lower() if match else ""
    if match is None or unit not in units:
        known = ", ".join(unit for unit in units if unit)
        raise UsageError(
            f"{option} '{text}' is no number with a unit", hint=f"such as {example}; {known}"
        )
    return float(match[1]) * units[unit]
