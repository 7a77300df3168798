"""Reads scikit-learn's bundled digits, so that a first run needs no data and no network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.data.names import no_columns, shown
from zoo.data.targets import check_task, unlabelled
from zoo.errors import DataError, MissingExtraError
from zoo.plugin import DataOptions, Dataset, DatasetReader, Item, Target

BUNDLED = ("digits",)


class ToyReader(DatasetReader):
    """``sklearn:digits``: 1,797 grey images of 8x8 pixels in ten classes."""

    def claims(self, path: Path) -> bool:
        """No path: this data is asked for by name."""
        del path
        return False

    def read(self, reference: str, options: DataOptions) -> Dataset:
        """The digits as uint8 images, their 17 grey levels spread over 0..255."""
        check_task(options)
        no_columns(
            f"sklearn:{reference}",
            input_=options.input,
            target=options.target,
            group=options.group,
            slices=options.slices,
        )
        if reference not in BUNDLED:
            raise DataError(
                f"scikit-learn bundles no images called {shown(reference)}",
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
        labels = target if options.labelled else unlabelled(len(items))
        return Dataset("digits", "image", items, labels)
