"""What takes part in a verdict: the transfer itself, and everything that it should beat.

Each arm is fitted on a contest's training rows and says what it thinks of those that judge. What
decides an arm's outcome names its file below the home folder, so that the second run, or another
backbone on the same data, does not train it again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.baselines.unfit import UnfitError
from zoo.errors import DataError
from zoo.files import replacing
from zoo.metrics.difference import primary_value
from zoo.plugin import ArrayRows, FitReport, Head, Target

if TYPE_CHECKING:
    from zoo.baselines import RawInput
    from zoo.runs.contest import Contest, Part

VERSION = 3  # raised whenever an arm's outcome would differ
HEADS = {  # that raw inputs are tried under
    "class": ("logistic", "knn"),
    "multilabel": ("logistic",),
    "regression": ("ridge", "knn"),
}
_TOLD = ("validation", "seconds", "told", "left_out")
MakeHead = Callable[[str], Head]


@dataclass(frozen=True, eq=False)
class Arm:
    """One contender's outcome.

    Attributes:
        scores: (m, k) float64, as those of a head, of the contest's judging rows in their order.
        validation: its primary metric on validation rows, the mean over the parts; None where it is
            not to be chosen by that.
        seconds: that it took when it was trained.
        told: what people may want to know of it, as plain JSON values.
        cached: whether it was found, not trained.
        left_out: why there are no scores; empty where there are.
    """

    scores: np.ndarray
    validation: float | None
    seconds: float
    told: dict[str, Any] = field(default_factory=dict)
    left_out: str = ""
    cached: bool = False


def kept(root: Path, name: str, decided_by: Sequence[Any], train: Callable[[], Arm]) -> Arm:
    """The arm of a name from its file, or else trained and filed.

    One that can't be at all is filed with the reason, that nobody loads a backbone to hear it
    again; what may pass (no network, a missing package, a slow machine) is not. A file that is
    damaged, or a folder that can't be written, costs the saving and nothing else.

    Args:
        root: the folder of arms.
        name: of the arm.
        decided_by: plain JSON values; equal where the outcome is.
        train: gives the arm.
    """
    said = json.dumps([VERSION, name, *decided_by], sort_keys=True)
    path = root / name / f"{hashlib.sha256(said.encode()).hexdigest()[:32]}.npz"
    if (found := _read(path)) is not None:
        return found
    try:
        arm = timed(train)
    except UnfitError as error:
        arm = Arm(np.empty((0, 0)), None, 0.0, left_out=str(error))
    _write(path, arm)
    return arm


def timed(train: Callable[[], Arm]) -> Arm:
    """The arm with the seconds that it took."""
    start = time.perf_counter()
    arm = train()
    return replace(arm, seconds=time.perf_counter() - start)


def with_head(contest: Contest, rows: np.ndarray, make: Callable[[], Head], threads: int) -> Arm:
    """A head on (n, d) rows of the contest, its strength chosen by folds, as in a run."""
    scores, reports = [], []
    for part in contest.parts:
        head = make()
        head.threads = threads
        labels = contest.target.take(part.train)
        if part.folds:
            head.search(ArrayRows(rows[part.train]), labels, _inside(part))
        head.fit(ArrayRows(rows[part.train]), labels)
        reports.append(head.report())
        scores.append(head.scores(ArrayRows(rows[part.held])))
    told = {"head": head.name, "dim": int(rows.shape[1]), **_converged(reports)}
    return Arm(np.concatenate(scores), None, 0.0, told)


def on_raw(contest: Contest, raw: RawInput, make_head: MakeHead, threads: int) -> Arm:
    """The best form of the raw input under the best head, chosen inside the training rows.

    Choice is by the primary metric of out-of-fold scores. What the arm is worth as a whole is that
    metric on the first fold's held rows alone, which are any other learner's validation.
    """
    scores, worth, chosen, reports = [], [], [], []
    for part in contest.parts:
        labels = contest.target.take(part.train)
        best: _Tried | None = None
        for tried in _tries(contest, raw, part, make_head, threads):
            if best is None or tried.value > best.value:
                best = tried
        if best is None:
            raise UnfitError("nothing in it to learn from")
        best.head.fit(ArrayRows(best.rows[part.train]), labels)
        scores.append(best.head.scores(ArrayRows(best.rows[part.held])))
        worth.append(best.worth)
        reports.append(best.head.report())
        chosen.append(f"{best.form}, {best.head.name}")
    validation = float(np.mean(worth)) if np.isfinite(worth).all() else None
    return Arm(
        np.concatenate(scores), validation, 0.0, {"chosen": _counted(chosen), **_converged(reports)}
    )


def majority(contest: Contest) -> Arm:
    """The most frequent class, the mean number, or each label's odds, of the training rows."""
    scores = []
    for part in contest.parts:
        values = contest.target.values[part.train]
        if contest.target.task == "regression":
            row = values.mean(axis=0)
        elif contest.target.task == "multilabel":
            there = (values == 1).sum(axis=0)
            row = np.log(there + 0.5) - np.log(len(values) - there + 0.5)
        else:
            counts = np.bincount(values, minlength=len(contest.target.names))
            row = np.log(counts + 0.5)
        scores.append(np.tile(row, (len(part.held), 1)))
    return Arm(np.concatenate(scores), None, 0.0)


