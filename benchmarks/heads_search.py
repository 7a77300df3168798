"""The default search, 5 folds x 20 strengths, beside single fits and LogisticRegressionCV."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import numpy as np
from heads_objective import Problem, Weights, hits
from heads_peers import Zoo, use_threads
from store_timing import in_turns, seconds, summary

from zoo import engine

if TYPE_CHECKING:
    from heads_real import RowSet
    from numpy.typing import NDArray

FOLDS = 5

Folds = list[tuple["NDArray[np.int64]", "NDArray[np.int64]"]]


def folds_of(codes: NDArray[np.int64]) -> Folds:
    """Stratified, the same for all."""
    from sklearn.model_selection import StratifiedKFold

    draw = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return list(draw.split(np.zeros((len(codes), 1)), codes))


def measure_search(rows: RowSet, strength: float, repeat: int, threads: int) -> dict[str, Any]:
    """Seconds of the search and of a fit at `strength` in turns; the ratio of the medians."""
    folds = folds_of(rows.y_train)
    grid = engine.strength_grid(engine.total_variance(rows.x_train))

    def search() -> engine.LogisticPath:
        return _search(rows, folds, grid, threads)

    fit = Zoo().prepare(Problem(rows, strength), threads)
    use_threads(threads)
    times = in_turns(repeat, fit=fit, search=search)
    medians = {name: statistics.median(each) for name, each in times.items()}
    return {
        **_shape(rows),
        "strength": strength,
        "folds": FOLDS,
        "strengths": len(grid),
        "seconds": {name: summary(each) for name, each in times.items()},
        "search_over_fit": medians["search"] / medians["fit"],
    }


def measure_cv_peer(rows: RowSet, repeat: int, threads: int) -> dict[str, Any]:
    """Search and refit, against LogisticRegressionCV on the same folds and strengths, once."""
    from sklearn.linear_model import LogisticRegressionCV

    x, y = rows.x_train, rows.y_train
    folds = folds_of(y)
    grid = engine.strength_grid(engine.total_variance(x))

    def ours() -> tuple[engine.LogisticPath, Problem, Weights]:
        path = _search(rows, folds, grid, threads)
        problem = Problem(rows, grid[int(np.argmin(path.mean))])
        fit = Zoo().prepare(problem, threads)()
        return path, problem, Weights(fit.weights, fit.intercepts)

    fitted = len(folds[0][0])  # its C weighs sums over the fitted rows, a strength their mean
    peer = LogisticRegressionCV(
        Cs=[1 / (strength * fitted) for strength in grid],
        cv=folds,
        scoring="neg_log_loss",
        max_iter=10_000,
        tol=1e-4,
        n_jobs=threads,  # processes of one thread each: quicker than threads in each product
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
    )
    use_threads(threads)
    path, problem, weights = ours()
    times = [seconds(ours) for _ in range(repeat)]
    theirs = seconds(lambda: peer.fit(x, y))
    losses = -np.asarray(peer.scores_).reshape(FOLDS, -1).mean(axis=0)
    right = {
        "zoo": hits(problem, weights),
        "peer": int((peer.predict(rows.x_test) == rows.y_test).sum()),
    }
    return {
        **_shape(rows),
        "settings": "LogisticRegressionCV(solver='lbfgs', tol=1e-4), n_jobs=threads, 1 run",
        "seconds": {"zoo": summary(times), "peer": summary([theirs])},
        "peer_over_zoo": theirs / statistics.median(times),
        "strengths": list(grid),
        "chosen": {"zoo": problem.strength, "peer": 1 / (float(peer.C_) * fitted)},
        "losses": {"zoo": path.mean.tolist(), "peer": losses.tolist()},
        "hits": right,
        "held": len(rows.y_test),
    }


def _search(
    rows: RowSet, folds: Folds, grid: tuple[float, ...], threads: int
) -> engine.LogisticPath:
    return engine.search_logistic(
        *(rows.x_train, rows.y_train, rows.classes), folds=folds, strengths=grid, threads=threads
    )


def _shape(rows: RowSet) -> dict[str, Any]:
    n, d = rows.x_train.shape
    return {"rows": rows.name, "n": n, "d": d, "k": rows.classes}
