"""Times of works that take turns, and goals judged by them."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of one call; what it returns is let go of after the clock has stopped."""
    start = time.perf_counter()
    result = work()
    elapsed = time.perf_counter() - start
    del result
    return elapsed


def in_turns(repeat: int, **works: Callable[[], Any]) -> dict[str, list[float]]:
    """Seconds of each work, one after the other, `repeat` times, after one round that warms up."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeat):
        for name, work in works.items():
            times[name].append(seconds(work))
    return times


def summary(times: list[float]) -> dict[str, Any]:
    """The median and all of them, as the result file has it."""
    return {"median": statistics.median(times), "all": times}


def emptied(path: Path) -> Path:
    """The path, with nothing there any more."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return path


@dataclass(frozen=True)
class Goal:
    """One figure, with the bound it is held against where it has one.

    Attributes:
        name: what is measured.
        measured: the figure.
        at_least: lower bound, or None.
        at_most: upper bound, or None.
        seconds: name to times of each work behind it.
        bytes: what each work moves; 0 where its time says more than its rate.
    """

    name: str
    measured: float
    at_least: float | None = None
    at_most: float | None = None
    seconds: dict[str, list[float]] = field(default_factory=dict)
    bytes: int = 0

    @property
    def met(self) -> bool | None:
        """Whether the bound is kept; None without one."""
        if self.at_least is not None:
            return self.measured >= self.at_least
        return None if self.at_most is None else self.measured <= self.at_most

    def line(self) -> str:
        """Goal, measured, met or not, and the medians behind it."""
        bound = ""
        if self.at_least is not None:
            bound = f"at least {self.at_least:g}"
        elif self.at_most is not None:
            bound = f"at most {self.at_most:g}"
        verdict = {True: "met", False: "NOT MET", None: ""}[self.met]
        medians = ", ".join(
            f"{name} {self._told(statistics.median(times))}" for name, times in self.seconds.items()
        )
        return f"{self.name:62} {bound:13} {self.measured:7.3f}  {verdict:8} {medians}"

    def _told(self, taken: float) -> str:
        return f"{self.bytes / taken / 1e9:.2f} GB/s" if self.bytes else f"{taken * 1e3:.2f} ms"

    def as_json(self) -> dict[str, Any]:
        """For the result file."""
        return {
            "goal": self.name,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "measured": self.measured,
            "met": self.met,
            "bytes": self.bytes,
            "seconds": {name: summary(times) for name, times in self.seconds.items()},
        }
