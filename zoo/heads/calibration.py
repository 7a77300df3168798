"""What makes a trained head's scores honest: fitted on out-of-fold scores, kept with the head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo import engine
from zoo.errors import DataError
from zoo.heads import arrays

PREFIX = "calibration/"
VECTOR_CLASSES = 100  # beyond, the 2k x 2k Hessian costs more than the head
VECTOR_ROWS = 20  # a class on average: ten for each of its two numbers
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Calibration:
    """From a head's scores to probabilities and conformal sets.

    Attributes:
        method: ``temperature``, or ``vector`` for a factor and an offset a class.
        temperature: what scores are divided by; with ``vector`` where its fit began.
        scale: (k,) factors of the centred scores; None with ``temperature``.
        bias: (k,) what is added to them; None with ``temperature``.
        rows: number of out-of-fold rows that all of it was fitted on.
        coverage: of the conformal sets, in (0, 1).
        threshold: the largest ``1 - probability`` of a class in a set; 1: all are in.
    """

    method: str
    temperature: float
    scale: np.ndarray | None
    bias: np.ndarray | None
    rows: int
    coverage: float
    threshold: float

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """(n, k) scores whose softmax is honest, of (n, k) scores of the head.

        A temperature leaves the order of a row's classes as it was; a vector may change it.
        """
        if self.scale is None or self.bias is None:
            return np.asarray(np.asarray(scores, np.float64) / self.temperature)
        if scores.shape[1] != len(self.scale):
            raise DataError(
                f"the calibration is of {len(self.scale)} classes, the scores of {scores.shape[1]}"
            )
        return np.asarray(self.scale * engine.centred(scores) + self.bias)

    def sets(self, calibrated: np.ndarray) -> np.ndarray:
        """(n, k) bool conformal sets of what `apply` gave."""
        return engine.conformal_sets(engine.softmax(calibrated), self.threshold)

    def summary(self) -> dict[str, Any]:
        """The `calibration` object of a result."""
        names = ("method", "temperature", "rows", "coverage", "threshold")
        return {name: getattr(self, name) for name in names}

    def state(self) -> dict[str, np.ndarray]:
        """All that `from_state` needs, as arrays named ``calibration/...``."""
        names = ("temperature", "rows", "coverage", "threshold")
        out = {f"{PREFIX}{name}": np.array(getattr(self, name)) for name in names}
        if self.scale is not None and self.bias is not None:
            out |= {f"{PREFIX}scale": self.scale, f"{PREFIX}bias": self.bias}
        return out

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray], head: str) -> Calibration | None:
        """The calibration among the arrays of a head's file; None where there is none.

        Raises:
            DataError: arrays are missing, misshapen, not finite or out of range.
        """
        if not any(name.startswith(PREFIX) for name in state):
            return None
        temperature = arrays.take_scalar(state, f"{PREFIX}temperature", head)
        rows = arrays.take_scalar(state, f"{PREFIX}rows", head)
        coverage = arrays.take_scalar(state, f"{PREFIX}coverage", head)
        threshold = float(arrays.take(state, f"{PREFIX}threshold", 0, head))
        if not (coverage < 1.0 and 0.0 <= threshold <= 1.0 and rows == int(rows)):
            raise DataError(
                f"head '{head}': its calibration is out of range: {rows:g} rows, "
                f"coverage {coverage:g}, threshold {threshold:g}"
            )
        scale = bias = None
        if f"{PREFIX}scale" in state or f"{PREFIX}bias" in state:
            scale = arrays.take(state, f"{PREFIX}scale", 1, head)
            bias = arrays.take(state, f"{PREFIX}bias", 1, head)
            arrays.require_fit(
                head,
                fits=len(scale) == len(bias) >= 2 and bool((scale > 0.0).all()),
                what=f"calibration scale {scale.shape}, all positive, and bias {bias.shape}",
            )
        method = "temperature" if scale is None else "vector"
        return cls(method, temperature, scale, bias, int(rows), coverage, threshold)


def without_calibration(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays that are the head's own."""
    return {name: array for name, array in state.items() if not name.startswith(PREFIX)}


