"""What a peer of the logistic head's solver is, zoo's own set-up, and how many threads either has.

All minimise the very objective of `heads_objective.py`. What a peer needs to have its rows as it
likes them (a copy in float64, centred, as its own structure) is made before the clock starts; zoo
gets the float32 rows as they are.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import metadata
from typing import ClassVar

import numpy as np
from heads_objective import Problem, Weights
from threadpoolctl import threadpool_limits

from zoo import engine

Fit = Callable[[float], Weights]  # tolerance -> what is found
# Optimistic work of a second on one thread: what gives a peer too many passes, never too few.
RATE = 5e10


def use_threads(count: int) -> None:
    """Let every library that is loaded take so many threads, until told otherwise."""
    threadpool_limits(count)  # BLAS and OpenMP
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
    if "daal4py" in sys.modules:
        sys.modules["daal4py"].daalinit(count)


def passes(problem: Problem, seconds: float, threads: int) -> int:
    """How many gradients a fit may take before it has taken `seconds` for certain."""
    n, d, k = problem.shape
    return int(np.clip(seconds * RATE * threads / (4 * n * d * k), 200, 50_000))


class Peer(ABC):
    """A solver.

    Attributes:
        name: in tables and results.
        package: whose version is told.
        settings: how it is set up, in words.
        dtypes: of the rows, in the order tried.
        tolerances: of its own stopping rule, from loose to tight.
        threaded: whether it can take more than one thread.
    """

    name: ClassVar[str]
    package: ClassVar[str] = "scikit-learn"
    settings: ClassVar[str]
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    tolerances: ClassVar[tuple[float, ...]] = tuple(10.0**-i for i in range(2, 11))
    threaded: ClassVar[bool] = True

    def version(self) -> str:
        """Of the package; raises ImportError where it is not installed."""
        return metadata.version(self.package)

    def left_out(self, problem: Problem, seconds: float, threads: int) -> str:
        """Why it does not take part, or nothing."""
        del problem, seconds, threads
        return ""

    @abstractmethod
    def prepare(self, problem: Problem, dtype: str, seconds: float, threads: int) -> Fit:
        """All that is not timed; `seconds` bounds the passes that a fit may take.

        `threads` is what `use_threads` will be called with before the fit is.
        """


class Zoo:
    """The product, at its default tolerance."""

    name = "zoo"
    settings = "engine.fit_logistic, tolerance 1e-6, float32 rows"
    tolerance = 1e-6

    def prepare(self, problem: Problem, threads: int) -> Callable[[], engine.LogisticFit]:
        """The fit, ready to be timed."""
        rows = problem.rows

        def fit() -> engine.LogisticFit:
            return engine.fit_logistic(
                *(rows.x_train, rows.y_train, rows.classes),
                strength=problem.strength,
                tolerance=self.tolerance,
                threads=threads,
            )

        return fit
