"""Unpacks the zip archive of a commit: plain files below one folder, and nothing else."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from zoo.errors import SourceError, TrustError

_MAX_BYTES = 2 << 30
_MAX_FILES = 100_000


def unpack(archive: Path, folder: Path, *, commit: str, name: str) -> None:
    """Write the files below an archive's top folder into `folder`; links are left out.

    Raises:
        SourceError: it is damaged, too large, or of another commit than `commit`.
        TrustError: it names a file outside its folder.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            stated = file.comment.decode(errors="replace")
            if stated and stated != commit:  # git writes the commit there
                raise SourceError(f"the archive of '{name}' is of commit {stated}, not {commit}")
            members = [info for info in file.infolist() if not info.is_dir()]
            size = sum(info.file_size for info in members)
            if len(members) > _MAX_FILES or size > _MAX_BYTES:
                raise SourceError(
                    f"the archive of '{name}' holds {len(members)} files of {size} bytes",
                    hint="clone it and name the folder: torchhub:./folder/entrypoint",
                )
            for info in members:
                _write(file, info, folder, name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise SourceError(
            f"the archive of '{name}' is damaged: {error}", hint="try again"
        ) from error


def _write(file: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path, name: str) -> None:
    path = PurePosixPath(info.filename)
    if path.is_absolute() or ".." in path.parts or set(info.filename) & set("\\:"):
        raise TrustError(
            f"the archive of '{name}' names '{info.filename}', a file outside its folder",
            hint="do not use this repository",
        )
    if stat.S_ISLNK(info.external_attr >> 16) or len(path.parts) < 2:
        return
    target = folder.joinpath(*path.parts[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.open(info) as source, target.open("xb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
