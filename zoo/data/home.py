"""Says whether a path stays in the data folder, whatever links lie on its way."""

from __future__ import annotations

import os
from pathlib import Path


class Home:
    """A data folder.

    A snapshot in the Hugging Face Hub's cache is made of links to its repository's ``blobs``: that
    folder counts as inside.
    """

    def __init__(self, root: Path | str) -> None:
        self._folders = [os.path.realpath(root)]
        parts = Path(self._folders[0]).parts
        for i in range(len(parts) - 1, 1, -1):
            if parts[i] == "snapshots":
                blobs = Path(*parts[:i], "blobs")
                if blobs.is_dir() and not blobs.is_symlink():
                    self._folders.append(str(blobs))
                break

    def holds(self, path: Path | str) -> bool:
        """Whether the path, all links followed, is the folder or in it."""
        real = os.path.realpath(path)
        return any(within(real, folder) for folder in self._folders)


def within(path: str, folder: str) -> bool:
    """Whether a real path is a real folder or in it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
