"""The other peers: torch, LIBLINEAR and Cyanure."""
# ruff: noqa: D102 - the base class says what each method does

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from heads_objective import Problem, Weights
from heads_peers import Fit, Peer, passes

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Torch(Peer):
    """torch.optim.LBFGS on the whole data, the rows centred so that it converges better."""

    name = "torch-lbfgs"
    package = "torch"
    settings = "LBFGS(history 20, strong_wolfe), centred rows, full batch; tolerance_grad is varied"
    tolerances = tuple(10.0**-i for i in range(2, 13))

    def prepare(self, problem: Problem, dtype: str, seconds: float, threads: int) -> Fit:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

        _, d, k = problem.shape
        mean = problem.rows.x_train.mean(axis=0, dtype=np.float64)
        x = torch.from_numpy((problem.rows.x_train - mean).astype(dtype))
        y = torch.from_numpy(problem.rows.y_train)
        binary = k == 2
        outputs = 1 if binary else k
        target = y.to(x.dtype)[:, None] if binary else y
        loss_of = binary_cross_entropy_with_logits if binary else cross_entropy
        most = passes(problem, seconds, threads)
        change = 1e-12 if dtype == "float32" else 1e-16  # the default, 1e-9, stops far too early

        def fit(tolerance: float) -> Weights:
            w = torch.zeros((outputs, d), dtype=x.dtype, requires_grad=True)
            b = torch.zeros(outputs, dtype=x.dtype, requires_grad=True)
            optimizer = torch.optim.LBFGS(
                [w, b],
                max_iter=most,
                history_size=20,
                line_search_fn="strong_wolfe",
                tolerance_grad=tolerance,
                tolerance_change=change,
            )

            def closure() -> torch.Tensor:
                optimizer.zero_grad()
                loss = (
                    loss_of(torch.addmm(b, x, w.T), target) + problem.strength / 2 * (w * w).sum()
                )
                loss.backward()
                return loss

            optimizer.step(closure)
            weights = w.detach().numpy().astype(np.float64)
            return Weights(weights, b.detach().numpy() - weights @ mean)

        return fit


class Liblinear(Peer):
    """LIBLINEAR's trust-region Newton; two classes, one thread."""

    name = "liblinear"
    package = "liblinear-official"
    settings = "-s 0 -B 1 -R (intercept not penalised); two classes and one thread only"
    dtypes = ("float64",)
    tolerances = tuple(10.0**-i for i in range(1, 9))
    threaded = False

    def left_out(self, problem: Problem, seconds: float, threads: int) -> str:
        del seconds, threads
        return "" if problem.shape[2] == 2 else "two classes only"

    def prepare(self, problem: Problem, dtype: str, seconds: float, threads: int) -> Fit:
        from liblinear.liblinear import problem as table
        from liblinear.liblinearutil import train
        from scipy.sparse import csr_matrix

        del seconds, threads
        rows = problem.rows
        data = table(
            rows.y_train.astype(np.float64), csr_matrix(rows.x_train.astype(dtype)), bias=1
        )
        cost = 1 / (problem.strength * len(rows.x_train))
        d = problem.shape[1]

        def fit(tolerance: float) -> Weights:
            model = train(data, f"-s 0 -B 1 -R -q -c {cost!r} -e {tolerance!r}")
            found: NDArray[np.float64] = np.ctypeslib.as_array(model.w, (d + 1,)).copy()
            if model.get_labels()[0] == 0:  # it scores the class that comes first in the data
                found = -found
            return Weights(found[None, :d], found[d:])

        return fit


class Cyanure(Peer):
    """Cyanure's quasi-Newton and accelerated stochastic solvers, as it chooses."""

    name = "cyanure"
    package = "cyanure"
    solver: ClassVar[str] = "auto"
    settings = "Classifier(solver='auto'), its duality gap as tolerance"

    def prepare(self, problem: Problem, dtype: str, seconds: float, threads: int) -> Fit:
        from cyanure.estimators import Classifier

        x, y = problem.rows.x_train.astype(dtype, copy=False), problem.rows.y_train
        binary = problem.shape[2] == 2
        settings = {
            "loss": "logistic" if binary else "multiclass-logistic",
            "penalty": "l2",
            "lambda_1": problem.strength,
            "fit_intercept": True,
            "solver": self.solver,
            "max_iter": passes(problem, seconds / 20, 1),  # its passes are 20 times slower
            "n_threads": threads,
            "verbose": False,
        }

        def fit(tolerance: float) -> Weights:
            model = Classifier(**settings, tol=tolerance).fit(x, y)
            w = np.asarray(model.coef_, np.float64).reshape(x.shape[1], -1).T
            return Weights(w, np.ravel(model.intercept_).astype(np.float64))

        return fit


class CyanureMiso(Cyanure):
    """Cyanure's accelerated incremental solver, which 'auto' does not always choose."""

    name = "cyanure-miso"
    solver = "catalyst-miso"
    settings = "Classifier(solver='catalyst-miso'), its duality gap as tolerance"
