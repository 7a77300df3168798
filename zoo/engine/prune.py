"""Removes features: a key, keys not used for long, or the least recently used beyond a size.

Files are unlinked, never truncated: whoever reads them at this moment reads on. A key into which
somebody writes is left as it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.engine.files import write_file
from zoo.engine.keys import KEY_FILE
from zoo.engine.native_errors import store_errors

_FOLDER = re.compile(r"[0-9a-f]{32}\Z")
_STEM = r"[0-9a-f]{16}-[0-9a-f]{8}-[0-9a-f]{16}"
_SHARD = re.compile(_STEM + r"\.safetensors\Z")
_JOURNAL = re.compile(_STEM + r"\.(journal|recover)\Z")
_NAMED = "(vouched|speed|frozen|unproven)-[0-9a-f]{12}"
_NOTE = re.compile(_NAMED + r"\.json\Z")
_TEMPORARY = re.compile(rf"({_STEM}\.safetensors|(key|{_NAMED})\.json\.\d+-[0-9a-f]{{16}})\.tmp\Z")
_SHARD_START = b'{"__metadata__":{"zoo.shard":"'
# A temporary file bears no lock. One that nobody has written to for so long is a dead writer's.
_WRITTEN_SECONDS = 600.0


@dataclass(frozen=True)
class Pruned:
    """What became of one key, or would become of it.

    Attributes:
        folder: its folder.
        whole: the key itself is gone, not some of its shards alone.
        files: names of what was removed.
        bytes: their sizes.
        left: names of files that are none of the store's.
        busy: name of a file that is being written, because of which the key stays; else empty.
    """

    folder: Path
    whole: bool
    files: tuple[str, ...] = ()
    bytes: int = 0
    left: tuple[str, ...] = ()
    busy: str = ""


@dataclass
class _Key:
    """A key's folder as it was found: names and sizes by kind, and when it was last used."""

    folder: Path
    shards: dict[str, int] = field(default_factory=dict)
    journals: dict[str, int] = field(default_factory=dict)
    temporary: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    key: dict[str, int] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    busy: str = ""
    used: float = 0.0

    @property
    def files(self) -> dict[str, int]:
        """What may be removed, in the order of removal: key.json last, or the rest is lost."""
        return {**self.shards, **self.journals, **self.temporary, **self.notes, **self.key}

    @property
    def bytes(self) -> int:
        return sum(self.files.values())


def mark_used(folder: Path) -> None:
    """Say that the store in `folder` was used just now; where that can't be written, nothing."""
    with contextlib.suppress(OSError):
        os.utime(folder / KEY_FILE)


def prune_stores(
    root: Path,
    *,
    keys: Sequence[str] = (),
    older_than: float | None = None,
    max_bytes: int | None = None,
    dry_run: bool = False,
) -> list[Pruned]:
    """Remove the named keys, those not used for so long, then the oldest until the rest fits.

    A key was used when its key.json (see `mark_used`), a shard or a journal was last written. For
    the size whole keys go, the least recently used first; of the last one only as many shards as
    need be, the oldest first. Keys that are being written into stay.

    Args:
        root: the folder of stores.
        keys: names of folders under it.
        older_than: seconds since the last use.
        max_bytes: what all stores together may take.
        dry_run: remove nothing.

    Returns:
        What became of each key that was to go, in the order of removal; keys that are being
        written into are named there, too.

    Raises:
        StoreError: a file could not be removed. What was removed before stays removed.
    """
    with store_errors(root):
        found = [_look(folder) for folder in _folders(root)]
    found = sorted((key for key in found if key.files), key=lambda k: (k.used, k.folder.name))
    now = time.time()
    done, rest = [], []
    for key in found:
        old = older_than is not None and now - key.used > older_than
        if key.folder.name in keys or old:
            done.append(_remove(key, list(key.files), dry_run=dry_run))
        if not done or done[-1].folder != key.folder or done[-1].busy:
            rest.append(key)
    if max_bytes is not None:
        told = {each.folder for each in done}
        shrunk = _shrink(rest, max_bytes, dry_run=dry_run)
        done += [each for each in shrunk if not (each.busy and each.folder in told)]
    return done


