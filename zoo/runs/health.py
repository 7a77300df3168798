"""What is amiss with data, before its score is believed: findings in words, with their figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.locate import RARE
from zoo.data.names import listed, shown
from zoo.data.stratify import units_of
from zoo.features.bad import bad_warning
from zoo.runs.metadata import telling_attributes
from zoo.runs.near_duplicates import near_duplicates

if TYPE_CHECKING:
    from zoo.data.splits import SplitPlan
    from zoo.features import Extracted
    from zoo.plugin import Target

FEW = 300  # "several hundred samples" are the rule of thumb for transfer learning
SAID = 5  # lines
_COMMON = 0.75  # share of one class above which accuracy says little
_UNEQUAL = 10  # times as many samples of the commonest class as of the rarest
_WEIGHTS = 50  # of a linear head for one row
_LIFT = 0.5  # of errors that metadata alone avoids
_SOME_NEAR = 0.005  # share of the rows that judge
_SHARE = 0.01
_COLUMN_ROWS = 5_000  # rows by which features are compared with each other


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing.

    Attributes:
        kind: stable and machine-readable.
        level: ``warning``, which is said, or ``note``, which is kept in the result.
        text: one line.
        figures: JSON values by name.
    """

    kind: str
    level: str
    text: str
    figures: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The entry of the run's `health`."""
        return {
            "kind": self.kind,
            "level": self.level,
            "text": self.text,
            "figures": self.figures,
        }


def examine(extracted: Extracted, plan: SplitPlan, *, seed: int, threads: int) -> list[Finding]:
    """Findings about samples, labels, splits and features; warnings first.

    No file is opened and no backbone asked: names, sizes by the file system, stored rows.

    Args:
        extracted: the data and its feature rows.
        plan: which rows are for what.
        seed: of what is drawn where there are many rows.
        threads: upper bound.
    """
    found = [
        *_duplicates(extracted, plan),
        *_absent(extracted.dataset.target, plan),
        *_metadata(extracted, seed),
        *_near(extracted, plan, seed, threads),
        *_few(extracted, plan),
        *_classes(extracted.dataset.target),
        *_features(extracted),
    ]
    return sorted(found, key=lambda finding: finding.level != "warning")


def sayings(findings: Iterable[Finding]) -> list[str]:
    """The lines to say: the first five warnings but those that were said while reading."""
    texts = [f.text for f in findings if f.level == "warning" and f.kind != "unreadable"]
    lines = [f"warning: {text}" for text in texts[:SAID]]
    if len(texts) > SAID:
        lines.append(f"warning: and {len(texts) - SAID} more: `health` in the run's metrics.json")
    return lines


def slice_findings(slices: Iterable[dict[str, Any]], metrics: Any, primary: str) -> list[Finding]:
    """What is worse than the rest, of `zoo.runs.slices`; `metrics` are those of all rows."""
    out = []
    for column in slices:
        for entry in column["values"]:
            if not entry["worse"]:
                continue
            own = entry["metrics"][primary]
            text = (
                f"where {shown(column['column'], 40)} is {shown(entry['value'], 40)} the head is "
                f"worse than elsewhere: {primary.replace('_', ' ')} {own['value']:.3f} "
                f"({own['low']:.3f} to {own['high']:.3f}) on {entry['rows']} rows, "
                f"{metrics[primary]['value']:.3f} on all"
            )
            figures = {"column": column["column"], "value": entry["value"], "rows": entry["rows"]}
            out.append(
                Finding("slice", "warning", text, {**figures, primary: own, "p": entry["p"]})
            )
    return out


