"""File, split and class names: read as UTF-8 under any locale, shown on one line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from zoo.errors import DataError, UsageError

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
    | {".jp2"}
)
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3"})
_SPLIT_OF = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


def split_of(name: str) -> str | None:
    """The canonical split that a folder's or file's bare name stands for, in any case."""
    return _SPLIT_OF.get(name.lower())


def modality_of(name: str) -> str | None:
    """``image`` or ``audio`` by a file's extension, None for anything else."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a name, not a path
    if suffix in IMAGE_SUFFIXES:
        return "image"
    return "audio" if suffix in AUDIO_SUFFIXES else None


def text_name(name: str) -> str:
    r"""A file name as UTF-8 text, whatever the locale made of its bytes; else with ``\xNN``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def shown(text: str, limit: int = 80) -> str:
    """Text quoted for a one-line message: control characters escaped, long ones cut in the middle.

    A path is told apart by its end.
    """
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates: a file name under a locale that is not UTF-8
        text = text_name(text)
    end = limit // 2
    short = text if len(text) <= limit else f"{text[: limit - end - 1]}…{text[-end:]}"
    return "'" + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short) + "'"


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Names for a message, the first few of them."""
    every = list(names)
    text = ", ".join(shown(name, 40) for name in every[:limit])
    return text + (f" and {len(every) - limit} more" if len(every) > limit else "")


def existing(reference: str | Path) -> Path:
    """The path that a reference names; raises DataError where nothing is there."""
    try:
        path = Path(reference).expanduser()
        found = path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # no permission, a NUL, an unknown ~user
        raise DataError(f"data {shown(str(reference))} cannot be opened: {error}") from error
    if not found:
        raise DataError(
            f"data {shown(str(reference))}: no such file or folder",
            hint="give a folder of class folders, a .csv, .tsv, .jsonl, .parquet, .tar or .npz "
            "file, or sklearn:digits",
        )
    return path


def short_name(path: Path) -> str:
    """What data is called in folders and listings: the last part of its path without suffix."""
    real = path.resolve()
    return text_name(real.name if real.is_dir() else real.stem) or "data"


def no_columns(
    kind: str,
    *,
    input_: str = "",
    target: str = "",
    group: str = "",
    slices: Sequence[str] = (),
) -> None:
    """Refuse options that name columns where the data has none."""
    named = (("--input", input_), ("--target", target), ("--group", group))
    for option, value in (*named, *(("--slice", name) for name in slices)):
        if value:
            raise UsageError(
                f"{option} {shown(value)} names a column, and {kind} has none",
                hint=f"leave {option} out, or give a table (.csv, .tsv, .jsonl)",
            )
