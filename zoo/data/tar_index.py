"""Where the members of a tar archive lie, so that they are read in place and never unpacked."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from zoo.data.names import shown
from zoo.errors import DataError
from zoo.plugin import Blob

MAX_BYTES = 1 << 30  # of one member that is read
_BLOCK = 512
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, eq=False, slots=True)
class Member(Blob):
    """A file in an archive.

    Attributes:
        path: the archive.
        name: the file's own, with ``/``.
        offset: of its first byte.
        size: in bytes.
    """

    path: Path
    name: str
    offset: int
    size: int

    def read(self) -> bytes:
        """Its bytes; raises DataError where there are too many, or fewer than there were."""
        if self.size > MAX_BYTES:
            raise DataError(f"{shown(self.name)} has {self.size} bytes, more than {MAX_BYTES}")
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                content = file.read(self.size)
        except OSError as error:
            raise DataError(f"{shown(self.name)}: {error.strerror or error}") from error
        if len(content) != self.size:
            raise DataError(f"{shown(self.name)} is cut short: its archive changed meanwhile")
        return content


def members(path: Path, archive: str) -> tuple[list[Member], int]:
    """The regular files of an uncompressed archive in its order, and how many others there are.

    Links, devices and sparse files are counted and never followed; hidden files and folders are
    passed over.

    Args:
        path: the archive.
        archive: what it is called, for messages.

    Raises:
        DataError: it cannot be read, is compressed, damaged or cut short, or a member's name leads
            out of it.
    """
    try:
        with path.open("rb") as file:
            if file.read(2) == _GZIP:
                raise DataError(
                    f"{shown(archive)} is compressed", hint="gunzip it: samples are read in place"
                )
            file.seek(0)
            return _listed(file, path, archive)
    except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError) as error:
        what = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{shown(archive)} is no tar archive, damaged or cut short: {what}",
            hint="fetch or write it again",
        ) from error


def _listed(file: BinaryIO, path: Path, archive: str) -> tuple[list[Member], int]:
    found: list[Member] = []
    others = 0
    with tarfile.open(fileobj=file, mode="r:", encoding="utf-8") as tar:
        for entry in _entries(tar, archive):
            name = PurePosixPath(_text(entry.name))
            if name.is_absolute() or ".." in name.parts:
                raise DataError(
                    f"{shown(archive)}: the member {shown(str(name))} leads out of the archive",
                    hint="write the archive with names relative to its folder",
                )
            if entry.isdir() or name.name.startswith("."):
                continue
            if not entry.isreg() or entry.issparse():
                others += 1
                continue
            found.append(Member(path, str(name), entry.offset_data, entry.size))
        _check_end(file, tar.offset, archive)
    return found, others


def _entries(tar: tarfile.TarFile, archive: str) -> Iterator[tarfile.TarInfo]:
    """The archive's entries; each must lie behind the one before, so that the end is reached."""
    before = -1
    while (entry := tar.next()) is not None:
        if entry.size < 0 or tar.offset <= before:
            raise DataError(f"{shown(archive)}: the size of {shown(_text(entry.name))} is a lie")
        before = tar.offset
        tar.members.clear()  # type: ignore[attr-defined]  # else it keeps all of them
        yield entry


def _check_end(file: BinaryIO, offset: int, archive: str) -> None:
    """Refuse an archive without a block of zeros behind its last member.

    A reader takes a damaged header, or a cut between two members, for the end.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(offset)
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise DataError(
            f"{shown(archive)} is damaged or cut short at byte {min(offset, size)} of {size}",
            hint="fetch or write it again",
        )


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