def _duplicates(extracted: Extracted, plan: SplitPlan) -> Iterator[Finding]:
    target = extracted.dataset.target
    samples = units_of(extracted.keys)
    parts = {"train": plan.train, "val": plan.val, "test": plan.test}
    for later, earlier in (("test", "train"), ("test", "val"), ("val", "train")):
        rows = samples[parts[later]]
        count = int(np.isin(rows, samples[parts[earlier]]).sum())
        if count:
            text = f"{count} of {len(rows)} {later} rows are byte-identical to {earlier} rows"
            text += ": what they score may be memory"
            figures = {"split": later, "of": earlier, "rows": count, "of_rows": len(rows)}
            yield Finding("duplicates_across", "warning", text, figures)
    labelled = np.flatnonzero(target.labelled)
    same = np.unique(target.values[labelled], axis=0, return_inverse=True)[1].ravel()
    pairs = np.unique(np.stack([samples[labelled], same]), axis=1)
    torn = int((np.bincount(pairs[0]) > 1).sum())
    if torn:
        text = f"{torn} samples occur more than once with different labels"
        yield Finding("contradictions", "warning", text, {"samples": torn})
    again = len(samples) - extracted.distinct
    if again:
        text = f"{again} of {len(samples)} rows are byte-identical to an earlier one"
        yield Finding("duplicates", "note", text, {"rows": again, "of_rows": len(samples)})


def _absent(target: Target, plan: SplitPlan) -> Iterator[Finding]:
    if target.task == "regression":
        return
    for here, there, text in (
        (plan.judge, plan.train, "that judge but have no row in train"),
        (plan.train, plan.judge, "in train have no row that judges"),
    ):
        if target.task == "class":
            what, codes = "classes", np.setdiff1d(target.values[here], target.values[there])
        else:
            what, some = "labels", (target.values[here] == 1).any(axis=0)
            codes = np.flatnonzero(some & ~(target.values[there] == 1).any(axis=0))
        if len(codes):
            names = [target.names[code] for code in codes]
            figures = {"names": names[:100], "count": len(names)}
            rare = here is plan.train and (_counts(target)[codes] < RARE).all()  # told as such
            level = "note" if rare else "warning"
            yield Finding("absent_classes", level, f"{what} {text}: {listed(names)}", figures)


def _metadata(extracted: Extracted, seed: int) -> Iterator[Finding]:
    target = extracted.dataset.target
    if target.task not in {"class", "regression"}:
        return
    rows = _distinct(extracted, np.flatnonzero(target.labelled))
    if target.task == "class":
        codes, what = target.values[rows], "the class"
    else:  # of several numbers the first
        numbers = target.values[rows, 0]
        codes, what = (numbers > np.median(numbers)).astype(np.int64), "the larger half"
    for told in telling_attributes([extracted.dataset.items[row] for row in rows], codes, seed):
        text = (
            f"the {told.attribute} alone tells {what} of {told.accuracy:.0%} of the samples "
            f"({told.majority:.0%} by guessing): the score may be for how files were made"
        )
        figures = {
            "attribute": told.attribute,
            "accuracy": told.accuracy,
            "majority": told.majority,
            "rows": told.rows,
            "p": told.p,
        }
        yield Finding("metadata", "warning" if told.lift >= _LIFT else "note", text, figures)


def _near(extracted: Extracted, plan: SplitPlan, seed: int, threads: int) -> Iterator[Finding]:
    dataset, cross = extracted.dataset, plan.protocol == "cv"
    among = _distinct(extracted, plan.final)
    judge = _distinct(extracted, plan.judge)
    if not cross:
        samples = units_of(extracted.keys)
        judge = judge[~np.isin(samples[judge], samples[among])]
    near = near_duplicates(extracted.features, judge, among, seed=seed, threads=threads)
    if near is None or not len(near.rows):
        return
    rows, partners = near.rows, near.partners
    if cross and dataset.groups is not None:
        apart = (dataset.groups[rows] != dataset.groups[partners]) | (dataset.groups[rows] == "")
        rows, partners = rows[apart], partners[apart]
    if not len(rows):
        return
    values = dataset.target.values
    torn = int((values[rows] != values[partners]).reshape(len(rows), -1).any(axis=1).sum())
    first, second = (shown(dataset.items[i].name, 40) for i in (rows[0], partners[0]))
    text = (
        f"{len(rows)} of {near.looked_at} samples that judge are nearly equal to "
        f"{'another one' if cross else 'one to train on'} by their features, such as {first} and "
        f"{second}{': a --group column keeps such on one side' if cross else ''}"
    )
    figures = {
        "rows": len(rows),
        "of_rows": near.looked_at,
        "with_different_labels": torn,
        "cosine": near.cosine,
        "pairs": [
            [dataset.items[a].name, dataset.items[b].name]
            for a, b in zip(rows[:10].tolist(), partners[:10].tolist(), strict=True)
        ],
    }
    many = len(rows) >= max(2.0, _SOME_NEAR * near.looked_at)
    yield Finding("near_duplicates", "warning" if many else "note", text, figures)


