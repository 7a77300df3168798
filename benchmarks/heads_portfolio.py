"""What each stand-in for the Hessian saves: Hessian products of truncated Newton, in plain NumPy.

The measurement behind the choice of preconditioner in csrc/src/heads/logistic. Counts, not times:
they are the same on every machine. Rows come from heads_real.py.

    python benchmarks/heads_portfolio.py --rows FOLDER [--sets minilm-trec6,v2-flowers5]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

STRENGTHS = (1e-2, 1e-4, 1e-6)  # of the total variance
KINDS = ("none", "diagonal", "moments", "by class")
Apply = Callable[[np.ndarray], np.ndarray]


class Problem:
    """Mean multinomial loss of centred, scaled rows with a column of ones, all in float64."""

    def __init__(self, x: np.ndarray, codes: np.ndarray, strength: float) -> None:
        x = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
        x /= np.sqrt(np.square(x).sum(axis=1).mean())
        if len(x) < x.shape[1]:
            x = np.linalg.qr(x.T, mode="r").T  # type: ignore[attr-defined]
        self.x = np.c_[x, np.ones(len(x))]
        self.codes, self.k = codes, int(codes.max()) + 1
        self.ridge = np.full(self.x.shape[1], strength)
        self.ridge[-1] = 0.0

    def evaluate(self, w: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Objective, gradient and probabilities."""
        z = self.x @ w.T
        top = z.max(axis=1, keepdims=True)
        e = np.exp(z - top)
        p = e / e.sum(axis=1, keepdims=True)
        each = np.arange(len(z))
        loss = np.log(e.sum(axis=1)) + top[:, 0] - z[each, self.codes]
        residual = p.copy()
        residual[each, self.codes] -= 1.0
        value = loss.mean() + 0.5 * (self.ridge * w * w).sum()
        return value, residual.T @ self.x / len(z) + self.ridge * w, p

    def curve(self, p: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Hessian times v."""
        z = self.x @ v.T
        r = p * (z - (p * z).sum(axis=1, keepdims=True))
        return np.asarray(r.T @ self.x / len(z) + self.ridge * v)


def preconditioner(kind: str, problem: Problem, p: np.ndarray) -> Apply:
    """The inverse of a stand-in for the Hessian at probabilities p."""
    x, ridge, n = problem.x, problem.ridge, len(problem.x)
    if kind == "none":
        return lambda g: g
    if kind == "by class":
        blocks = []
        for c in range(problem.k):
            curvature = p[:, c] * (1.0 - p[:, c]) / n
            block = (x * curvature[:, None]).T @ x + np.diag(np.maximum(ridge, 1e-12))
            blocks.append(np.linalg.inv(block))
        return lambda g: np.stack([b @ v for b, v in zip(blocks, g, strict=True)])
    covariance = np.diag(p.mean(axis=0)) - p.T @ p / n
    values, basis = np.linalg.eigh(covariance)
    values = np.maximum(values, 1e-12 * values.max())
    spread = 1.0 - np.square(p).sum(axis=1)
    if kind == "diagonal":
        moments = (spread[:, None] * x * x).sum(axis=0) / spread.sum()
        scale = values[:, None] * moments + ridge
        return lambda g: basis @ ((basis.T @ g) / scale)
    gram = (x * spread[:, None]).T @ x / spread.sum()
    inverses = [np.linalg.inv(v * gram + np.diag(np.maximum(ridge, 1e-12))) for v in values]
    return lambda g: basis @ np.stack([i @ t for i, t in zip(inverses, basis.T @ g, strict=True)])


def products(problem: Problem, kind: str, tolerance: float = 1e-6, most: int = 2000) -> int:
    """Hessian products until half the squared Newton decrement is within the tolerance."""
    w = np.zeros((problem.k, problem.x.shape[1]))
    value, gradient, p = problem.evaluate(w)
    count = 0
    while count < most:
        apply = preconditioner(kind, problem, p)
        residual = gradient.mean(axis=0) - gradient
        step = np.zeros_like(w)
        z = apply(residual)
        search, rho = z - z.mean(axis=0), float((residual * z).sum())
        first, decrement = rho, 0.0
        while count < most:
            product = problem.curve(p, search)
            count += 1
            alpha = rho / (search * product).sum()
            step, residual = step + alpha * search, residual - alpha * product
            decrement += alpha * rho
            z = apply(residual - residual.mean(axis=0))
            z -= z.mean(axis=0)
            rho, before = float((residual * z).sum()), rho
            if rho <= np.clip(first / value, 0.01, 0.09) * first:
                break
            search = z + rho / before * search
        if 0.5 * decrement <= tolerance * value:
            break
        length = 1.0
        while True:
            trial = problem.evaluate(w + length * step)
            if trial[0] <= value - 1e-4 * length * decrement + 1e-14:
                break
            length /= 2
        w = w + length * step
        value, gradient, p = trial
    return count


def main() -> None:
    """Count, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", required=True, type=Path)
    parser.add_argument("--sets", default="minilm-trec6,v2-flowers5,v2-hymenoptera,static64-trec6")
    arguments = parser.parse_args()
    table = []
    for name in arguments.sets.split(","):
        with np.load(arguments.rows / f"{name}.npz") as file:
            x, codes = file["x_train"], np.unique(file["y_train"], return_inverse=True)[1]
        for strength in STRENGTHS:
            problem = Problem(x, codes, strength)
            counts = {kind: products(problem, kind) for kind in KINDS}
            table.append({"set": name, "shape": x.shape, "strength": strength, **counts})
            print(table[-1], flush=True)
    path = Path(__file__).parent / "results" / "heads-portfolio.json"
    path.write_text(json.dumps({"benchmark": "heads_portfolio", "products": table}, indent=1))


if __name__ == "__main__":
    main()
