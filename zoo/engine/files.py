"""Writes small files whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path


def write_file(path: Path, content: bytes, *, replace: bool) -> None:
    """Write to a temporary file beside `path`, fsync it and give it its name.

    With ``replace=False`` a file that is there already stays, whoever made it: the first wins.
    Raises OSError; the temporary file is then removed where that is still possible.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            _link(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _link(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return
    except OSError:
        # No hard links on this file system: two creators within this instant may both rename, and
        # readers see the whole file of either.
        if not path.exists():
            temporary.replace(path)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network file systems know no fsync of folders
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)