def _few(extracted: Extracted, plan: SplitPlan) -> Iterator[Finding]:
    rows, target = len(plan.final), extracted.dataset.target
    if rows < FEW:
        text = f"{rows} samples to train on, where several hundred are the rule of thumb"
        yield Finding("few_samples", "warning", text, {"rows": rows, "rule": FEW})
    outputs = len(target.names)
    weights = extracted.features.shape[1] * outputs
    each = weights / rows
    text = f"a linear head has {weights} weights for {rows} rows, {each:.3g} for each"
    figures = {"weights": weights, "rows": rows, "weights_per_row": each}
    yield Finding("parameters", "warning" if each >= _WEIGHTS else "note", text, figures)
    if extracted.bad:
        text = bad_warning(extracted.bad).removeprefix("warning: ")
        yield Finding("unreadable", "warning", text, {"rows": len(extracted.bad)})


def _classes(target: Target) -> Iterator[Finding]:
    if target.task == "regression":
        return
    what, counts = "classes" if target.task == "class" else "labels", _counts(target)
    rare = np.flatnonzero((counts < RARE) & ((counts > 0) | (what == "labels")))
    if len(rare):
        rare = rare[np.argsort(counts[rare], kind="stable")]
        each = [f"{shown(target.names[c], 40)} {counts[c]}" for c in rare[:5].tolist()]
        more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
        text = f"{what} with fewer than {RARE} samples: {', '.join(each)}{more}"
        figures = {"classes": {target.names[c]: int(counts[c]) for c in rare[:100].tolist()}}
        yield Finding("rare_classes", "warning", text, {**figures, "count": len(rare)})
    if target.task == "class":
        yield from _imbalance(counts, target)


def _counts(target: Target) -> np.ndarray:
    """(k,) samples of each class or label."""
    values = target.values[target.labelled]
    if target.task == "class":
        return np.bincount(values, minlength=len(target.names))
    return np.asarray((values == 1).sum(axis=0))


def _imbalance(counts: np.ndarray, target: Target) -> Iterator[Finding]:
    there = counts[counts > 0]
    share, times = float(counts.max() / counts.sum()), float(there.max() / there.min())
    if (share < _COMMON or len(there) < 2) and times < _UNEQUAL:
        return
    common = target.names[int(counts.argmax())]
    text = (
        f"class {shown(common, 40)} has {share:.1%} of the samples, {times:.3g} times as many as "
        "the rarest: read balanced accuracy and AUROC, for accuracy hides the rare"
    )
    figures = {"commonest": common, "share": share, "times_the_rarest": times}
    yield Finding("imbalance", "warning", text, figures)


def _features(extracted: Extracted) -> Iterator[Finding]:
    features = extracted.features
    d = features.shape[1]
    step = max(1, len(features) // _COLUMN_ROWS)
    some = features[::step]
    constant = (some == some[0]).all(axis=0)
    columns = np.ascontiguousarray(some[:, ~constant].T)
    twins = columns.shape[0] - _different(columns)
    if constant.any() or twins:
        count = int(constant.sum())
        text = f"{count} of {d} features never vary, and {twins} are equal to another one"
        level = "warning" if 2 * (count + twins) > d else "note"
        figures = {"constant": count, "identical": twins, "features": d, "rows": len(some)}
        yield Finding("features", level, text, figures)
    distinct = _distinct(extracted, np.arange(len(features)))
    same = len(distinct) - _different(features[distinct])
    if same:
        text = f"{same} of {len(distinct)} different samples have the very features of another one"
        level = "warning" if same > _SHARE * len(distinct) else "note"
        figures = {"rows": same, "of_rows": len(distinct)}
        yield Finding("equal_features", level, text, figures)


def _different(rows: np.ndarray) -> int:
    """How many different rows there are among (n, d)."""
    return len({hash(row.tobytes()) for row in rows})


def _distinct(extracted: Extracted, rows: np.ndarray) -> np.ndarray:
    """Of some rows the first of each sample, in order."""
    samples = units_of(extracted.keys[rows])
    return np.asarray(rows[np.sort(np.unique(samples, return_index=True)[1])])
