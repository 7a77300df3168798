"""Reads a folder of class folders, with or without train, val and test above them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.data.home import Home, within
from zoo.data.names import (
    existing,
    listed,
    modality_of,
    no_columns,
    short_name,
    shown,
    split_of,
    text_name,
)
from zoo.data.targets import check_task, unlabelled
from zoo.errors import DataError
from zoo.plugin import DataOptions, Dataset, DatasetReader, Item, Target

_EXPECTED = "expected FOLDER/<class>/<file>, or FOLDER/{train,val,test}/<class>/<file>"
_RANK = {"train": 0, "val": 1, "test": 2, None: 3}
_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".npz")


class FolderReader(DatasetReader):
    """Image or audio files whose folder is their label.

    Files count to the folder at class level however deep they lie. Other files and hidden ones
    are ignored; so are files of the rarer modality, and files outside class folders, with a note.
    """

    def claims(self, path: Path) -> bool:
        """Any folder, and a single image or audio file."""
        return path.is_dir() or modality_of(path.name) is not None

    def read(self, reference: str, options: DataOptions) -> Dataset:
        """The files, ordered by split (train, val, test) and then by path in code points."""
        check_task(options)
        no_columns(
            "a folder",
            input_=options.input,
            target=options.target,
            group=options.group,
            slices=options.slices,
        )
        root = existing(reference)
        if not root.is_dir():
            return _single(root, options)
        files = sorted(_walk(root), key=lambda found: (found.parts, str(found.path)))
        if not files:
            raise _empty(root)
        if not options.labelled:
            files, notes = _one_modality(files)
            items = tuple(Item("/".join(f.parts), f.path) for f in files)
            name, modality = short_name(root), files[0].modality
            return Dataset(name, modality, items, unlabelled(len(items)), notes=notes)
        return _labelled(root, files)


def media_below(root: Path, modality: str) -> list[str]:
    """The names of a folder's files of one modality, in code points of their path.

    Raises:
        DataError: a folder cannot be read, or a link leads out of the data folder.
    """
    return sorted("/".join(found.parts) for found in _walk(root) if found.modality == modality)


@dataclass(frozen=True)
class _Found:
    parts: tuple[str, ...]  # the path relative to the data folder, as UTF-8 text
    path: Path
    modality: str


def _labelled(root: Path, files: list[_Found]) -> Dataset:
    splits = _split_folders(root, files)
    level = 1 if splits else 0  # where in `parts` the class name stands
    inside = [f for f in files if len(f.parts) > level + 1 and (not splits or f.parts[0] in splits)]
    notes: tuple[str, ...] = ()
    if len(inside) < len(files):
        taken = set(inside)
        stray = "/".join(next(f for f in files if f not in taken).parts)
        count = len(files) - len(inside)
        notes += (f"ignored {count} files outside class folders, such as {shown(stray)}",)
    if not inside:
        raise DataError(
            f"data {shown(str(root))}: {len(files)} files, and none lies in a class folder",
            hint=f"{_EXPECTED}; or a metadata.csv there that names them",
        )
    if not splits and any(split_of(part) for f in inside for part in f.parts[1:-1]):
        classes = listed(sorted({f.parts[0] for f in inside}), 4)
        notes += (f"classes {classes} hold train or test folders: is one of them the data?",)
    inside, ignored = _one_modality(inside)
    split = [splits.get(f.parts[0]) for f in inside]
    order = sorted(range(len(inside)), key=lambda i: (_RANK[split[i]], i))
    return Dataset(
        short_name(root),
        inside[0].modality,
        tuple(Item("/".join(inside[i].parts), inside[i].path) for i in order),
        Target.from_labels([inside[i].parts[level] for i in order]),
        tuple(str(split[i]) for i in order) if splits else None,
        notes=notes + ignored,
    )


def _split_folders(root: Path, files: list[_Found]) -> dict[str, str]:
    """Top folders that are splits, with what they stand for; empty: they are classes.

    A folder called ``train`` among others may well be a class (of vehicles), so folders are
    splits if all are, or if train stands beside val or test, and there are class folders in them.
    """
    tops = {f.parts[0] for f in files if len(f.parts) > 1}
    splits = {top: split for top in sorted(tops) if (split := split_of(top))}
    canonical = set(splits.values())
    if len(splits) < len(tops) and not ("train" in canonical and len(canonical) > 1):
        return {}
    if splits and not any(f.parts[0] in splits and len(f.parts) > 2 for f in files):
        raise DataError(
            f"data {shown(str(root))}: the folders {listed(splits)} hold no class folders",
            hint=_EXPECTED,
        )
    if len(canonical) < len(splits):
        raise DataError(
            f"data {shown(str(root))}: two of the folders {listed(splits)} are the same split",
            hint="keep at most one for each of train, val and test",
        )
    return splits


def _one_modality(files: list[_Found]) -> tuple[list[_Found], tuple[str, ...]]:
    audio = sum(f.modality == "audio" for f in files)
    modality = "audio" if 2 * audio > len(files) else "image"
    kept = [f for f in files if f.modality == modality]
    rest = len(files) - len(kept)
    if not rest:
        return kept, ()
    return kept, (f"ignored {rest} files that are not {modality} files",)


def _single(path: Path, options: DataOptions) -> Dataset:
    modality = modality_of(path.name)
    if options.labelled or modality is None:
        what = "one file, not a folder" if modality else "not an image or audio file"
        raise DataError(f"data {shown(str(path))} is {what}", hint=_EXPECTED)
    item = Item(text_name(path.name), path)
    return Dataset(short_name(path), modality, (item,), unlabelled(1))


def _empty(root: Path) -> DataError:
    entries = sorted(text_name(name) for name in os.listdir(root))  # noqa: PTH208 - names alone
    tables = [name for name in entries if name.lower().endswith(_TABLES)]
    hint = f"the folder holds {listed(tables, 4)}: name one as --data" if tables else _EXPECTED
    what = "holds no image or audio files" if entries else "is an empty folder"
    return DataError(f"data {shown(str(root))} {what}", hint=hint)


def _walk(root: Path) -> Iterator[_Found]:
    """Every image and audio file below a folder; a link may not lead out of it, nor in circles."""
    home = Home(root)
    stack: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [(str(root), (), ())]
    while stack:
        folder, parts, trail = stack.pop()
        try:
            with os.scandir(folder) as entries:
                found = list(entries)
        except OSError as error:
            raise DataError(f"data folder {shown(folder)} cannot be read: {error}") from error
        for entry in found:
            name = text_name(entry.name)
            modality = modality_of(name)
            if name.startswith(".") or name == "__MACOSX":
                continue
            if entry.is_dir():
                deeper = trail
                if entry.is_symlink():
                    deeper = (*trail, os.path.realpath(folder))
                    _check_link(entry.path, home, deeper)
                stack.append((entry.path, (*parts, name), deeper))
            elif modality and (entry.is_file() or entry.is_symlink()):
                if entry.is_symlink():
                    _check_link(entry.path, home, ())
                yield _Found((*parts, name), Path(entry.path), modality)


def _check_link(path: str, home: Home, trail: tuple[str, ...]) -> None:
    real = os.path.realpath(path)
    if not home.holds(real):
        raise DataError(
            f"data: the link {shown(text_name(path))} leads out of the data folder",
            hint="copy the file into the folder, or remove the link",
        )
    if any(within(step, real) for step in trail):
        raise DataError(f"data: the link {shown(text_name(path))} leads in a circle")
    if not os.path.exists(real):  # noqa: PTH110 - a str all along, for any locale's bytes
        raise DataError(f"data: the link {shown(text_name(path))} leads to nothing")