def _shrink(keys: Sequence[_Key], max_bytes: int, *, dry_run: bool) -> Iterator[Pruned]:
    over = sum(key.bytes for key in keys) - max_bytes
    for key in keys:
        if over <= 0:
            return
        names = list(key.files)
        if key.bytes > over:
            names, size = [], 0
            for name in sorted(key.shards):  # by the time of their making
                if size < over:
                    names.append(name)
                    size += key.shards[name]
            # Where shards are not enough, or nothing would be left but a name, the key goes, too.
            if size < over or (len(names) == len(key.shards) and not key.journals):
                names = list(key.files)
        done = _remove(key, names, dry_run=dry_run)
        over -= done.bytes
        yield done


def _remove(key: _Key, names: list[str], *, dry_run: bool) -> Pruned:
    busy, whole = key.busy, len(names) == len(key.files)
    if not busy and not dry_run:
        with store_errors(key.folder):
            busy = _look(key.folder).busy or _unlink(key, names, whole=whole)
            names = [name for name in names if not (busy and (key.folder / name).exists())]
    elif busy:
        names = []
    size = sum(key.files[name] for name in names)
    return Pruned(key.folder, whole and not busy, tuple(names), size, tuple(key.foreign), busy)


def _unlink(key: _Key, names: Sequence[str], *, whole: bool) -> str:
    """Remove the files; the name of one that somebody began to write meanwhile, if any."""
    with contextlib.ExitStack() as stack:
        # A journal whose lock is ours is not taken over by anybody while it goes.
        for name in key.journals:
            if name in names and not _lock(key.folder / name, stack.callback):
                return name
        for name in names:
            if name != KEY_FILE:
                (key.folder / name).unlink(missing_ok=True)
        if not whole:
            return ""
        key_file = key.folder / KEY_FILE
        try:
            content = key_file.read_bytes()
        except FileNotFoundError:
            content = b""
        for _ in range(2):  # looked at again once it is gone: who came between is not orphaned
            now = _look(key.folder)
            new = [*now.shards, *now.journals, *now.temporary]
            if new:
                if content:
                    write_file(key_file, content, replace=False)
                return new[0]
            key_file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # foreign files keep it
        key.folder.rmdir()
    return ""


def _folders(root: Path) -> list[Path]:
    try:
        names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except FileNotFoundError:
        return []
    return [root / name for name in names if _FOLDER.match(name)]


def _look(folder: Path) -> _Key:
    """What is in a key's folder; files that vanish meanwhile were removed by others."""
    key = _Key(folder)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return key
    for entry in entries:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        kind = "foreign" if entry.is_dir(follow_symlinks=False) else _kind(folder / entry.name)
        if kind == "foreign":
            key.foreign.append(entry.name)
            continue
        getattr(key, kind)[entry.name] = status.st_size
        young = time.time() - status.st_mtime < _WRITTEN_SECONDS
        writing = young if kind == "temporary" else kind == "journals" and not _lock(entry)
        if writing:
            key.busy = key.busy or entry.name
        if kind != "temporary":
            key.used = max(key.used, status.st_mtime)
    return key


def _kind(path: Path) -> str:
    """The field of `_Key` that a file belongs to."""
    name = path.name
    if name == KEY_FILE:
        return "key"
    if _SHARD.match(name) or _is_shard(path):
        return "shards"
    if _JOURNAL.match(name):
        return "journals"
    if _NOTE.match(name):
        return "notes"
    return "temporary" if _TEMPORARY.match(name) else "foreign"


def _is_shard(path: Path) -> bool:
    """Whether a file of another name is a shard of ours: one that was copied under a new one."""
    if path.suffix != ".safetensors" or path.name.startswith("."):
        return False
    try:
        with path.open("rb") as file:
            return file.read(8 + len(_SHARD_START))[8:] == _SHARD_START
    except OSError:
        return False


def _lock(path: os.PathLike[str], when_done: Callable[..., object] | None = None) -> bool:
    """Whether a journal's writer is dead: its lock can be had. Kept until `when_done` is called.

    Where there are no locks nobody knows, and the answer is no: a run that opens the store makes a
    shard of a dead writer's journal, which can then be removed.
    """
    try:
        import fcntl
    except ImportError:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    if when_done is None:
        os.close(descriptor)
    else:
        when_done(os.close, descriptor)
    return True
