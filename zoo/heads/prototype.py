"""Nearest class mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zoo import engine
from zoo.heads import arrays
from zoo.plugin.head import ArrayRows, Fold, Head, Rows, SearchResult

if TYPE_CHECKING:
    from zoo.plugin.dataset import Target


class PrototypeHead(Head):
    """Scores fall with the squared distance from the class mean (Snell, Swersky, Zemel 2017).

    ``scores = -|x - mean|^2 / (2 t)``; t is fitted on the training rows, each judged by means that
    leave it out. Nothing to choose: no strength.
    """

    name = "prototype"
    tasks: ClassVar[frozenset[str]] = frozenset({"class"})

    def __init__(self) -> None:
        super().__init__()
        self._means = np.empty((0, 0))
        self._offsets = np.empty(0)
        self._sharpness = 1.0  # 1 / (2 t)

    def fit(
        self,
        rows: Rows,
        target: Target,
        *,
        sample_weight: np.ndarray | None = None,
        seed: int = 0,
    ) -> None:
        """One pass for the means, one for the temperature."""
        del seed  # nothing here is random
        codes, k = arrays.class_codes(target, rows, self.name)
        x, n = rows.array(), rows.shape[0]
        with arrays.data_errors(self.name):
            means, mass = engine.class_means(
                x, codes, k, sample_weight=sample_weight, threads=self.threads
            )
            distances = engine.squared_distances(x, means, threads=self.threads)
            weight = np.ones(n) if sample_weight is None else sample_weight.astype(np.float64)
            # Without row i its class's mean moves away from it: mean' - x = (mean - x) M / (M - w).
            own, rest = mass[codes], mass[codes] - weight
            alone = rest <= 1e-12 * own
            stretch = np.where(alone, 1.0, own / np.where(alone, 1.0, rest))
            distances[np.arange(n), codes] *= stretch**2
            empty = mass <= 0.0
            distances[:, empty] = np.inf
            distances[:, empty] = distances.max(axis=1, initial=0.0, where=~empty)[:, None]
            counted = np.where(alone, 0.0, weight)
            self._sharpness = 1.0
            if counted.any():
                self._sharpness, _ = engine.fit_temperature(
                    -distances, codes, sample_weight=counted, threads=self.threads
                )
        # A class without rows stands at the mean of all, at the odds of half a row.
        present = means[~empty]
        means[empty] = (mass[~empty] @ present) / mass.sum()
        self._means = means
        self._offsets = np.where(empty, -np.log(2.0 * n), 0.0)

    def search(
        self,
        rows: Rows,
        target: Target,
        folds: Sequence[Fold],
        strengths: Sequence[float] = (),
    ) -> SearchResult:
        """Nothing to choose; the folds give scores of rows that their means did not see."""
        del strengths
        _, k = arrays.class_codes(target, rows, self.name)
        held_scores = np.full((rows.shape[0], k), np.nan)
        for fit_on, held in folds:
            if len(np.unique(target.values[fit_on])) < 2:
                continue
            head = type(self)()
            head.threads = self.threads
            head.fit(ArrayRows(rows.gather(fit_on)), target.take(fit_on))
            held_scores[held] = head.scores(ArrayRows(rows.gather(held)))
        return SearchResult(held_scores=held_scores)

    def scores(self, rows: Rows) -> np.ndarray:
        """(n, k) float64."""
        arrays.require_width(rows, self._means.shape[1], self.name)
        parts = [np.empty((0, len(self._means)))]
        with arrays.data_errors(self.name):
            for block in rows.blocks():
                distances = engine.squared_distances(block, self._means, threads=self.threads)
                parts.append(self._offsets - self._sharpness * distances)
        return np.concatenate(parts)

    def state(self) -> dict[str, np.ndarray]:
        """Means (k, d), offsets (k,) and the sharpness 1 / (2 t), float64."""
        return {
            "means": self._means,
            "offsets": self._offsets,
            "sharpness": np.array(self._sharpness),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> PrototypeHead:
        """The head that `state` describes."""
        head = cls()
        head._means = arrays.take(state, "means", 2, cls.name)
        head._offsets = arrays.take(state, "offsets", 1, cls.name)
        head._sharpness = arrays.take_scalar(state, "sharpness", cls.name)
        arrays.require_fit(
            cls.name,
            fits=len(head._means) == len(head._offsets) >= 2,
            what=f"means {head._means.shape}, offsets {head._offsets.shape}",
        )
        return head
