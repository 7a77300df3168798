"""Learns a task from scratch within a budget of seconds: the opponent that a transfer must beat.

The plan of epochs is fixed (`zoo.baselines.searching`), and the budget a cap: while it does not
bind, equal arguments give equal scores on one machine. Training runs on one thread, whatever is
allowed: several would round otherwise, and where other programs want the processor they wait for
each other: two were measured to be three times slower than one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.baselines.images import Images
from zoo.baselines.objectives import Objective
from zoo.baselines.recordings import Recordings
from zoo.baselines.searching import Clock, search
from zoo.baselines.texts import Texts
from zoo.baselines.torch_state import borrowed
from zoo.baselines.training import judged
from zoo.errors import MissingExtraError, UsageError
from zoo.preprocess.decode import decode, quiet_decoding

if TYPE_CHECKING:
    from zoo.baselines.learner import Learner
    from zoo.features import Progress
    from zoo.plugin import Item, Target

LEARNERS: dict[str, type[Learner]] = {"image": Images, "text": Texts, "audio": Recordings}
_LOOKED_AT = 48  # training samples that settle the inputs' size
_CHUNK = 64  # samples between two looks at the clock
_READING = 0.5  # of the budget: training samples that are not read then are left out


@dataclass(frozen=True, eq=False)
class Learned:
    """What a learner from scratch came to.

    Attributes:
        scores: (m, k) float64 of the judged rows, as a head's would be: logits of classes, log
            odds of labels, numbers in their own units.
        validation: the primary metric on the validation rows (accuracy, macro F1 or R2), of the
            network that was trained without them.
        seconds: wall time, reading included.
        configuration: what was chosen, from which grid, and whether the budget cut, in plain JSON
            values.
        curve: ``epoch``, ``train_loss`` and ``validation`` of the chosen configuration.
    """

    scores: np.ndarray
    validation: float
    seconds: float
    configuration: dict[str, Any]
    curve: list[dict[str, float]]


def learn_scratch(
    items: Sequence[Item],
    target: Target,
    *,
    modality: str,
    train: np.ndarray,
    validation: np.ndarray,
    judge: np.ndarray,
    seed: int,
    threads: int,
    budget: float,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Learned:
    """Learn from training rows, choose by validation rows, and score the judged rows.

    Args:
        items: n samples.
        target: n classes, marks of labels, or numbers.
        modality: ``image``, ``text`` or ``audio``.
        train: row numbers to learn from.
        validation: row numbers that choose configuration and epoch.
        judge: row numbers to score; nothing of them but their scores is used.
        seed: of weights, order and augmentation.
        threads: upper bound of those that decode.
        budget: seconds in all, torch's import aside. Validation and judged rows are always read,
            however long that takes; a budget too short to learn anything gives the scores of the
            classes' shares.
        say: hears in one line where the budget cut.
        progress: epochs done and planned.

    Raises:
        DataError: a sample can't be read, or the training rows have fewer than two classes.
        UsageError: an unknown modality or task, rows that are empty or unlabelled, a bad budget.
        MissingExtraError: torch is not installed.
    """
    rows = [np.asarray(part, np.int64) for part in (train, validation, judge)]
    _check(target, modality, rows, budget)
    _require_torch()
    clock = Clock(budget)
    learner = LEARNERS[modality]()
    known = target.values[rows[0]]
    with borrowed(1):
        rows[0] = _read(learner, items, modality, rows, threads=threads, clock=clock, seed=seed)
        objective = Objective(target.take(np.concatenate(rows)), known)
        places = np.split(np.arange(sum(map(len, rows))), np.cumsum([len(r) for r in rows[:2]]))
        found = search(learner, objective, *places, clock=clock, seed=seed, progress=progress)
        scores = judged(learner, objective, found.final, places[2])
    cut = found.cut or len(rows[0]) < len(known)
    if cut and say is not None:
        say(
            f"note: learning from scratch was cut after {budget:g} s: "
            "--scratch-budget gives it longer"
        )
    return Learned(
        scores,
        found.best.validation,
        clock.spent(),
        {
            **learner.describe(),
            **found.as_dict(),
            "rows": len(rows[0]),
            "rows_left_out": len(known) - len(rows[0]),
            "cut": cut,
            "budget": budget,
            "threads": 1,
            "seed": seed,
        },
        found.best.curve,
    )


def _check(target: Target, modality: str, rows: Sequence[np.ndarray], budget: float) -> None:
    if modality not in LEARNERS:
        raise UsageError(
            f"nothing learns {modality} samples from scratch",
            hint=f"samples of {', '.join(sorted(LEARNERS))} can be learnt",
        )
    if not budget >= 0:
        raise UsageError(f"a budget of {budget} seconds", hint="--scratch-budget 60")
    for name, part in zip(("training", "validation", "judged"), rows, strict=True):
        if part.ndim != 1 or not len(part):
            raise UsageError(f"learning from scratch needs {name} rows")
        if target.task != "none" and not target.labelled[part].all():
            raise UsageError(f"learning from scratch: {name} rows without a label")


def _require_torch() -> None:
    try:
        importlib.import_module("torch")
    except ImportError as error:
        raise MissingExtraError("torch", "", package="torch>=2.10") from error


def _read(
    learner: Learner,
    items: Sequence[Item],
    modality: str,
    rows: Sequence[np.ndarray],
    *,
    threads: int,
    clock: Clock,
    seed: int,
) -> np.ndarray:
    """Hand the samples to the learner; the training rows that there was time for."""
    fit, held, judge = rows
    mixed = np.random.Generator(np.random.PCG64(seed)).permutation(fit)

    def work(row: int) -> np.ndarray:
        return learner.prepare(decode(items[row], modality))

    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="zoo-decode") as pool:

        def read(some: np.ndarray) -> list[np.ndarray]:
            futures = [pool.submit(work, row) for row in some.tolist()]
            try:
                return [future.result() for future in futures]
            finally:
                for future in futures:  # after an error or Ctrl-C
                    future.cancel()

        with quiet_decoding():
            learner.settle([decode(items[i], modality) for i in mixed[:_LOOKED_AT].tolist()])
            others = read(np.concatenate([held, judge]))
            ours: list[np.ndarray] = []
            for begin in range(0, len(mixed), _CHUNK):
                if ours and clock.spent() > _READING * clock.budget:
                    break
                ours += read(mixed[begin : begin + _CHUNK])
    learner.hold([*ours, *others], np.arange(len(ours)))
    return mixed[: len(ours)]
