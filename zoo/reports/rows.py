"""Finds what a run was made from again: samples, labels, splits, feature rows, predictions.

The data is read anew and every sample is digested, so that a file which changed is not taken for
the one that was judged; the rows come from the store. No backbone is needed.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from zoo import settings
from zoo.data import plan_splits
from zoo.engine import FeatureStore, row_keys, sample_digest
from zoo.errors import DataError, StoreError, ZooError
from zoo.plugin import Dataset, Item, Target
from zoo.runs import RunOptions, open_data
from zoo.runs.folder import safe_cell
from zoo.runs.tasks import named

if TYPE_CHECKING:
    from zoo.data.splits import SplitPlan
    from zoo.plugin.dataset import Task
    from zoo.runs import Run

_AGAIN = "zoo transfer with the same options makes the run anew"


@dataclass(frozen=True, eq=False)
class RunRows:
    """The labelled samples of a run, in the order of the data.

    Attributes:
        dataset: the n samples; without their content, values empty, where `found` is false.
        split: (n,) ``train``, ``val`` or ``test``.
        keys: (n, 16) uint8 content digests.
        features: (n, d) float32.
        judge: (m,) row numbers of the samples that judged, in the order of predictions.csv.
        predictions: the m rows of predictions.csv, as text by column.
        plan: who fits and who judges, as in the run; None where `found` is false.
        found: whether the data was read again; else only samples that judged are here.
    """

    dataset: Dataset
    split: np.ndarray
    keys: np.ndarray
    features: np.ndarray
    judge: np.ndarray
    predictions: tuple[dict[str, str], ...]
    plan: SplitPlan | None
    found: bool = True

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
            run; `judged_rows` may still find the samples that judged.
        StoreError: the feature store no longer has the rows.
    """
    dataset, keys = _of_the_run(run, *_digested(_opened(run, data, labels)))
    predictions = read_predictions(run)
    plan = plan_splits(dataset, keys, int(run.plan["options"].get("seed", 0)))
    split = np.array(dataset.split or [""] * len(dataset), dtype="<U5")
    if dataset.split is None:
        for name in ("train", "val", "test"):
            split[getattr(plan, name)] = name
    judge = _judged(run, dataset, plan.judge, predictions)
    features = stored_rows(run, keys)
    return RunRows(dataset, split, keys, features, judge, predictions, plan)


def judged_rows(run: Run) -> RunRows:
    """The samples that judged, by the run's folder and the store alone: names, but no content.

    Raises:
        DataError: the folder does not tell which samples they were.
        StoreError: the feature store no longer has the rows.
    """
    predictions = read_predictions(run)
    (name, *others) = dict.fromkeys(row.get("split", "") for row in predictions)
    stated = run.plan.get("splits", {}).get(name, [])
    if others or len(stated) != len(predictions):
        raise DataError(
            f"'{run.folder}' does not tell which samples judged",
            hint=f"the data tells: restore it where it was, or {_AGAIN}",
        )
    keys = row_keys([bytes.fromhex(key) for key in stated])
    items = tuple(Item(row["item"], b"") for row in predictions)
    modality = str(run.plan["contract"].get("modality", ""))
    dataset = Dataset(str(run.plan.get("data", "")), modality, items, _told(run, predictions))
    split = np.array([name] * len(items), dtype="<U5")
    rows = np.arange(len(items))
    return RunRows(
        dataset, split, keys, stored_rows(run, keys), rows, predictions, None, found=False
    )


def stored_rows(run: Run, keys: np.ndarray) -> np.ndarray:
    """The (n, d) float32 rows of (n, 16) keys from the store that the run used.

    Raises:
        StoreError: the store is gone, or lacks some of them.
    """
    root = settings.store_root()
    hint = f"were they pruned, or is ZOO_HOME another folder now? {_AGAIN}"
    store = FeatureStore.find(root, run.plan["key"], read_only=True)
    if store is None:
        raise StoreError(f"the features of '{run.folder}' are not under '{root}'", hint=hint)
    with store:
        parts = []
        for column in run.plan["column"].split(","):
            lacks = int((~store.contains(keys, column)).sum())
            if lacks:
                raise StoreError(
                    f"{lacks} of the {len(keys)} feature rows of '{run.folder}' are no longer in "
                    f"'{store.folder}'",
                    hint=hint,
                )
            parts.append(store.rows(keys, column, dtype="float32"))
    return np.asarray(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))


