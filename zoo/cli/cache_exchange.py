"""``zoo cache export`` and ``import``: rows out to files of other programs, and in from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo.cli import cache_keys, common
from zoo.errors import InterruptedByUser, UsageError

_column = click.option(
    "--column",
    "columns",
    multiple=True,
    envvar="ZOO_COLUMN",
    help="Column to take; may be given several times. Default: all.",
)


@click.command("export")
@click.argument("key")
@click.argument("file", type=click.Path(path_type=Path))
@_column
@common.output
def export_command(
    key: str, file: Path, *, columns: tuple[str, ...], as_json: bool, quiet: bool, debug: bool
) -> None:
    """Write the rows of KEY (or the start of one) to FILE.

    FILE ends in .safetensors, .parquet (needs pyarrow) or .npy. The first two hold the columns
    that have the same rows, and all that `zoo cache import` needs; .npy holds one column, and
    NAME.keys.npy the rows' keys beside it. FILE is written whole or not at all.
    """
    del debug
    from zoo import settings
    from zoo.engine import FeatureStore, export_rows

    folder = cache_keys.find(key)
    try:
        with (
            common.progress_bar(quiet=quiet) as progress,
            FeatureStore(folder, read_only=True) as store,
        ):
            done = export_rows(store, file, columns, threads=settings.threads(), progress=progress)
    except KeyboardInterrupt as error:
        raise InterruptedByUser(
            f"interrupted; '{file}' is as it was", hint="the same command begins anew"
        ) from error
    found = {
        "schema": 1,
        "key": folder.name,
        "files": [str(path) for path in done.paths],
        "columns": list(done.columns),
        "rows": done.rows,
        "bytes": done.bytes,
    }
    if as_json:
        common.print_json(found)
        return
    paths = " and ".join(str(path) for path in done.paths)
    common.show(f"{done.rows} rows of {', '.join(done.columns)} ({done.bytes / 1e6:.1f} MB)", paths)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--into", help="Key (or the start of one) of the store to take; default: FILE's own.")
@click.option("--key", help="Key of the store to take or make, as JSON or a .json file.")
@_column
@common.output
def import_command(
    file: Path,
    *,
    into: str | None,
    key: str | None,
    columns: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Add the rows in FILE to the store; rows that are there stay as they are.

    FILE is what `zoo cache export` wrote, a sealed shard, or any .safetensors, .npz or .parquet
    with keys (`key`, U8 (n, 16)) and columns ((n, d), float32, float16, bfloat16 or int8 with
    scales), or a .npy with its NAME.keys.npy. All of it is checked before a row is added.
    """
    del debug
    if into is not None and key is not None:
        raise UsageError("--into names a key that is there, --key another", hint="give one of them")
    from zoo import settings
    from zoo.engine import import_rows

    cache_keys.say_damage_once()
    folder = cache_keys.find(into) if into is not None else None
    stated = _stated_key(key) if key is not None else None
    with common.progress_bar(quiet=quiet) as progress:
        done = import_rows(
            file,
            settings.store_root(),
            into=folder,
            key=stated,
            columns=columns,
            threads=settings.threads(),
            progress=progress,
        )
    if done.different and not quiet:
        common.warn(
            f"{done.different} rows are in the store with other values, which were kept: "
            "a row is written once"
        )
    if as_json:
        found = {
            "schema": 1,
            "key": done.folder.name,
            "rows": done.rows,
            "new": done.new,
            "columns": dict(done.columns),
            "different": done.different,
        }
        common.print_json(found)
        return
    common.show(f"{done.rows} rows, {done.new} new in key {done.folder.name}")
    if len(done.columns) > 1:
        common.show(*(f"  {name}: {count} new" for name, count in done.columns.items()))


def _stated_key(text: str) -> dict[str, Any]:
    """A key from JSON, a file of it, or a store's key.json."""
    from zoo.engine.exchange.rows_file import strict_object

    where = "--key"
    if not text.lstrip().startswith("{"):
        where = f"'{text}'"
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"--key '{text}' is no JSON object and no file that can be read",
                hint='for example --key \'{"weights": "v1"}\'',
            ) from error
    try:
        found = strict_object(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is no JSON object: {error}") from error
    if set(found) == {"key", "provenance"} and isinstance(found["key"], dict):
        found = found["key"]  # a store's key.json, which says the key and who wrote first
    if not found:
        raise UsageError(f"{where} is an empty JSON object, which would be anybody's key")
    return found
