"""Reads samples and labels from one .npz file; a pickle in it is never opened."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo.data.columns import no_slice
from zoo.data.names import existing, listed, short_name, shown, text_name
from zoo.data.targets import Cell, check_task, label_text, target_of, unlabelled
from zoo.errors import DataError
from zoo.plugin import DataOptions, Dataset, DatasetReader, Item, Target
from zoo.plugin.dataset import SPLITS

_INPUTS = ("x", "X", "images", "texts")
_TARGETS = ("y", "labels", "label")
SINGLE = "target"  # what the one column of an array is called
_BROKEN = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    RuntimeError,
    NotImplementedError,
    OverflowError,
    zipfile.BadZipFile,
    zlib.error,
)  # what NumPy and zipfile raise on damaged, encrypted, lying or foreign files


class ArraysReader(DatasetReader):
    """Images (uint8) or texts (unicode) with labels, in arrays named like Keras's or plainly.

    ``x`` (or ``X``, ``images``, ``texts``) with ``y`` (or ``labels``, ``label``), or ``x_train``,
    ``y_train``, ``x_test``, ``y_test`` and perhaps ``x_val``, ``y_val``. ``--input``, ``--target``
    and ``--group`` name others, with or without these endings.
    """

    def claims(self, path: Path) -> bool:
        """A file called .npz."""
        return path.suffix.lower() == ".npz" and not path.is_dir()

    def read(self, reference: str, options: DataOptions) -> Dataset:
        """The rows in file order; items are called ``file.npz:1``, and so on."""
        check_task(options)
        path = existing(reference)
        name = text_name(path.name)
        try:
            # opened here: np.load leaves its own file open where the archive is damaged
            with path.open("rb") as raw, warnings.catch_warnings(action="ignore"):
                file = np.load(raw, allow_pickle=False)
                if not isinstance(file, np.lib.npyio.NpzFile):
                    raise DataError(f"{shown(name)} is one array, not an .npz file")
                with file:
                    parts = _parts(file, name, options)
        except _BROKEN as error:
            raise DataError(
                f"{shown(name)} cannot be read: {' '.join(str(error).split())}",
                hint="write it with numpy.savez; pickled (object) arrays are never read",
            ) from error
        return _joined(parts, name, short_name(path), options)


# split, inputs, labels, groups, slices
_Part = tuple[
    str | None, np.ndarray, "np.ndarray | None", "np.ndarray | None", dict[str, np.ndarray]
]


def _parts(file: Mapping[str, np.ndarray], name: str, options: DataOptions) -> list[_Part]:
    there = list(file)
    inputs = _choose(there, (options.input,) if options.input else _INPUTS)
    targets = _choose(there, (options.target,) if options.target else _TARGETS)
    groups = _choose(there, (options.group,)) if options.group else {}
    if not inputs:
        raise DataError(
            f"{shown(name)} has no array {listed([options.input] if options.input else _INPUTS)}; "
            f"it has {listed(there)}",
            hint="name the arrays with --input and --target",
        )
    if options.group and groups.keys() != inputs.keys():
        raise DataError(
            f"{shown(name)} has no array {shown(options.group)} for all of its inputs; "
            f"it has {listed(there)}",
            hint="name the array of groups with --group",
        )
    slices = {}
    for own in options.slices if options.labelled else ():
        slices[own] = _choose(there, (own,))
        if slices[own].keys() != inputs.keys():
            raise no_slice(own, shown(name), [array for array in there if array not in inputs])
    if options.labelled and targets.keys() != inputs.keys():
        lacking = sorted((s or "") for s in inputs.keys() ^ targets.keys())
        of = f" for {listed(lacking)}" if any(lacking) else ""
        raise DataError(
            f"{shown(name)} has inputs without labels or labels without inputs{of}; "
            f"it has {listed(there)}",
            hint="name the arrays with --input and --target",
        )
    return [
        (
            split,
            file[inputs[split]],
            file[targets[split]] if options.labelled else None,
            file[groups[split]] if groups else None,
            {own: file[arrays[split]] for own, arrays in slices.items()},
        )
        for split in inputs
    ]


def _choose(there: list[str], candidates: tuple[str, ...]) -> dict[str | None, str]:
    """Which array serves which split (None: all), for the first candidate that is there."""
    for base in candidates:
        if base in there:
            return {None: base}
        splits: dict[str | None, str] = {s: f"{base}_{s}" for s in SPLITS if f"{base}_{s}" in there}
        if splits:
            return splits
    return {}


def _joined(parts: list[_Part], file: str, name: str, options: DataOptions) -> Dataset:
    items: list[Item] = []
    columns: dict[str, list[Cell]] = {}
    split: list[str] = []
    groups: list[str] = []
    slices: dict[str, list[str]] = {}
    modalities = set()
    for kind, inputs, targets, members, beside in parts:
        where = f"{shown(file)}{f' ({kind})' if kind else ''}"
        modality, samples = samples_of(inputs, where)
        modalities.add(modality)
        first = len(items) + 1
        items += [Item(f"{file}:{first + i}", sample) for i, sample in enumerate(samples)]
        split += [kind] * len(samples) if kind else []
        if targets is not None:
            labels = labels_of(targets, len(samples), where)
            if columns and columns.keys() != labels.keys():
                raise DataError(
                    f"{shown(file)}: the splits have {len(columns)} and {len(labels)} labels a row"
                )
            for column, cells in labels.items():
                columns.setdefault(column, []).extend(cells)
        if members is not None:
            groups += _groups(members, len(samples), f"{where}: groups")
        for own, values in beside.items():
            named = _groups(values, len(samples), f"{where}: {shown(own)}")
            slices.setdefault(own, []).extend(named)
    if not items:
        raise DataError(f"{shown(file)} holds no rows")
    if len(modalities) > 1:
        raise DataError(f"{shown(file)} mixes images and texts")
    notes: tuple[str, ...] = ()
    target: Target = unlabelled(len(items))
    if options.labelled:
        target, notes = target_of(columns, where="the label array", task=options.task)
    given = tuple(split) if split and options.labelled else None
    grouped = np.array(groups, dtype=np.str_) if options.group else None
    told = {own: np.array(values, dtype=np.str_) for own, values in slices.items()}
    return Dataset(name, modalities.pop(), tuple(items), target, given, grouped, notes, told)


def _groups(members: np.ndarray, n: int, where: str) -> list[str]:
    if members.shape != (n,) or members.dtype.kind not in "biuUS":
        raise DataError(
            f"{where} are {members.dtype} {members.shape}",
            hint=f"they are ({n},) texts or whole numbers, one an input",
        )
    return [(label_text(value, where=where) or "").strip() for value in members]


def samples_of(inputs: np.ndarray, where: str) -> tuple[str, Sequence[np.ndarray | str]]:
    """The modality and the single samples of an array of images or texts.

    Args:
        inputs: uint8 (n, h, w), (n, h, w, 1) or (n, h, w, 3), or unicode (n,).
        where: what the array is, for messages.

    Raises:
        DataError: the array is something else, and what it would have to be.
    """
    if inputs.dtype.kind == "U" and inputs.ndim == 1:
        return "text", [str(text) for text in inputs]
    shape = f"{inputs.dtype} {inputs.shape}"
    if inputs.dtype != np.uint8:
        raise DataError(
            f"{where}: inputs are {shape}, neither uint8 images nor unicode texts",
            hint=_as_pixels(inputs),
        )
    if inputs.ndim == 4 and inputs.shape[-1] == 1:
        inputs = inputs[..., 0]
    if inputs.ndim not in {3, 4} or (inputs.ndim == 4 and inputs.shape[-1] != 3):
        raise DataError(
            f"{where}: inputs are {shape}",
            hint="channels come last: give images.transpose(0, 2, 3, 1)"
            if inputs.ndim == 4 and inputs.shape[1] in {1, 3}
            else "images are (n, height, width), (n, height, width, 1) or (n, height, width, 3)",
        )
    if 0 in inputs.shape[1:]:
        raise DataError(f"{where}: inputs are {shape}: images without pixels")
    return "image", list(inputs)


def _as_pixels(inputs: np.ndarray) -> str:
    """What to do with an array that isn't uint8, by the range of its numbers."""
    rule = "give images as uint8, 0..255"
    if inputs.dtype.kind not in "biuf" or inputs.ndim < 3 or not inputs.size:
        return f"{rule}: a float image does not say what its range means"
    low, high = float(inputs.min()), float(inputs.max())
    if not np.isfinite([low, high]).all():
        return f"{rule}: these are not even finite"
    if low < 0:
        return f"{rule}: these ({low:.3g}..{high:.3g}) look normalised, which zoo does by itself"
    if high <= 1:
        return f"{rule}: these lie in 0..1: (255 * images).round().astype('uint8')"
    if high <= 255:
        return f"{rule}: these lie in 0..255: images.round().astype('uint8')"
    return f"{rule}: these reach {high:.6g}, as 16-bit images do: divide by 257 first"


def labels_of(targets: np.ndarray, n: int, where: str) -> dict[str, list[Cell]]:
    """The n cells of each column of an array of shape (n,) or (n, t), as text.

    A single column is called ``target``; several are called by their numbers, from 0.
    """
    if targets.ndim not in {1, 2} or 0 in targets.shape[1:]:
        raise DataError(
            f"{where}: labels have shape {targets.shape}",
            hint="labels are (n,), or (n, t) for t numbers or t marks of 0 and 1 a row",
        )
    if len(targets) != n:
        raise DataError(f"{where}: {n} inputs and {len(targets)} labels")
    if targets.dtype.kind not in "biufUS":
        raise DataError(f"{where}: labels are {targets.dtype}, not numbers or text")
    if targets.ndim == 1:
        targets = targets[:, None]
    names = [SINGLE] if targets.shape[1] == 1 else [str(j) for j in range(targets.shape[1])]
    return {
        name: [label_text(value, where=where) for value in column]
        for name, column in zip(names, targets.T, strict=True)
    }
