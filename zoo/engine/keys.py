"""What names a store and its rows: a JSON key kept in clear text, and 16 bytes a row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine.files import write_file
from zoo.engine.native_errors import DAMAGED_HINT, store_errors, translated
from zoo.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEY_BYTES = 16
KEY_FILE = "key.json"


def row_keys(digests: Iterable[bytes], *, view: int = 0) -> NDArray[np.uint8]:
    """Keys of samples' rows, (n, 16) uint8, from their 16-byte digests.

    View 0 is the sample itself and its key the digest; another view (an augmentation's number)
    has the first 128 bits of SHA-256 of the digest and the view as 8 little-endian bytes.
    """
    keys = list(digests)
    if any(len(digest) != KEY_BYTES for digest in keys):
        raise StoreError(f"a row's digest has {KEY_BYTES} bytes")
    if view:
        suffix = view.to_bytes(8, "little")
        keys = [hashlib.sha256(digest + suffix).digest()[:KEY_BYTES] for digest in keys]
    return np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, KEY_BYTES)


def store_folder(root: Path | str, key: Mapping[str, Any]) -> Path:
    """The folder of a key: the first 32 hex digits of SHA-256 of its canonical JSON."""
    return Path(root) / hashlib.sha256(_json(dict(key), "key").encode()).hexdigest()[:32]


def write_key(folder: Path, key: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
    """Make the folder and its key.json unless it has one; of several creators the first wins."""
    content = {"key": dict(key), "provenance": dict(provenance)}
    text = _json(content, "provenance", indent=2) + "\n"
    with store_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / KEY_FILE, text.encode(), replace=False)


def read_key(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The key and the provenance in key.json; StoreError unless they belong to this folder."""
    path = folder / KEY_FILE
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise translated(folder, error) from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is damaged: {error}", hint=DAMAGED_HINT) from error
    whole = content if isinstance(content, dict) else {}
    key, provenance = whole.get("key"), whole.get("provenance")
    if not isinstance(key, dict) or not isinstance(provenance, dict):
        raise StoreError(f"{path} is damaged: it lacks a key or a provenance", hint=DAMAGED_HINT)
    if store_folder(folder.parent, key).name != folder.absolute().name:
        raise StoreError(
            f"{path} is damaged: its key does not belong in this folder", hint=DAMAGED_HINT
        )
    return key, provenance


def key_problem(folder: Path) -> str:
    """What is wrong with key.json; empty where nothing is."""
    try:
        read_key(folder)
    except StoreError as error:
        return str(error)
    return ""


def _json(value: Any, what: str, *, indent: int | None = None) -> str:
    separators = (",", ":") if indent is None else None
    try:
        text = json.dumps(
            value,
            sort_keys=True,
            indent=indent,
            separators=separators,
            ensure_ascii=False,
            allow_nan=False,
        )
        text.encode()
    except (TypeError, ValueError) as error:
        raise StoreError(f"a store's {what} must be JSON: {error}") from error
    return text
