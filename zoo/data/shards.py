"""Finds the files of a data set that is cut into shards: their order, their splits, what lacks."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.data.home import Home
from zoo.data.names import existing, listed, shown, split_of, text_name
from zoo.errors import DataError
from zoo.plugin.dataset import SPLITS

MAX_SHARDS = 100_000
_RANGE = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")
# train-00000-of-00003, train-00000-of-00001-f17553292686b6e2, shard_0007, part.3, 0000
_NUMBERED = re.compile(r"(.*?)[-_.]?(\d+)(?:-of-(\d+))?(?:-[0-9a-f]{16})?", re.ASCII | re.DOTALL)
_FOLDERS = ("data", "default")  # that hold them in data sets of the Hugging Face Hub
_DEPTH = 4  # config/split/0000.parquet and one more


@dataclass(frozen=True)
class Shard:
    """One file: its name from the data folder, its path, and ``train``, ``val``, ``test`` or ""."""

    name: str
    path: Path
    split: str = ""


def expanded(reference: str) -> list[str]:
    """The names that a pattern like ``shard-{000..003}.tar`` stands for; else the name itself.

    Raises:
        DataError: the pattern counts down or further than anybody has shards.
    """
    match = None if os.path.lexists(reference) else _RANGE.search(reference)
    if match is None:
        return [reference]
    first, last = int(match[1]), int(match[2])
    if not 0 <= last - first < MAX_SHARDS:
        raise DataError(
            f"data {shown(reference)}: {match[0]} counts {'down' if last < first else 'too far'}",
            hint="write the lower number first, such as shard-{000000..000003}.tar",
        )
    width = len(match[1])
    names = [
        name
        for number in range(first, last + 1)
        for name in expanded(
            f"{reference[: match.start()]}{number:0{width}}{reference[match.end() :]}"
        )
    ]
    if len(names) > MAX_SHARDS:
        raise DataError(f"data {shown(reference)}: the pattern counts too far")
    return names


def shards(reference: str, suffixes: Sequence[str]) -> tuple[list[Shard], tuple[str, ...]]:
    """The files that a path, a pattern or a folder stands for, train first, and what to know.

    A file's split is what its name says before the number, or else a folder above it. Where some
    files have one, the others are left out.

    Raises:
        DataError: nothing is there, a shard of a counted series is missing, two series are of one
            split, or it is not clear which of several is meant.
    """
    names = expanded(reference)
    if names != [reference]:
        found = [Shard(text_name(Path(name).name), existing(name)) for name in names]
        return found, ()
    root = existing(reference)
    if not root.is_dir():
        return [Shard(text_name(root.name), root)], ()
    return _in_folder(root, suffixes)


def _in_folder(root: Path, suffixes: Sequence[str]) -> tuple[list[Shard], tuple[str, ...]]:
    series: dict[tuple[str, str], list[tuple[int, str, Path, int]]] = {}
    for relative in below(root, suffixes):
        folder, _, name = relative.rpartition("/")
        stem = name[: -next(len(s) for s in suffixes if name.lower().endswith(s))]
        match = _NUMBERED.fullmatch(stem)
        prefix, number, of = match.groups() if match else (stem, "0", None)
        entry = (int(number), relative, root / relative, int(of or 0))
        series.setdefault((folder, prefix), []).append(entry)
    if not series:
        raise DataError(f"data {shown(str(root))} holds no {' or '.join(suffixes)} files")
    by_split: dict[str, list[tuple[str, str]]] = {}
    for key in sorted(series):
        by_split.setdefault(_split(*key), []).append(key)
    others = by_split.pop("", [])
    notes: tuple[str, ...] = ()
    if by_split and others:
        count = sum(len(series[key]) for key in others)
        example = series[others[0]][0][1]
        notes += (f"ignored {count} files of no split, such as {shown(example)}",)
    for split, keys in (by_split or {"": others}).items():
        if len(keys) > 1:
            every = listed((series[key][0][1] for key in keys), 4)
            what = f"{every} are all the {split} split" if split else f"holds {every}"
            raise DataError(
                f"data {shown(str(root))}: {what}", hint="name one folder or file as --data"
            )
    out: list[Shard] = []
    for split in SPLITS if by_split else ("",):
        for key in by_split.get(split, [] if by_split else others):
            out += [Shard(text_name(n), path, split) for _, n, path, _ in _whole(series[key])]
    return out, notes


def _split(folder: str, prefix: str) -> str:
    parts = re.split(r"[-_.]", prefix)  # imagenet1k-train-0000, train_images-0000
    words = [prefix, parts[-1], parts[0], *reversed(folder.split("/"))]
    return next((split for word in words if (split := split_of(word))), "")


def _whole(series: list[tuple[int, str, Path, int]]) -> list[tuple[int, str, Path, int]]:
    """A series by number; raises DataError where its names count files that are not there."""
    series = sorted(series)
    total = series[0][3]
    numbers = [entry[0] for entry in series]
    if total and numbers != list(range(total)):
        absent = sorted(set(range(min(total, MAX_SHARDS))) - set(numbers))
        what = f"number {absent[0]:05} is missing" if absent else "there are more files than that"
        raise DataError(
            f"{shown(series[0][1])} is one of {total}: {what}",
            hint="fetch the missing shard, or rename those that are there",
        )
    return series


def below(root: Path, suffixes: Sequence[str]) -> list[str]:
    """Names from a folder, with ``/``, of the files below it that end so; hidden ones are not seen.

    Raises:
        DataError: a link leads out of the folder.
    """
    home = Home(root)
    found = []
    for folder, folders, files in os.walk(root):
        inner = Path(folder).relative_to(root).parts
        folders[:] = sorted(f for f in folders if f[0] not in "._") if len(inner) < _DEPTH else []
        for name in files:
            if name[0] in "._" or not name.lower().endswith(tuple(suffixes)):
                continue
            path = os.path.join(folder, name)  # noqa: PTH118 - names of any bytes
            if not home.holds(path):
                raise DataError(f"data: the link {shown(name)} leads out of the data folder")
            found.append("/".join((*inner, name)))
    return sorted(found)


def holds(folder: Path, suffixes: Sequence[str]) -> bool:
    """Whether a folder is one of shards by its names alone.

    They lie at its top, and no folders but splits beside them; or in splits; or in all its folders,
    as the configurations of a data set on the Hugging Face Hub do.
    """
    files, folders = _names(folder)
    known = [name for name in folders if name in _FOLDERS or split_of(name)]
    if any(name.lower().endswith(tuple(suffixes)) for name in files):
        return len(known) == len(folders)
    if any(holds(folder / name, suffixes) for name in known):
        return True
    return bool(folders) and all(holds(folder / name, suffixes) for name in folders)


def _names(folder: Path) -> tuple[list[str], list[str]]:
    """Files and folders that are not hidden."""
    try:
        with os.scandir(folder) as entries:
            every = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except OSError as error:
        raise DataError(f"data folder {shown(str(folder))} cannot be read: {error}") from error
    seen = [(name, is_dir) for name, is_dir in sorted(every) if name[0] not in "._"]
    return [n for n, is_dir in seen if not is_dir], [n for n, is_dir in seen if is_dir]
