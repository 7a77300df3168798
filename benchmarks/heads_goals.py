"""What the cells of the benchmark of the heads come to: one line each, and the goals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from heads_cells import GOAL, Cell
from store_timing import Goal

LBFGS = "sklearn-lbfgs"
LOST = 1.3  # times the fastest peer's seconds
POINT = 0.001  # of accuracy that may differ
HEAD = (
    f"{'rows':24}{'strength':>9}{'zoo ms':>11}{'fastest peer':>26}{'ms':>11}{'zoo/peer':>9}"
    f"{'certified':>11}{'gap':>10}{'zoo':>8}{'sklearn':>9}"
)


def line(cell: Cell) -> str:
    """Times, ratio, zoo's certificate beside its true gap, held-out accuracies."""
    name, taken = cell.fastest or ("none good enough", math.nan)
    held = len(cell.problem.rows.y_test)
    theirs = sklearn(cell)["hits"] / held
    return (
        f"{cell.problem.rows.name:24}{cell.problem.strength:9.0e}"
        f"{cell.ours['seconds']['median'] * 1e3:11.2f}{name:>26}{taken * 1e3:11.2f}"
        f"{cell.ratio:9.2f}{cell.ours['suboptimality']:11.1e}{cell.ours['gap']:10.1e}"
        f"{cell.ours['hits'] / held:8.4f}{theirs:9.4f} {' '.join(flags(cell))}".rstrip()
    )


def flags(cell: Cell) -> list[str]:
    """What is wrong with a cell, in a word each."""
    found = []
    if cell.ratio > LOST:
        found.append("LOST")
    if cell.ours["gap"] > GOAL:
        found.append("GAP")
    if not cell.ours["converged"]:
        found.append("NOT-CONVERGED")
    if cell.ours["gap"] > cell.ours["suboptimality"] and cell.ours["gap"] > 1e-9:
        found.append("CERTIFICATE")
    if abs(sklearn(cell)["hits"] - cell.ours["hits"]) > allowed(cell):
        found.append("ACCURACY")
    return found


def sklearn(cell: Cell) -> dict[str, Any]:
    """Hits and gap of scikit-learn's best fit, whichever solver found it.

    Where none came within reach of the optimum in time, those of the best known, which is
    scikit-learn's own polish: accuracies are compared at the optimum, not at an early stop.
    """
    own = [
        peer
        for name, peer in cell.peers.items()
        if name.startswith("sklearn-") and peer["gap"] is not None and peer["gap"] <= GOAL
    ]
    known = {"hits": cell.ours["hits_of_best_known"], "gap": 0.0}
    return min(own, key=lambda peer: peer["gap"], default=known)


def allowed(cell: Cell) -> float:
    """Held-out rows by which accuracies may differ: 0.1 point or one row."""
    return max(1.0, POINT * len(cell.problem.rows.y_test))


def synthetic_goals(cells: Sequence[Cell]) -> list[Goal]:
    """How many times faster than scikit-learn's default and than the fastest peer."""
    goals = []
    for cell in cells:
        what = f"{cell.problem.rows.name}, strength {cell.problem.strength:g}"
        own = cell.ours["seconds"]
        lbfgs = cell.peers.get(LBFGS)
        if lbfgs and lbfgs["seconds"]:
            goals.append(_faster(f"{what}: {LBFGS} over zoo", 8, own, lbfgs["seconds"]))
        if cell.fastest:
            name = cell.fastest[0]
            goals.append(_faster(f"{what}: {name} over zoo", 3, own, cell.peers[name]["seconds"]))
    return goals


def search_goals(found: dict[str, Any]) -> list[Goal]:
    """The search in single fits, by the number of classes, and against LogisticRegressionCV."""
    goals = []
    for case in found["searches"]:
        name = f"{case['rows']}: search of {case['strengths']} x {case['folds']} in single fits"
        bound = 6 if case["k"] <= 10 else 15
        times = {key: each["all"] for key, each in case["seconds"].items()}
        goals.append(Goal(name, case["search_over_fit"], at_most=bound, seconds=times))
    for case in found["cv_peer"]:
        name = f"{case['rows']}: LogisticRegressionCV over zoo"
        times = {key: each["all"] for key, each in case["seconds"].items()}
        goals.append(Goal(name, case["peer_over_zoo"], at_least=50, seconds=times))
    return goals


def real_goals(cells: Sequence[Cell]) -> list[Goal]:
    """Cells lost to a peer, and cells whose accuracy is not scikit-learn's."""
    found = [flags(cell) for cell in cells]
    named = {
        f"slower than {LOST} x the fastest peer": "LOST",
        f"more than {GOAL:g} above the best": "GAP",
        "of another accuracy than scikit-learn's": "ACCURACY",
    }
    goals = []
    for what, word in named.items():
        count = sum(word in each for each in found)
        goals.append(Goal(f"cells of {len(cells)} {what}", count, at_most=0))
    return goals


def _faster(name: str, bound: float, own: dict[str, Any], peer: dict[str, Any]) -> Goal:
    times = {"zoo": own["all"], "peer": peer["all"]}
    return Goal(name, peer["median"] / own["median"], at_least=bound, seconds=times)
