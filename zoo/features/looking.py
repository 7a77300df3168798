"""Looks which feature rows the store has, before any weights are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine import row_keys, sample_digest
from zoo.errors import DataError
from zoo.features.bad import BadItem
from zoo.features.columns import held
from zoo.features.dtypes import follow
from zoo.features.provenance import spread, vouched

if TYPE_CHECKING:
    from zoo.features.model import Model
    from zoo.plugin import Dataset


@dataclass(frozen=True)
class Look:
    """What is known before any forward pass.

    Attributes:
        keys: (n, 16) uint8 content digests of the readable items.
        kept: numbers of the readable items within the dataset, in order.
        bad: the others.
        missing: positions in `kept` whose rows are not in the store, each content once.
        distinct: how many different samples there are.
        key: of the store that the rows are in, or go to.
        compare: positions in `kept` of stored rows to be computed again before others are computed
            under conditions that the store is not vouched for; empty where there are none, or none
            are needed.
    """

    keys: np.ndarray
    kept: np.ndarray
    bad: tuple[BadItem, ...]
    missing: np.ndarray
    distinct: int
    key: dict[str, Any]
    compare: np.ndarray


def look(dataset: Dataset, model: Model, store_root: Path) -> Look:
    """Digest every item and see which rows the store lacks; loads no weights.

    Settles the model on the dtype of the rows that the store has; see `zoo.features.dtypes`.

    Raises:
        DataError: the model takes another kind of data.
    """
    wanted = model.contract.modality
    if dataset.modality != wanted:
        raise DataError(
            f"'{model.source}' takes {wanted} samples, the data holds {dataset.modality} samples",
            hint="choose a model of the same kind as the data",
        )
    keys, kept, bad = [], [], []
    for i, item in enumerate(dataset.items):
        try:
            keys.append(sample_digest(item.content()))
            kept.append(i)
        except DataError as error:
            bad.append(BadItem(item.name, str(error)))
    table = row_keys(keys)
    first = firsts(table)
    follow(model, store_root, table[first])
    key, missing, compare = choose(model, store_root, table, first)
    return Look(table, np.array(kept, np.int64), tuple(bad), missing, len(first), key, compare)


def choose(
    model: Model, root: Path, table: np.ndarray, first: np.ndarray
) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """The key to use, which of the rows `first` its store lacks, and which are to be compared.

    A store that has all of them is used as it is, that of `model.key` before that of
    `model.own_key`: nothing is computed then, so nothing needs to be vouched for.
    """
    none = first[:0]
    serves, here = stored(model, root, model.key, table[first])
    if here.all():
        return model.key, none, none
    _, own = stored(model, root, model.own_key, table[first])
    if own.all() or serves is False or (serves is None and not here.any()):
        return model.own_key, first[~own], none
    return model.key, first[~here], none if serves else spread(first[here])


def stored(
    model: Model, root: Path, key: dict[str, Any], wanted: np.ndarray
) -> tuple[bool | None, np.ndarray]:
    """Whether the store of `key` is vouched for, and which of the `wanted` rows it has.

    A store that is not there yet is: its first rows will be made under these conditions.
    """
    store = model.open_store(root, key, read_only=True)
    if store is None:
        return True, np.zeros(len(wanted), np.bool_)
    with store:
        return vouched(store, model.conditions), held(store, wanted, model)


def firsts(table: np.ndarray) -> np.ndarray:
    """The first position of each key, in order."""
    _, first = np.unique(table.view("V16").ravel(), return_index=True)
    return np.sort(first)
