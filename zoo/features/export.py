"""Writes feature rows with labels, item names and splits to .npz or .safetensors."""

from __future__ import annotations

import json
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
        path: ends in .npz (all arrays, labels as unicode) or .safetensors (labels as int64 with
            names, items and splits in the metadata).

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
    codes = data.target.values[order].astype(np.int64)
    items = np.array([data.items[i].name for i in order], dtype=np.str_)
    splits = split[order].astype(np.str_)
    with replacing(path) as temporary:
        if path.suffix == ".npz":
            labels = np.array([data.target.names[c] if c >= 0 else "" for c in codes], np.str_)
            with temporary.open("wb") as file:
                np.savez(file, features=features, labels=labels, items=items, split=splits)
        else:
            from safetensors.numpy import save_file

            metadata = {
                "names": json.dumps(list(data.target.names), ensure_ascii=False),
                "items": json.dumps(items.tolist(), ensure_ascii=False),
                "split": json.dumps(splits.tolist()),
            }
            save_file({"features": features, "labels": codes}, temporary, metadata)
