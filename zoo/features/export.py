"""Writes feature rows with labels, item names and splits to .npz or .safetensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import UsageError
from zoo.files import replacing
from zoo.plugin.dataset import SPLITS

if TYPE_CHECKING:
    from zoo.engine import Ragged
    from zoo.features.extract import Extracted

FORMATS = (".npz", ".safetensors")


def check_format(path: Path) -> None:
    """Raise UsageError where the ending names no format, before any work is done."""
    if path.suffix not in FORMATS:
        raise UsageError(
            f"cannot export to '{path.name}'", hint=f"end it in {' or '.join(FORMATS)}"
        )


def export(
    extracted: Extracted, split: np.ndarray, path: Path, tokens: Ragged | None = None
) -> None:
    """Write one row per item, ordered train, val, test and then by the data's own order.

    Args:
        extracted: rows and the data they belong to; folders list items by code points, tables by
            row.
        tokens: the vectors of every item, where there are any number of them: `features` is then
            (sum t, d), and `offsets` (n + 1,) int64 says where each item's begin.
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
    arrays = _features(extracted, tokens, order)
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
            arrays |= {"items": items, "split": splits, "labels": labels}
            with temporary.open("wb") as file:
                np.savez(
                    file, allow_pickle=False, **arrays, **({"names": names} if several else {})
                )
        else:
            from safetensors.numpy import save_file

            metadata = {
                "names": json.dumps(list(data.target.names), ensure_ascii=False),
                "items": json.dumps(items.tolist(), ensure_ascii=False),
                "split": json.dumps(splits.tolist()),
            }
            labels = np.ascontiguousarray(labels if several else labels.astype(np.int64))
            save_file({**arrays, "labels": labels}, temporary, metadata)


def _features(extracted: Extracted, tokens: Ragged | None, order: np.ndarray) -> dict[str, Any]:
    if tokens is None:
        return {"features": np.ascontiguousarray(extracted.features[order], dtype=np.float32)}
    lengths = np.diff(tokens.offsets)[order]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    # Of each vector its place before: that of its item's first, and how far it is behind that.
    places = np.repeat(tokens.offsets[order] - offsets[:-1], lengths) + np.arange(offsets[-1])
    vectors = np.ascontiguousarray(tokens.values[places], dtype=np.float32)
    return {"features": vectors, "offsets": offsets}
