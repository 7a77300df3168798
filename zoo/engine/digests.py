"""Digests that name samples and weights: what they are, not where they lie."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

from zoo.engine.files import write_file
from zoo.errors import DataError

_log = logging.getLogger(__name__)

SAMPLE_DIGEST_BYTES = 16
_MEMO_NAME = "file-digests.json"
_MEMO_ENTRIES = 4096
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
# Of the caller and not of the process: providers make their FileDigests deep inside a dry run.
_REMEMBERS: ContextVar[bool] = ContextVar("zoo_remembers_digests", default=True)


def sample_digest(value: Path | str | bytes | np.ndarray[Any, Any]) -> bytes:
    """The first 128 bits of SHA-256 of a sample's content, as 16 bytes.

    A Path stands for its file's bytes and is the same sample as these bytes; a str stands for its
    UTF-8 text, an array for its dtype, shape and values in C order. Raises DataError for a file
    that can't be read and for what is no sample.
    """
    if isinstance(value, Path):
        try:
            with value.open("rb") as file:
                return hashlib.file_digest(file, "sha256").digest()[:SAMPLE_DIGEST_BYTES]
        except OSError as error:
            raise DataError(f"cannot read {value}: {error.strerror or error}") from error
    if isinstance(value, str):
        return hashlib.sha256(_utf8(value)).digest()[:SAMPLE_DIGEST_BYTES]
    if isinstance(value, bytes):
        return hashlib.sha256(value).digest()[:SAMPLE_DIGEST_BYTES]
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise DataError(f"an array of dtype {value.dtype} has no bytes to digest")
        head = b"array\0" + value.dtype.str.encode() + str(value.shape).encode()
        sha = hashlib.sha256(head)
        if value.nbytes:
            sha.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
        return sha.digest()[:SAMPLE_DIGEST_BYTES]
    raise DataError(f"a sample is a path, bytes, a text or an array, not {type(value).__name__}")


@contextlib.contextmanager
def nothing_remembered() -> Iterator[None]:
    """Inside, `FileDigests` write nothing down: a dry run leaves no trace."""
    token = _REMEMBERS.set(False)
    try:
        yield
    finally:
        _REMEMBERS.reset(token)


class FileDigests:
    """SHA-256 of large files, remembered by device, inode, size and time of change.

    Args:
        home: the folder of the memory, one small JSON file. Where it can't be read it is begun
            anew; where it can't be written nothing is remembered. Neither is an error.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / _MEMO_NAME

    def sha256(self, path: Path | str) -> str:
        """The file's SHA-256 as 64 hex digits; raises DataError where it can't be read.

        The Hugging Face Hub's cache keeps large files under their SHA-256 in a folder ``blobs``:
        such a file is not read.
        """
        try:
            resolved = Path(path).resolve(strict=True)
            if resolved.parent.name == "blobs" and _SHA256.match(resolved.name):
                return resolved.name
            return self._remembered(resolved)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error

    def derived(self, path: Path | str, kind: str, compute: Callable[[Path], str]) -> str:
        """What `compute` says of a file, remembered like its digest; `kind` names the question."""
        try:
            resolved = Path(path).resolve(strict=True)
            name = f"{_identity(resolved.stat())}:{kind}"
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error
        known = self._load().get(name)
        if known is not None:
            return known
        answer = compute(Path(path))
        self._remember(name, answer)
        return answer

    def _remembered(self, path: Path) -> str:
        name = _identity(path.stat())
        known = self._load().get(name)
        if known is not None:
            return known
        with path.open("rb") as file:
            before = _identity(os.fstat(file.fileno()))
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            after = _identity(os.fstat(file.fileno()))
        if before == after:  # written to meanwhile: true of no state of the file
            self._remember(after, digest)
        return digest

    def _load(self) -> dict[str, str]:
        try:
            memo = json.loads(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(memo, dict):
            return {}
        return {
            name: answer
            for name, answer in memo.items()
            if isinstance(answer, str) and (name.count(":") > 3 or _SHA256.match(answer))
        }

    def _remember(self, name: str, digest: str) -> None:
        if not _REMEMBERS.get():
            return
        # Read again: another process may have added to it. A lost entry costs one read.
        memo = self._load()
        memo.pop(name, None)
        memo[name] = digest
        kept = dict(list(memo.items())[-_MEMO_ENTRIES:])
        text = json.dumps(kept, indent=0)
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_file(self._path, text.encode(), replace=True)
            return
        _log.debug("cannot write %s: digests are not remembered", self._path)


def _identity(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"a text is not valid Unicode: {error.reason}") from error
