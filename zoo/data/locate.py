"""Finds the reader for what the user calls the data, and says whether it can be learned from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.names import existing, listed, shown
from zoo.data.shards import expanded
from zoo.errors import DataError

if TYPE_CHECKING:
    from zoo.plugin import DataOptions, Dataset, DatasetReader

# Links, paths with "..", and what grows a thousandfold: unpacking is a matter of trust.
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")
RARE = 10  # below this a class's recall moves by more than 10 points with one sample


def open_dataset(
    data: str | Path, readers: Iterable[tuple[str, DatasetReader]], options: DataOptions
) -> Dataset:
    """Read data given as ``reader:reference`` or as a path.

    Args:
        data: a path, a pattern of shards such as ``shard-{000..003}.tar``, or a registered reader's
            name, a colon and what that reader understands; a path that looks so is written with
            ``./`` before it.
        readers: (name, reader) in the order in which they are asked for a path.
        options: what the user says about columns and task.

    Raises:
        DataError: nothing is there, nobody reads it, or the reader refuses it.
    """
    known = list(readers)
    if isinstance(data, str):
        prefix, colon, reference = data.partition(":")
        for name, reader in known:
            if colon and name == prefix:
                return reader.read(reference, options)
        there = os.path.exists(data)  # noqa: PTH110 - Path.exists raises on overlong names
        if colon and prefix.isidentifier() and len(prefix) > 1 and not there:
            raise DataError(
                f"data {shown(data)}: no reader is called {shown(prefix)}, no path is so named",
                hint=f"readers: {listed(name for name, _ in known)}",
            )
    files = expanded(str(data))
    path = existing(files[0])
    for _, reader in known:
        if reader.claims(path):
            return reader.read(str(path if files == [str(data)] else data), options)
    if path.name.lower().endswith(_ARCHIVES):
        raise DataError(
            f"data {shown(str(data))} is an archive, which zoo doesn't unpack",
            hint="unpack it with a tool that you trust, and name the folder",
        )
    raise DataError(
        f"data {shown(str(data))}: no reader knows this kind of file",
        hint="a folder of class folders, .csv, .tsv, .jsonl, .parquet, .tar and .npz are read; "
        f"readers: {listed(name for name, _ in known)}",
    )


def usable(dataset: Dataset) -> tuple[str, ...]:
    """Warnings about classes or labels with few samples, by name.

    Raises:
        DataError: there are fewer than two classes, numbers or sets of labels to tell apart.
    """
    target = dataset.target
    values = target.values[target.labelled]
    if len(values) == 0:
        raise DataError(
            f"data {shown(dataset.name)}: none of {len(dataset)} samples has a label",
            hint="labels are class folders, a target column or a label array",
        )
    if target.task != "class" and (values == values[0]).all():
        what = "number" if target.task == "regression" else "set of labels"
        raise DataError(
            f"data {shown(dataset.name)}: all {len(values)} labelled samples have one {what}",
            hint="there must be something to tell apart",
        )
    if target.task == "regression":
        return ()
    if target.task == "multilabel":
        kind, codes, counts = "label", np.arange(len(target.names)), (values == 1).sum(axis=0)
    else:
        kind, (codes, counts) = "class", np.unique(values, return_counts=True)
    if kind == "class" and len(codes) == 1:
        raise DataError(
            f"data {shown(dataset.name)} has one class only, {shown(target.names[codes[0]])}",
            hint="there must be at least two classes to tell apart",
        )
    return tuple(
        f"{kind} {shown(target.names[code])} has {count} "
        f"{'sample' if count == 1 else 'samples'} only"
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
        if count < RARE
    )
