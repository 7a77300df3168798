"""One cell: every solver on one problem, each at the loosest setting that is good enough, in turns.

A peer's tolerance is tightened by decades until its objective is within `GOAL` of the best known,
float32 rows first, then float64; then half a decade looser is tried. It is given up once a fit has
taken `patience` times zoo's time. All may take `threads` threads; a peer that is quicker with one
has one. The settings so found are timed in alternating rounds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from heads_objective import Problem, Weights, best_known, hits, objective
from heads_peers import Peer, Zoo, use_threads
from store_timing import summary

if TYPE_CHECKING:
    from heads_peers import Fit

GOAL = 1e-6
LEAST = 0.05  # seconds of a measurement: shorter fits are repeated within it
PATIENT = 0.5  # seconds that any peer may take, however quick zoo is


@dataclass(frozen=True)
class Rules:
    """How a cell is measured."""

    threads: int
    repeat: int = 5
    patience: float = 30.0


@dataclass
class Found:
    """The setting of a peer that is timed, or what it came to.

    Attributes:
        fit: ready to be timed; None where it was not good enough.
        dtype, tolerance, threads: of the rows, of its stopping rule, that it takes.
        weights, objective: the lowest that it found, or those of `fit`.
        seconds: of its last fit in the search.
        note: why there is no fit.
    """

    fit: Callable[[], Any] | None = None
    dtype: str = ""
    tolerance: float = math.nan
    threads: int = 0
    weights: Weights | None = None
    objective: float = math.inf
    seconds: float = math.inf
    note: str = ""


@dataclass
class Cell:
    """What is known of one problem once all have solved it."""

    problem: Problem
    best: float
    ours: dict[str, Any]
    peers: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def fastest(self) -> tuple[str, float] | None:
        """The quickest peer that was good enough, and its median seconds."""
        times = {
            name: peer["seconds"]["median"] for name, peer in self.peers.items() if peer["seconds"]
        }
        return min(times.items(), key=lambda item: item[1]) if times else None

    @property
    def ratio(self) -> float:
        """Seconds of zoo over the fastest peer's; 0 where no peer was good enough."""
        return self.ours["seconds"]["median"] / self.fastest[1] if self.fastest else 0.0

    def as_json(self) -> dict[str, Any]:
        """For the result file."""
        n, d, k = self.problem.shape
        return {
            "rows": self.problem.rows.name,
            **dict(zip("ndk", (n, d, k), strict=True)),
            "strength": self.problem.strength,
            "held": len(self.problem.rows.y_test),
            "best_known": self.best,
            "zoo": self.ours,
            "peers": self.peers,
            "fastest_peer": self.fastest[0] if self.fastest else None,
            "zoo_over_fastest_peer": self.ratio,
        }


def measure(problem: Problem, peers: Sequence[Peer], rules: Rules) -> Cell:
    """Find the peers' settings, time them and zoo in turns, judge all by one objective."""
    fit = Zoo().prepare(problem, rules.threads)
    use_threads(rules.threads)
    seconds, result = _clock(fit)
    seconds = min(seconds, _clock(fit)[0])  # the first may have warmed up
    own = Weights(result.weights, result.intercepts)
    known = best_known(problem, rules.threads)
    values = [objective(problem, known), objective(problem, own)]
    limit = max(PATIENT, rules.patience * seconds)
    found = {peer.name: _search(peer, problem, min(values), limit, rules.threads) for peer in peers}
    best = min(*values, *(peer.objective for peer in found.values()))
    works = {"zoo": Found(fit, threads=rules.threads, seconds=seconds)}
    works |= {name: peer for name, peer in found.items() if peer.fit}
    times = _in_turns(works, rules.repeat)
    ours = {
        "seconds": summary(times["zoo"]),
        "gap": _gap(values[1], best),
        "suboptimality": result.suboptimality,
        "converged": result.converged,
        "iterations": result.iterations,
        "products": result.products,
        "hits": hits(problem, own),
        "hits_of_best_known": hits(problem, known),
    }
    cell = Cell(problem, best, ours)
    for name, peer in found.items():
        cell.peers[name] = {
            "seconds": summary(times[name]) if name in times else None,
            "seconds_in_search": peer.seconds if peer.weights else None,
            "gap": _gap(peer.objective, best) if peer.weights else None,
            "dtype": peer.dtype,
            "threads": peer.threads,
            "tolerance": peer.tolerance if peer.weights else None,
            "hits": hits(problem, peer.weights) if peer.weights else None,
            "note": peer.note,
        }
    return cell


def _search(peer: Peer, problem: Problem, best: float, limit: float, threads: int) -> Found:
    """The loosest setting whose objective is within GOAL of the best."""
    note = peer.left_out(problem, limit, threads)
    if note:
        return Found(note=note)
    lowest = Found(note=f"not within {GOAL:g} at any tolerance")
    for dtype in peer.dtypes:
        ways = _ways(peer, problem, dtype, limit, threads)
        for tolerance in peer.tolerances:
            tried = ways[0].run(problem, tolerance)
            if _gap(tried.objective, best) <= GOAL:
                others = [ways[0].run(problem, tolerance * math.sqrt(10))]
                others += [way.run(problem, tolerance) for way in ways[1:]]
                good = [other for other in others if _gap(other.objective, best) <= GOAL]
                return min([tried, *good], key=lambda found: found.seconds)
            if tried.objective < lowest.objective:
                lowest = replace(tried, fit=None, note=lowest.note)
            if tried.seconds > limit:
                lowest.note = f"not within {GOAL:g} after {tried.seconds:.3g} s"
                return lowest
    return lowest


@dataclass(frozen=True)
class _Way:
    """A peer with its rows in one type and a number of threads."""

    fit: Fit
    dtype: str
    threads: int

    def run(self, problem: Problem, tolerance: float) -> Found:
        use_threads(self.threads)
        seconds, weights = _clock(lambda: self.fit(tolerance))
        value = objective(problem, weights)
        if not math.isfinite(value):
            return Found(seconds=seconds)
        again = partial(self.fit, tolerance)
        return Found(again, self.dtype, tolerance, self.threads, weights, value, seconds)


def _ways(peer: Peer, problem: Problem, dtype: str, limit: float, threads: int) -> list[_Way]:
    """With all threads and with one, the quicker at the loosest tolerance first."""
    counts = sorted({1, threads}) if peer.threaded else [1]
    ways = [_Way(peer.prepare(problem, dtype, limit, n), dtype, n) for n in counts]
    # The first run warms up. Who is too slow even so need not choose.
    if len(ways) > 1 and ways[0].run(problem, peer.tolerances[0]).seconds <= limit:
        ways.sort(key=lambda way: way.run(problem, peer.tolerances[0]).seconds)
    return ways


def _gap(value: float, best: float) -> float:
    """How far above the best, relative to it."""
    return (value - best) / best


def _clock(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _in_turns(works: dict[str, Found], repeat: int) -> dict[str, list[float]]:
    """Seconds of a fit, `repeat` times in alternating rounds; quick ones are averages of several.

    Nothing warms up: every work has run when its setting was searched for.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeat):
        for name, work in works.items():
            often = max(1, math.ceil(LEAST / max(work.seconds, 1e-5)))
            use_threads(work.threads)
            start = time.perf_counter()
            for _ in range(often):
                work.fit()
            times[name].append((time.perf_counter() - start) / often)
    return times
