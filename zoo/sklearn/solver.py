"""The estimators' calls of the engine's logistic solver, with weights of rows in every fold."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo import engine
from zoo.heads.arrays import linear_scores
from zoo.plugin import ArrayRows
from zoo.plugin.head import log_loss_sum


@dataclass(frozen=True)
class Options:
    """What a fit and a search are told alike.

    Attributes:
        fit_intercept: whether there is an intercept, which is not penalised.
        standardize: whether the penalty is on the weights of columns scaled to variance 1.
        threads: of the solver; any number gives the same bits.
    """

    fit_intercept: bool = True
    standardize: bool = False
    threads: int = 1

    def stated(self) -> dict[str, Any]:
        """Keywords for the engine: those that differ from its defaults."""
        said: dict[str, Any] = {"threads": self.threads}
        if not self.fit_intercept:
            said["fit_intercept"] = False
        if self.standardize:
            said["standardize"] = True
        return said


def search(
    x: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    *,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    strengths: Sequence[float],
    sample_weight: np.ndarray | None,
    rule: str,
    options: Options,
) -> tuple[np.ndarray, int]:
    """(folds, strengths) sums of the held rows' weighted log losses, and the strength chosen."""
    said = options.stated()
    if rule != "best":
        said["rule"] = rule
    if sample_weight is not None:
        if "sample_weight" not in inspect.signature(engine.search_logistic).parameters:
            losses = np.array(
                [_losses(x, codes, n_classes, f, strengths, sample_weight, said) for f in folds]
            )
            return losses, int(losses.sum(axis=0).argmin())
        said["sample_weight"] = sample_weight
    path = engine.search_logistic(x, codes, n_classes, folds=folds, strengths=strengths, **said)
    return path.losses, int(getattr(path, "chosen", path.losses.sum(axis=0).argmin()))


def _losses(  # noqa: PLR0917 - stands in for one keyword of the engine's
    x: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    fold: tuple[np.ndarray, np.ndarray],
    strengths: Sequence[float],
    weight: np.ndarray,
    said: dict[str, Any],
) -> list[float]:
    """One fold's weighted losses, fit by fit."""
    rows, held = fold
    losses, fit = [], None
    for strength in strengths:
        fit = engine.fit_logistic(
            x[rows],
            codes[rows],
            n_classes,
            strength=strength,
            sample_weight=weight[rows],
            warm_start=fit,
            tolerance=1e-7,
            **said,
        )
        z = linear_scores(ArrayRows(x[held]), fit.weights, fit.intercepts)
        z = np.concatenate([np.zeros_like(z), z], axis=1) if n_classes == 2 else z
        each = [log_loss_sum(z[[i]], codes[held][[i]]) for i in range(len(held))]
        losses.append(float(np.dot(each, weight[held])))
    return losses
