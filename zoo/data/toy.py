"""Reads scikit-learn's bundled digits, so that a first run needs no data and no network."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np

from zoo.data.names import no_columns, shown
from zoo.data.targets import check_task, unlabelled
from zoo.errors import DataError, MissingExtraError
from zoo.plugin import DataOptions, Dataset, DatasetReader, Item, Target

BUNDLED = ("digits",)


class ToyReader(DatasetReader):
    """``sklearn:digits``: 1,797 grey images of 8x8 pixels in ten classes.

    ``sklearn:digits?shots=10`` has 10 labels of each class to train on, drawn once and for all
    (``&seed=1``: drawn otherwise), and the others as its test split.
    """

    def claims(self, path: Path) -> bool:
        """No path: this data is asked for by name."""
        del path
        return False

    def read(self, reference: str, options: DataOptions) -> Dataset:
        """The digits as uint8 images, their 17 grey levels spread over 0..255.

        Raises:
            DataError: scikit-learn bundles no such images, or the few labels are not to be had.
        """
        check_task(options)
        no_columns(
            f"sklearn:{reference}",
            input_=options.input,
            target=options.target,
            group=options.group,
            slices=options.slices,
        )
        name, _, asked = reference.partition("?")
        shots, seed = _asked(asked)
        if name not in BUNDLED:
            raise DataError(
                f"scikit-learn bundles no images called {shown(name)}",
                hint=f"there is sklearn:{', sklearn:'.join(BUNDLED)}",
            )
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise MissingExtraError("sklearn", "all") from error

        bunch = load_digits()
        images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
        target = Target.from_labels([str(digit) for digit in bunch.target])
        items = tuple(Item(f"digits:{i + 1}", image) for i, image in enumerate(images))
        split = _drawn(target.values, shots, seed) if shots else None
        labels = target if options.labelled else unlabelled(len(items))
        return Dataset("digits", "image", items, labels, split=split)


def _asked(text: str) -> tuple[int, int]:
    """(shots, seed) of a query; no shots: 0."""
    hint = "sklearn:digits?shots=10, or sklearn:digits?shots=10&seed=1"
    try:
        found = dict(parse_qsl(text, strict_parsing=True)) if text else {}
        shots, seed = int(found.pop("shots", 0)), int(found.pop("seed", 0))
    except ValueError as error:
        raise DataError(f"sklearn:digits does not take {shown(text)}", hint=hint) from error
    if found or seed < 0 or shots < 0 or (text and not shots):
        raise DataError(f"sklearn:digits does not take {shown(text)}", hint=hint)
    return shots, seed


def _drawn(codes: np.ndarray, shots: int, seed: int) -> tuple[str, ...]:
    """``train`` for `shots` rows of each class, ``test`` for the others."""
    rarest = int(np.bincount(codes).min())
    if shots >= rarest:
        raise DataError(
            f"{shots} labels of each class leave none to judge by",
            hint=f"the rarest class has {rarest} samples",
        )
    mixed = np.random.Generator(np.random.PCG64(seed)).permutation(len(codes))
    split = np.full(len(codes), "test", dtype="<U5")
    for code in np.unique(codes):
        split[mixed[codes[mixed] == code][:shots]] = "train"
    return tuple(split.tolist())
