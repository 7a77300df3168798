"""Extraction alone: features into the store, and out to a file if one is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data import plan_splits
from zoo.engine import FeatureStore, Ragged
from zoo.errors import DataError, UsageError
from zoo.features import Extracted, extract, open_model
from zoo.features.bad import bad_warning
from zoo.features.export import check_format, export
from zoo.runs.prepare import open_data
from zoo.runs.record import data_part, features_part, model_part, split_names

if TYPE_CHECKING:
    import numpy as np

    from zoo.registry import Registry
    from zoo.runs.plan import RunOptions


@dataclass(frozen=True)
class ExtractResult:
    """Feature rows with their splits, and the JSON object that describes them."""

    extracted: Extracted
    split: np.ndarray
    summary: dict[str, Any]
    store_root: Path
    column: str

    @property
    def features(self) -> np.ndarray:
        """(n, d) float32, one row for each readable item in the order of the data."""
        return self.extracted.features

    def tokens(self) -> Ragged:
        """With ``features="tokens"``: the vectors of every readable item, read into memory.

        ``values`` (sum t, d) float32 of all items, ``offsets`` (n + 1,) where each item's begin.

        Raises:
            UsageError: the features are pooled.
            StoreError: the store is gone or damaged.
        """
        with FeatureStore.open(self.store_root, self.extracted.key) as store:
            rows = store.rows(self.extracted.keys, self.column, dtype="float32")
        if not isinstance(rows, Ragged):
            raise UsageError("these features are pooled", hint='extract with features="tokens"')
        return rows


def run_extract(
    registry: Registry,
    model: str,
    data: Any,
    labels: Any = None,
    *,
    options: RunOptions,
    export_to: Path | None = None,
) -> ExtractResult:
    """Bring every row of a dataset into the store; write them to `export_to` if given.

    With ``options.features`` tokens a sample has a row for each of its tokens, patches or frames.

    Data without labels is taken as it is: its rows belong to no split.
    """
    options.check()
    if export_to is not None:
        check_format(export_to)
    opened = open_model(
        registry, model, options.load_options(), tokens=options.features == "tokens"
    )
    dataset = open_data(registry, data, labels, options)
    opened = opened.taking(dataset.modality)
    with registry.blaming("provider", opened.source.provider):
        extracted = extract(dataset, opened, options.extract_options())
    for note in extracted.dataset.notes:
        options.say(note)
    if extracted.bad:
        options.say(bad_warning(extracted.bad))
    split = _splits(extracted, options)
    summary: dict[str, Any] = {
        "schema": 1,
        "model": model_part(model, opened, extracted),
        "data": data_part(extracted, split),
        "features": features_part(extracted),
        "export": None if export_to is None else str(export_to),
    }
    root = options.extract_options().store_root
    result = ExtractResult(extracted, split, summary, root, opened.column)
    if opened.tokens:
        with FeatureStore.open(root, extracted.key) as store:
            _, dim, _ = store.columns()[opened.column]
        summary["model"]["dim"] = summary["features"]["dim"] = dim
    if export_to is not None:
        export(extracted, split, export_to, result.tokens() if opened.tokens else None)
    return result


def _splits(extracted: Extracted, options: RunOptions) -> np.ndarray:
    """(n,) split names: as given, else as a transfer would split; empty where it could not."""
    plan = None
    target = extracted.dataset.target
    varied = len(target.names) > 1 if target.task == "class" else target.labelled.any()
    if extracted.dataset.split is None and varied:
        try:
            plan = plan_splits(extracted.dataset, extracted.keys, options.seed)
        except DataError as error:
            options.say(f"no splits: {error}")
    return split_names(extracted.dataset, plan)
