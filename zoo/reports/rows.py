"""Finds what a run was made from again: samples, labels, splits, feature rows, predictions.

The data is read anew and every sample is digested, so that a file which changed is not taken for
the one that was judged; the rows come from the store. No backbone is needed.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import settings
from zoo.data import plan_splits
from zoo.engine import FeatureStore, row_keys, sample_digest
from zoo.errors import DataError, StoreError, ZooError
from zoo.plugin import Dataset, Target
from zoo.reports.judged import plain_cell, read_judged
from zoo.runs import RunOptions, open_data
from zoo.runs.folder import safe_cell

if TYPE_CHECKING:
    from zoo.data.splits import SplitPlan
    from zoo.reports.judged import Judged
    from zoo.runs import Run

_AGAIN = "zoo transfer with the same options makes the run anew"


@dataclass(frozen=True, eq=False)
class RunRows:
    """The labelled samples of a run, in the order of the data.

    Attributes:
        dataset: the n samples.
        split: (n,) ``train``, ``val`` or ``test``.
        keys: (n, 16) uint8 content digests.
        features: (n, d) float32.
        judge: (m,) row numbers of the samples that judged, in the order of predictions.csv.
        judged: what predictions.csv says of these m.
        plan: who fits and who judges, as in the run.
    """

    dataset: Dataset
    split: np.ndarray
    keys: np.ndarray
    features: np.ndarray
    judge: np.ndarray
    judged: Judged
    plan: SplitPlan

    @property
    def target(self) -> Target:
        """The n targets, by the run's names."""
        return self.dataset.target

    def __len__(self) -> int:
        return len(self.dataset)


def run_rows(run: Run, data: Any = None, labels: Any = None) -> RunRows:
    """Everything that a run was made from, its data read again.

    Args:
        run: a finished run.
        data: where the data is now, if that is elsewhere; items that were in memory.
        labels: of items in memory.

    Raises:
        DataError: the data is not where it was, or its samples or labels are no longer those of the
            run; `read_judged` and `stored_rows` may still find those that judged.
        StoreError: the feature store no longer has the rows.
    """
    return rows_in(run, open_again(run, data, labels))


def rows_in(run: Run, dataset: Dataset) -> RunRows:
    """The same of data that `open_again` gave."""
    dataset, keys = _of_the_run(run, *_digested(dataset))
    judged = read_judged(run)
    plan = plan_splits(dataset, keys, int(run.plan["options"].get("seed", 0)))
    split = np.array(dataset.split or [""] * len(dataset), dtype="<U5")
    if dataset.split is None:
        for name in ("train", "val", "test"):
            split[getattr(plan, name)] = name
    judge = _rows_of(judged, run, dataset, plan.judge)
    return RunRows(dataset, split, keys, stored_rows(run, keys), judge, judged, plan)


def open_again(run: Run, data: Any = None, labels: Any = None) -> Dataset:
    """The run's data, from where it was unless `data` says where it is now.

    Raises:
        DataError: it was in memory, or cannot be read again.
    """
    stated = run.plan["options"]
    known = {field.name for field in fields(RunOptions)}
    options = RunOptions(**{name: value for name, value in stated.items() if name in known})
    if data is None and was_in_memory(run):
        raise DataError(
            f"the data of '{run.folder}' was in memory and is not kept",
            hint="in Python, give the items again: run_rows(run, items, labels)",
        )
    try:
        return open_data(run.registry, _place(run.plan) if data is None else data, labels, options)
    except ZooError as error:
        raise DataError(
            f"the data of '{run.folder}' cannot be read again: {error}",
            hint="restore it where it was, or start from the folder that the run was started in",
        ) from error


def was_in_memory(run: Run) -> bool:
    """Whether a run's samples were never in a file."""
    place = _place(run.plan)
    return place is None or str(place).endswith(" items in memory")


def _place(plan: dict[str, Any]) -> Any:
    return plan.get("data_path", plan.get("data"))


