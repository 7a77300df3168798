"""The peers with scikit-learn's interface: its own solvers and Intel's."""
# ruff: noqa: D102 - the base class says what each method does

from __future__ import annotations

from typing import Any, ClassVar

from heads_objective import Problem, Weights
from heads_peers import RATE, Fit, Peer, passes

HESSIAN_BYTES = 4 << 30


class _Sklearn(Peer):
    solver: ClassVar[str]

    def kind(self) -> Any:
        """The estimator's class."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression

    def prepare(self, problem: Problem, dtype: str, seconds: float, threads: int) -> Fit:
        kind = self.kind()
        x, y = problem.rows.x_train.astype(dtype, copy=False), problem.rows.y_train
        settings = {"C": 1 / (problem.strength * len(x)), "solver": self.solver}
        settings["max_iter"] = passes(problem, seconds, threads)

        def fit(tolerance: float) -> Weights:
            model = kind(**settings, tol=tolerance).fit(x, y)
            return Weights(model.coef_, model.intercept_)

        return fit


class SklearnLbfgs(_Sklearn):
    """scikit-learn's default."""

    name = "sklearn-lbfgs"
    solver = "lbfgs"
    settings = "LogisticRegression(solver='lbfgs')"


class SklearnNewtonCg(_Sklearn):
    """scikit-learn's truncated Newton."""

    name = "sklearn-newton-cg"
    solver = "newton-cg"
    settings = "LogisticRegression(solver='newton-cg')"


class SklearnCholesky(_Sklearn):
    """scikit-learn's Newton with the whole Hessian, where that is thinkable."""

    name = "sklearn-newton-cholesky"
    solver = "newton-cholesky"
    settings = "LogisticRegression(solver='newton-cholesky'); left out where the Hessian is too big"

    def left_out(self, problem: Problem, seconds: float, threads: int) -> str:
        n, d, k = problem.shape
        size = d * (1 if k == 2 else k)
        if 8 * size * size > HESSIAN_BYTES:
            return f"its Hessian takes {8 * size * size / 2**30:.0f} GiB"
        steps = 4 * (n * size * size + size**3 / 3) / RATE / threads
        return f"four Newton steps take {steps:.0f} s or more" if steps > seconds else ""


class Intelex(_Sklearn):
    """Intel's extension of scikit-learn."""

    name = "sklearnex-lbfgs"
    package = "scikit-learn-intelex"
    solver = "lbfgs"
    settings = "sklearnex.linear_model.LogisticRegression(solver='lbfgs')"

    def kind(self) -> Any:
        from sklearnex.linear_model import LogisticRegression

        return LogisticRegression