def from_scratch(
    contest: Contest, learn: Callable[..., Any], *, seed: int, threads: int, budget: float
) -> Arm:
    """A learner of the modality, trained anew for each part within its share of the budget.

    Raises:
        UnfitError: a part has no validation rows to stop and to choose by.
    """
    scores, worth, learned = [], [], []
    for part in contest.parts:
        if not part.folds:
            raise UnfitError("no row can be held out to choose by")
        fit, held = part.folds[0]
        found = learn(
            list(contest.items),
            contest.target,
            modality=contest.modality,
            train=fit,
            validation=held,
            judge=part.held,
            seed=seed,
            threads=threads,
            budget=budget / len(contest.parts),
        )
        scores.append(np.asarray(found.scores, np.float64))
        worth.append(float(found.validation))
        learned.append(found)
    told = {
        "configuration": learned[0].configuration,
        "converged": not any(one.configuration.get("cut") for one in learned),  # by the budget
        "curve": learned[0].curve,
    }
    return Arm(np.concatenate(scores), float(np.mean(worth)), 0.0, told)


@dataclass(frozen=True, eq=False)
class _Tried:
    """A form under a head whose strength is chosen: its out-of-fold metric, and on validation."""

    form: str
    rows: np.ndarray
    head: Head
    value: float
    worth: float


def _tries(
    contest: Contest, raw: RawInput, part: Part, make_head: MakeHead, threads: int
) -> Iterator[_Tried]:
    labels = contest.target.take(part.train)
    folds = _inside(part)
    for form, rows in raw.forms(part.train).items():
        some = ArrayRows(rows[part.train])
        for name in HEADS[labels.task]:
            head = make_head(name)
            head.threads = threads
            if not folds:  # nothing to choose by: the first of each
                yield _Tried(form, rows, head, 0.0, np.nan)
                return
            held_scores = head.search(some, labels, folds).held_scores
            if held_scores is None:
                held_scores = _out_of_fold(head, some, labels, folds)
            judged = np.flatnonzero(np.isfinite(held_scores).all(axis=1))
            value = primary_value(held_scores[judged], labels.take(judged))
            first = folds[0][1]
            worth = primary_value(held_scores[first], labels.take(first))
            yield _Tried(form, rows, head, value, worth)


def _out_of_fold(
    head: Head, rows: ArrayRows, labels: Target, folds: Sequence[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """(n, k) scores of held rows at the strength chosen; NaN where no fold holds a row."""
    out = np.full((rows.shape[0], len(labels.names)), np.nan)
    for fit, held in folds:
        head.fit(ArrayRows(rows.gather(fit)), labels.take(fit))
        out[held] = head.scores(ArrayRows(rows.gather(held)))
    return out


def _inside(part: Part) -> list[tuple[np.ndarray, np.ndarray]]:
    """The part's folds in numbers of its training rows."""
    return [
        (np.searchsorted(part.train, fit), np.searchsorted(part.train, held))
        for fit, held in part.folds
    ]


def _converged(reports: Sequence[FitReport]) -> dict[str, bool]:
    """Whether all heads that know reached their optimum; empty where none knows."""
    known = [report.converged for report in reports if report.converged is not None]
    return {"converged": all(known)} if known else {}


def _counted(names: list[str]) -> str:
    """What was chosen, and by how many parts where they differ."""
    there = sorted(set(names), key=names.index)
    if len(there) == 1:
        return there[0]
    return "; ".join(f"{name} ({names.count(name)} of {len(names)} folds)" for name in there)


def _read(path: Path) -> Arm | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            told = json.loads(arrays["told"].tobytes())
            scores = np.asarray(arrays["scores"], np.float64)
        return Arm(scores, cached=True, **{name: told[name] for name in _TOLD})
    except Exception:  # noqa: BLE001 - of NumPy's, zip's and zlib's whichever: it is trained again
        return None


def _write(path: Path, arm: Arm) -> None:
    told = {name: getattr(arm, name) for name in _TOLD}
    try:
        said = np.frombuffer(json.dumps(told).encode(), np.uint8)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, scores=arm.scores, told=said)
    except (DataError, TypeError):  # a full disk, or a plugin's values that are no JSON
        return
