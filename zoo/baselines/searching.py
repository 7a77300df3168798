"""Which of a learner's configurations is best, trained within the time that there is.

Each is tried on a quarter of the epochs. The best on the validation rows is trained in full, its
best epoch kept, and then once more, for as many epochs, on training and validation rows together.
Where time is short the trials are shortened or left out, the learning rate of the full training
falls by the clock, so that it is at its end when time is, and the last training is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.baselines.training import BATCH, Training, judged, start, train

if TYPE_CHECKING:
    from zoo.baselines.learner import Configuration, Learner
    from zoo.baselines.objectives import Objective

_TRIAL = 0.12  # of the time left, the most that one configuration's trial takes
_SHORTEST = 6  # epochs of a trial, where there is time: fewer leave the choice to chance
_LEAST = 3  # and where there is none: trials of fewer are left out
_TIMED = 3  # batches by which the pace is foreseen
_SPARE = 1.1  # estimates of time are multiplied by it


class Clock:
    """A budget of seconds that runs from now on."""

    def __init__(self, budget: float) -> None:
        self.budget = budget
        self._start = time.perf_counter()

    def spent(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start

    def end(self, spare: float) -> float:
        """The time of `time.perf_counter` at which `spare` seconds are left."""
        return self._start + self.budget - spare


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        best: the training that did best on the validation rows.
        final: what judges: `best`, or the same on validation rows too.
        tried: the trials, in the order of the grid.
        cut: whether time ran out before the plan was done.
    """

    best: Training
    final: Training
    tried: list[Training]
    cut: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            **self.best.configuration,
            "epochs": self.best.epochs,
            "best_epoch": self.best.epoch,
            "refit": self.final is not self.best,
            "parameters": sum(p.numel() for p in self.final.network.parameters()),
            "grid": [
                {**one.configuration, "epochs": one.epochs, "validation": one.validation}
                for one in self.tried
            ],
        }


def search(
    learner: Learner,
    objective: Objective,
    fit: np.ndarray,
    held: np.ndarray,
    judge: np.ndarray,
    *,
    clock: Clock,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> Search:
    """The best of a learner's grid.

    Args:
        learner: with its inputs in memory.
        objective: what is learnt.
        fit: places to train on.
        held: places that choose.
        judge: places for whose scores time is kept.
        clock: the budget.
        seed: of all trainings.
        progress: epochs done and planned.
    """
    grid = learner.grid
    if objective.lifts:  # both ways with the safest, and lifted with the others
        grid = (grid[0], *({**one, "lift": True} for one in grid))
    epochs = learner.work(len(fit))
    trial = max(_SHORTEST, epochs // 4)
    told = _Told(trial * len(grid) + 2 * epochs, progress)
    to_train, to_judge = _pace(learner, objective, fit, held, seed)
    deadline = clock.end(to_judge * (len(held) + len(judge)) + 0.02)

    def fits(share: float, rows: int) -> int:
        """How many epochs of so many rows fit into a share of the time left."""
        left = share * (deadline - time.perf_counter())
        return int(left / (to_train * rows + to_judge * len(held)))

    def trained(
        configuration: Configuration,
        places: np.ndarray,
        chosen_by: np.ndarray,
        epochs: int,
        until: int,
        *,
        hurried: bool = False,
    ) -> Training:
        return train(
            learner,
            objective,
            configuration,
            places,
            chosen_by,
            epochs=epochs,
            until=until,
            seed=seed,
            deadline=deadline,
            hurried=hurried,
            done=told.one,
        )

    short = min(trial, fits(_TRIAL, len(fit)))
    cut = short < trial
    tried = [trained(one, fit, held, short, short) for one in grid if short >= _LEAST]
    if tried and not tried[-1].cut:
        to_train = sum(t.seconds for t in tried) / sum(t.samples for t in tried) * _SPARE
    chosen = max(tried, key=_quality).configuration if tried else grid[0]
    hurried = fits(1.0, len(fit)) < epochs
    full = trained(chosen, fit, held, epochs, epochs, hurried=hurried)
    best = max([*tried, full], key=_quality)
    cut = cut or full.cut
    final, every = best, np.concatenate([fit, held])
    if not hurried and 0 < best.epoch <= fits(1.0, len(every)):
        again = trained(best.configuration, every, held[:0], best.epochs, best.epoch)
        final = best if again.cut else again
    told.end()
    return Search(best, final, tried, cut or (final is best and best.epoch > 0))


def _quality(training: Training) -> tuple[float, float]:
    return training.validation, -training.loss


def _pace(
    learner: Learner, objective: Objective, fit: np.ndarray, held: np.ndarray, seed: int
) -> tuple[float, float]:
    """Seconds a sample takes in training and in judging, with some to spare."""
    network = start(learner, objective, learner.grid[-1], seed)
    one = Training(learner.grid[-1], network, 0)
    out = []
    for some, run in ((fit[:BATCH], _learn), (held[:BATCH], judged)):
        times = [time.perf_counter()]
        for _ in range(_TIMED + 1):  # the first makes ready
            run(learner, objective, one, some)
            times.append(time.perf_counter())
        out.append(float(np.median(np.diff(times)[1:])) / len(some) * _SPARE)
    return out[0], out[1]


def _learn(learner: Learner, objective: Objective, training: Training, some: np.ndarray) -> None:
    training.network.train()
    scores = learner.scores(training.network, some, training.configuration, augment=True)
    objective.loss(scores, some).backward()


class _Told:
    """Epochs done, of those planned."""

    def __init__(self, planned: int, progress: Callable[[int, int], None] | None) -> None:
        self._planned, self._progress, self._done = planned, progress, 0

    def one(self) -> None:
        """One more is done."""
        self._done = min(self._done + 1, self._planned)
        if self._progress is not None:
            self._progress(self._done, self._planned)

    def end(self) -> None:
        """So is the rest, which early stopping made needless."""
        self._done = self._planned - 1
        self.one()
