"""Makes a dataset of what a Python caller holds: paths, texts, pictures, arrays, DataFrames."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.arrays import SINGLE, labels_of, samples_of
from zoo.data.columns import TEXT_COLUMN, no_slice, target_columns
from zoo.data.frames import column, column_names, is_frame
from zoo.data.names import listed, modality_of, shown, text_name
from zoo.data.targets import (
    Cell,
    check_task,
    label_cell,
    label_text,
    slice_text,
    target_of,
    unlabelled,
)
from zoo.errors import DataError
from zoo.plugin import DataOptions, Dataset, Item, Target
from zoo.plugin.dataset import SPLITS


def from_items(
    items: Iterable[Any] | np.ndarray,
    labels: Any = None,
    *,
    name: str = "data",
    groups: Iterable[Any] | None = None,
    split: Iterable[str] | None = None,
    task: str = "auto",
) -> Dataset:
    """The dataset of items in memory, in their own order.

    Args:
        items: paths, texts, PIL images, uint8 arrays (h, w) or (h, w, 3), or recordings as
            floating-point arrays (samples,) at the backbone's own rate, all of one kind, in a
            sequence or Series; or one array uint8 (n, h, w[, 1 or 3]) or unicode (n,). A str that
            names an existing image or audio file is that file, any other str is a text; the two
            do not mix.
        labels: n labels (text, numbers, bools, or lists of those; None is unlabelled) in a sequence
            or Series; an array (n,) or (n, t) of t numbers or marks a row; a DataFrame or mapping
            of t columns; or None for none at all.
        name: what the data is called; items that are not files are called ``name:1``, …
        groups: n groups that never straddle a split; None or "" is no group.
        split: n of ``train``, ``val`` and ``test``.
        task: as on the command line.

    Raises:
        DataError: items of several kinds, of an unknown kind, or lengths that differ.
    """
    check_task(DataOptions(task=task))
    modality, made = _items(items, name)
    n = len(made)
    if not n:
        raise DataError(f"data {shown(name)}: no items")
    notes: tuple[str, ...] = ()
    target: Target = unlabelled(n)
    if labels is not None:
        columns = _label_columns(labels, n, name)
        target, notes = target_of(columns, where="labels", task=task)
    grouped = None
    if groups is not None:
        grouped = np.array([label_text(g, where="groups") or "" for g in groups], dtype=np.str_)
        _same_length(name, n, grouped, "groups")
    given = None if split is None else tuple(split)
    if given is not None:
        _same_length(name, n, given, "split names")
        if unknown := set(given) - set(SPLITS):
            raise DataError(
                f"data {shown(name)}: unknown split {listed(sorted(map(str, unknown)))}",
                hint=f"splits are {', '.join(SPLITS)}",
            )
    return Dataset(name, modality, made, target, given, grouped, notes)


def from_frame(frame: Any, labels: Any, options: DataOptions, *, name: str = "data") -> Dataset:
    """The dataset of a DataFrame's rows.

    Args:
        frame: of pandas or polars: a column of inputs as `from_items` takes them, by default its
            only one or ``text``; of targets, by default ``label``; and of groups if one is named.
        labels: as `from_items` takes them, instead of a column; or None.
        options: the columns and the task.
        name: what the data is called.

    Raises:
        DataError: a column is not there, or as `from_items`.
    """
    names = column_names(frame)
    hint = "name the columns with input, target and group"
    sole = names[0] if len(names) == 1 else TEXT_COLUMN
    items = column(frame, options.input or sole, hint)
    if options.labelled and labels is None:
        targets = target_columns(options)
        labels = {target: column(frame, target, hint) for target in targets}
    groups = column(frame, options.group, hint) if options.group else None
    made = from_items(items, labels, name=name, groups=groups, task=options.task)
    slices = {}
    for own in options.slices if options.labelled else ():
        if own not in names:
            raise no_slice(own, "the DataFrame", names)
        values = [slice_text(value, where=own) for value in column(frame, own, hint)]
        slices[own] = np.array(values, dtype=np.str_)
    return replace(made, slices=slices)


def _label_columns(labels: Any, n: int, name: str) -> dict[str, list[Cell]]:
    """The n cells of each column of labels."""
    if isinstance(labels, np.ndarray) and labels.dtype != object:
        return labels_of(labels, n, "labels")
    if isinstance(labels, np.ndarray) and labels.ndim == 2:
        labels = {str(j): labels[:, j] for j in range(labels.shape[1])}
    elif is_frame(labels):
        labels = {own: column(labels, own, "rename one") for own in column_names(labels)}
    elif not isinstance(labels, Mapping):
        own = getattr(labels, "name", None)
        labels = {own if own and isinstance(own, str) else SINGLE: labels}
    columns = {
        key: [label_cell(value, where="labels") for value in values]
        for key, values in labels.items()
    }
    for cells in columns.values():
        _same_length(name, n, cells, "labels")
    if not columns:
        raise DataError(f"data {shown(name)}: a DataFrame without columns holds no labels")
    return columns


def _same_length(name: str, n: int, values: Any, what: str) -> None:
    if len(values) != n:
        raise DataError(f"data {shown(name)}: {n} items and {len(values)} {what}")


def _items(items: Iterable[Any] | np.ndarray, name: str) -> tuple[str, tuple[Item, ...]]:
    if isinstance(items, (str, bytes, Path)):
        raise DataError(
            f"data {shown(str(items))} is one name where a list of items is expected",
            hint="open a folder or file by its path alone, or give a list",
        )
    if isinstance(items, np.ndarray) and items.dtype != object:
        modality, samples = samples_of(items, f"data {shown(name)}")
        return modality, tuple(Item(f"{name}:{i}", s) for i, s in enumerate(samples, 1))
    given = list(items)
    kinds = [_kind(item, name, i) for i, item in enumerate(given, 1)]
    different = sorted(set(kinds))
    if len(different) > 1:
        odd = next(i for i, kind in enumerate(kinds) if kind != kinds[0])
        raise DataError(
            f"data {shown(name)}: items of several kinds: the first is {kinds[0]}, "
            f"number {odd + 1} is {kinds[odd]}",
            hint="a str is a file where an image or audio file of that name exists, else a text",
        )
    if not given:
        return "image", ()
    if different[0].endswith(" file"):
        modality = different[0].removesuffix(" file")
        return modality, tuple(Item(text_name(Path(p).as_posix()), Path(p)) for p in given)
    if different[0] == "text":
        return "text", tuple(Item(f"{name}:{i}", str(text)) for i, text in enumerate(given, 1))
    if different[0] == "recording":
        return "audio", tuple(
            Item(f"{name}:{i}", np.asarray(one, np.float32)) for i, one in enumerate(given, 1)
        )
    arrays = (_pixels(item, f"data {shown(name)}, item {i}") for i, item in enumerate(given, 1))
    return "image", tuple(Item(f"{name}:{i}", pixels) for i, pixels in enumerate(arrays, 1))


def _kind(item: Any, name: str, number: int) -> str:
    if isinstance(item, str):
        modality = modality_of(item)
        # not Path.is_file: that raises on a text longer than a file name may be
        return f"{modality} file" if modality and os.path.isfile(item) else "text"  # noqa: PTH113
    if isinstance(item, Path):
        modality = modality_of(item.name)
        if modality is None:
            raise DataError(f"data {shown(str(item))} is not an image or audio file")
        if not item.is_file():
            raise DataError(f"data {shown(str(item))}: no such file")
        return f"{modality} file"
    if isinstance(item, np.ndarray) and item.ndim == 1 and item.dtype.kind == "f":
        return "recording"
    if isinstance(item, np.ndarray) or _is_picture(item):
        return "image"
    raise DataError(
        f"data {shown(name)}, item {number}: a {type(item).__name__} is no sample",
        hint="items are paths, texts, PIL images, uint8 arrays or recordings as float arrays",
    )


def _is_picture(item: Any) -> bool:
    pil = sys.modules.get("PIL.Image")  # an image exists only where PIL is imported
    return pil is not None and isinstance(item, pil.Image)


def _pixels(item: Any, where: str) -> np.ndarray:
    if isinstance(item, np.ndarray):
        modality, samples = samples_of(item[None], where)
        if modality != "image":
            raise DataError(f"{where}: an array of text where an image is expected")
        return np.asarray(samples[0])
    if item.mode in {"I", "F"} or item.mode.startswith("I;"):
        raise DataError(
            f"{where}: a picture of mode {item.mode} has more than 8 bits, and its range is open",
            hint="scale it to 0..255 and convert it to L or RGB",
        )
    return np.asarray(item if item.mode in {"L", "RGB"} else item.convert("RGB"))