def fit_calibration(
    held_scores: np.ndarray | None, codes: np.ndarray, *, coverage: float
) -> Calibration | None:
    """Fit on scores that no row's own head gave; None where there are none.

    A temperature, unless vector scaling has a lower log loss in 5-fold cross-validation over the
    same rows, by more than the standard error of the rows' paired differences. It is tried up to
    100 classes and from 20 rows a class on, and cross-validated only where its log loss on the very
    rows it is fitted on is lower by that much and by a nat for each further number (Akaike 1974),
    which is what cross-validation can be expected to find.

    Args:
        held_scores: (n, k) out-of-fold scores; rows with a value that is not finite are left out.
        codes: (n,) class codes.
        coverage: of the conformal sets, in (0, 1).

    Raises:
        DataError: shapes do not fit.
    """
    if held_scores is None:
        return None
    k = int(codes.max(initial=0)) + 1
    if held_scores.ndim != 2 or len(held_scores) != len(codes) or held_scores.shape[1] < k:
        raise DataError(
            f"held scores {held_scores.shape} of a search do not fit {len(codes)} rows "
            f"with class codes up to {k - 1}"
        )
    there = np.isfinite(held_scores).all(axis=1)
    if not there.any():
        return None
    scores = np.asarray(held_scores[there], np.float64)
    codes = np.asarray(codes[there], np.int64)
    inverse = engine.fit_shrunk_temperature(scores, codes)
    vector = _vector(scores, codes, inverse)
    scale, bias = vector or (None, None)
    method = "vector" if vector else "temperature"
    fitted = Calibration(method, 1.0 / inverse, scale, bias, len(codes), coverage, 1.0)
    chances = engine.softmax(fitted.apply(scores))
    threshold = engine.conformal_threshold(chances, codes, coverage)
    return Calibration(method, 1.0 / inverse, scale, bias, len(codes), coverage, threshold)


def _vector(
    scores: np.ndarray, codes: np.ndarray, inverse: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Scales and biases where they are worth it."""
    n, k = scores.shape
    if k > VECTOR_CLASSES or n < VECTOR_ROWS * k:
        return None
    scale, bias = engine.fit_vector_scaling(scores, codes, inverse_temperature=inverse)
    vector = scale * engine.centred(scores) + bias
    numbers = 2 * k - 2  # the sum of the offsets and the temperature are not further ones
    if (scale <= 0.0).any() or not _is_better(vector, inverse * scores, codes, numbers):
        return None
    held_vector, held_temperature = np.empty((n, k)), np.empty((n, k))
    order = np.argsort(codes, kind="stable")  # dealt out by class: the folds are stratified
    for fold in range(_FOLDS):
        held = order[fold::_FOLDS]
        fit = np.setdiff1d(order, held, assume_unique=True)
        b = engine.fit_shrunk_temperature(scores[fit], codes[fit])
        some_scale, some_bias = engine.fit_vector_scaling(
            scores[fit], codes[fit], inverse_temperature=b
        )
        held_vector[held] = some_scale * engine.centred(scores[held]) + some_bias
        held_temperature[held] = b * scores[held]
    return (scale, bias) if _is_better(held_vector, held_temperature, codes) else None


def _is_better(a: np.ndarray, b: np.ndarray, codes: np.ndarray, lead: int = 0) -> bool:
    """Whether scores `a` lose `lead` nats less than `b`, and a standard error of the difference."""
    rows, n = np.arange(len(codes)), len(codes)
    gains = engine.log_softmax(a)[rows, codes] - engine.log_softmax(b)[rows, codes]
    return bool(gains.sum() > lead + gains.std() * np.sqrt(n))