def read_predictions(run: Run) -> tuple[dict[str, str], ...]:
    """The rows of a run's predictions.csv; raises DataError where it is missing or damaged."""
    path = run.folder / "predictions.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = tuple(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"'{path}' is missing or damaged: {error}", hint=_AGAIN) from error
    if not rows or not {"item", "split"} <= rows[0].keys() or any(None in r.values() for r in rows):
        raise DataError(f"'{path}' is missing or damaged: it lacks rows or columns", hint=_AGAIN)
    return rows


def _opened(run: Run, data: Any, labels: Any) -> Dataset:
    """The run's data, from where it was unless `data` says where it is now."""
    stated = run.plan["options"]
    known = {field.name for field in fields(RunOptions)}
    options = RunOptions(**{name: value for name, value in stated.items() if name in known})
    if data is None:
        data = run.plan.get("data_path", run.plan.get("data"))
    if data is None:
        raise DataError(
            f"the data of '{run.folder}' was in memory and is not kept",
            hint="in Python, give the items again: run_rows(run, items, labels)",
        )
    try:
        return open_data(run.registry, data, labels, options)
    except ZooError as error:
        raise DataError(
            f"the data of '{run.folder}' cannot be read again: {error}",
            hint="restore it where it was, or start from the folder that the run was started in",
        ) from error


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


def _judged(
    run: Run, dataset: Dataset, rows: np.ndarray, predictions: tuple[dict[str, str], ...]
) -> np.ndarray:
    """Which row each line of predictions.csv is about."""
    by_name: dict[str, deque[int]] = defaultdict(deque)
    for row in rows.tolist():
        by_name[safe_cell(dataset.items[row].name)].append(row)
    found = []
    for line in predictions:
        if not (there := by_name[line["item"]]):
            raise DataError(
                f"'{line['item']}', which judged '{run.folder}', is not in its data any more",
                hint=f"restore it, or {_AGAIN}",
            )
        found.append(there.popleft())
    judge = np.array(found, np.int64)
    told = [tuple(line.get(column) for column in label_columns(run)) for line in predictions]
    now = _label_cells(dataset.target.take(judge))
    if changed := sum(one != other for one, other in zip(told, now, strict=True)):
        raise DataError(
            f"{changed} labels that judged '{run.folder}' are others in its data now", hint=_AGAIN
        )
    return judge


def label_columns(run: Run) -> list[str]:
    """The columns of predictions.csv that say what is true."""
    several = run.task == "regression" and len(run.names) > 1
    return [f"label:{name}" for name in run.names] if several else ["label"]


def _label_cells(target: Target) -> list[tuple[str, ...]]:
    """What predictions.csv says of targets, a tuple of its label columns each."""
    if target.task == "class":
        return [(safe_cell(target.names[code]),) for code in target.values]
    if target.task == "multilabel":
        return [(safe_cell("|".join(named(target.names, row == 1))),) for row in target.values]
    return [tuple(repr(float(value)) for value in row) for row in target.values]


def _told(run: Run, predictions: tuple[dict[str, str], ...]) -> Target:
    """The targets that predictions.csv tells."""
    columns = label_columns(run)
    try:
        cells = [[row[column] for column in columns] for row in predictions]
        if run.task == "regression":
            values = np.array(cells, np.float64)
        elif run.task == "multilabel":
            own = [set(_plain(cell).split("|")) for (cell,) in cells]
            values = np.array([[name in some for name in run.names] for some in own], np.int8)
        else:
            code = {safe_cell(name): i for i, name in enumerate(run.names)}
            values = np.array([code[cell] for (cell,) in cells], np.int64)
    except (KeyError, ValueError) as error:
        path = run.folder / "predictions.csv"
        raise DataError(f"'{path}' is damaged: {error}", hint=_AGAIN) from error
    return Target(cast("Task", run.task), values, run.names)


def _plain(cell: str) -> str:
    """A cell's text before it was made safe."""
    return cell[1:] if cell[:1] == "'" and safe_cell(cell[1:]) == cell else cell
