"""Made rows as a backbone gives them, with labels drawn from a model whose accuracy is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from heads_real import RowSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

ATTAINABLE = 0.75
HELD = 5000


def synthetic(n: int, d: int, k: int, *, seed: int = 0, attainable: float = ATTAINABLE) -> RowSet:
    """`n` rows to fit and `HELD` to judge.

    Gaussian factors of falling spread (1 / sqrt(j)) are mixed by a random rotation and given means
    of their own; every other column is cut at zero, as behind a ReLU. Labels are drawn from a
    softmax model of the rows, as sharp as makes its own best guess right `attainable` of the time:
    no head can do better.
    """
    rng = np.random.default_rng(seed)
    spread = (np.arange(1, d + 1) ** -0.5).astype(np.float32)
    rotation = np.linalg.qr(rng.standard_normal((d, d)))[0].astype(np.float32)
    x = (rng.standard_normal((n + HELD, d), np.float32) * spread) @ (rotation * np.float32(d**0.5))
    x += 0.5 * rng.standard_normal(d, np.float32)
    np.maximum(x[:, ::2], 0, out=x[:, ::2])
    scores = x @ rng.standard_normal((d, k)).astype(np.float32)
    scores -= scores.mean(axis=0)
    shares = _softmax(scores * _sharpness(scores[: min(n, 20_000)], attainable))
    drawn = shares.cumsum(axis=1) < rng.random((len(x), 1))
    codes = np.minimum(drawn.sum(axis=1), k - 1).astype(np.int64)
    name = f"synthetic-{n}x{d}-{k}"
    names = tuple(str(code) for code in range(k))
    return RowSet(name, x[:n].copy(), codes[:n], x[n:].copy(), codes[n:], names)


def _sharpness(scores: NDArray[np.float32], attainable: float) -> float:
    """The factor at which the greatest of the classes' shares is `attainable` on average."""
    low, high = 0.0, 1.0
    while _softmax(scores * high).max(axis=1).mean() < attainable:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        if _softmax(scores * middle).max(axis=1).mean() < attainable:
            low = middle
        else:
            high = middle
    return high


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    values = scores.astype(np.float64)
    shares: NDArray[np.float64] = np.exp(values - values.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares
