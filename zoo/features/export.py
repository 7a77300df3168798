"""Writes feature rows with labels, item names and splits to .npz or .safetensors."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UsageError
from zoo.files import replacing
from zoo.plugin.dataset import SPLITS

if TYPE_CHECKING:
    from zoo.features.extract import Extracted

FORMATS = (".npz", ".safetensors")


def check_format(path: Path) -> None:
    """Raise UsageError where the ending names no format, before any work is done."""
    if path.suffix not in FORMATS:
        raise UsageError(
            f"cannot export to '{path.name}'", hint=f"end it in {' or '.join(FORMATS)}"
        )


def export(extracted: Extracted, split: np.ndarray, path: Path) -> None:
    """Write one row per item, ordered train, val, test and then by the data's own order.

    Args:
        extracted: rows and the data they belong to; folders list items by code points, tables by
            row.
        split: (n,) split names; an empty name (unlabelled) sorts last.
        path: ends in .npz (all arrays, class labels as unicode) or .safetensors (class labels as
            int64 codes; names, items and splits in the metadata). Numbers are float64, (n,) or
            (n, t), NaN where there is none; marks of several labels int8 (n, l), -1 where unknown;
            an .npz then has their `names`.

    Raises:
        DataError: the file cannot be written.
    """
    check_format(path)
    rank = {name: i for i, name in enumerate(SPLITS)}
    order = np.array(
        sorted(range(len(split)), key=lambda i: (rank.get(str(split[i]), len(rank)), i)), np.int64
    )
    data = extracted.dataset
    features = np.ascontiguousarray(extracted.features[order], dtype=np.float32)
    labels = data.target.values[order]
    several = data.target.task in {"regression", "multilabel"}
    if several and data.target.task == "regression" and labels.shape[1] == 1:
        labels = labels[:, 0]
    items = np.array([data.items[i].name for i in order], dtype=np.str_)
    splits = split[order].astype(np.str_)
    with replacing(path) as temporary:
        if path.suffix == ".npz":
            names = np.array(data.target.names, np.str_)
            if not several:
                labels = np.array([names[c] if c >= 0 else "" for c in labels], np.str_)
            save = partial(np.savez, features=features, items=items, split=splits, labels=labels)
            with temporary.open("wb") as file:
                if several:
                    save(file, names=names)
                else:
                    save(file)
        else:
            from safetensors.numpy import save_file

            metadata = {
                "names": json.dumps(list(data.target.names), ensure_ascii=False),
                "items": json.dumps(items.tolist(), ensure_ascii=False),
                "split": json.dumps(splits.tolist()),
            }
            labels = np.ascontiguousarray(labels if several else labels.astype(np.int64))
            save_file({"features": features, "labels": labels}, temporary, metadata)