def stored_rows(run: Run, keys: np.ndarray) -> np.ndarray:
    """The (n, d) float32 rows of (n, 16) keys from the store that the run used.

    Raises:
        DataError: the run does not tell which store that is.
        StoreError: the store is gone, or lacks some of them.
    """
    root, key, columns = settings.store_root(), run.plan.get("key"), run.plan.get("column")
    if not isinstance(key, dict) or not isinstance(columns, str):
        raise DataError("the run does not tell where its features are stored", hint=_AGAIN)
    hint = f"were they pruned, or is ZOO_HOME another folder now? {_AGAIN}"
    store = FeatureStore.find(root, key, read_only=True)
    if store is None:
        raise StoreError(f"the features of '{run.folder}' are not under '{root}'", hint=hint)
    with store:
        parts = []
        for column in columns.split(","):
            lacks = int((~store.contains(keys, column)).sum())
            if lacks:
                raise StoreError(
                    f"{lacks} of the {len(keys)} feature rows of '{run.folder}' are no longer in "
                    f"'{store.folder}'",
                    hint=hint,
                )
            parts.append(store.rows(keys, column, dtype="float32"))
    return np.asarray(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))


def _digested(dataset: Dataset) -> tuple[Dataset, list[bytes]]:
    """The samples that can be read, with their digests."""
    kept, keys = [], []
    for i, item in enumerate(dataset.items):
        try:
            keys.append(sample_digest(item.content()))
        except DataError:
            continue
        kept.append(i)
    return dataset.take(np.array(kept, np.int64)), keys


def _of_the_run(run: Run, dataset: Dataset, keys: list[bytes]) -> tuple[Dataset, np.ndarray]:
    """The labelled samples of the run's splits; those that came later are left out."""
    left: Counter[tuple[str, str]] = Counter()
    splits: dict[str, str] = {}
    for name, stated in run.plan.get("splits", {}).items():
        left.update((name, key) for key in stated)
        splits.update(dict.fromkeys(stated, name))
    kept, labelled = [], dataset.target.labelled
    # Where the run drew the splits, a copy without a label was in none.
    for i in np.argsort(~labelled, kind="stable").tolist():
        key = keys[i].hex()
        own = splits.get(key, "") if dataset.split is None else dataset.split[i]
        if left[own, key] > 0:
            left[own, key] -= 1
            kept += [i] if labelled[i] else []
    if lost := sum(left.values()):
        raise DataError(
            f"{lost} of the samples of '{run.folder}' are not in its data any more",
            hint=f"restore them, or {_AGAIN}",
        )
    kept.sort()
    dataset = dataset.take(np.array(kept, np.int64))
    target = _by_names(run, dataset.target)
    return replace(dataset, target=target), row_keys([keys[i] for i in kept])


def _by_names(run: Run, target: Target) -> Target:
    """The target with the codes of the run: samples that came later may have brought classes."""
    if target.task == run.task and target.names == run.names:
        return target
    code = {name: i for i, name in enumerate(run.names)}
    if target.task == run.task == "class":
        codes = np.array([code.get(name, -1) for name in target.names], np.int64)[target.values]
        if codes.min(initial=0) >= 0:
            return Target("class", codes, run.names)
    raise DataError(f"the targets of '{run.folder}' are not those of its data now", hint=_AGAIN)


def _rows_of(judged: Judged, run: Run, dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """Which of the rows that judge each line of predictions.csv is about."""
    by_name: dict[str, deque[int]] = defaultdict(deque)
    for row in rows.tolist():
        by_name[plain_cell(safe_cell(dataset.items[row].name))].append(row)
    found = []
    for name in judged.items:
        if not (there := by_name[name]):
            raise DataError(
                f"'{name}', which judged '{run.folder}', is not in its data any more",
                hint=f"restore it, or {_AGAIN}",
            )
        found.append(there.popleft())
    judge = np.array(found, np.int64)
    differ = judged.truth != dataset.target.values[judge]
    if changed := int(differ.reshape(len(judge), -1).any(axis=1).sum()):
        raise DataError(
            f"{changed} labels that judged '{run.folder}' are others in its data now", hint=_AGAIN
        )
    return judge
