"""Says in words how a run was judged, and its verdict: its figures, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CALLED = {
    "transfer": "transfer",
    "raw": "raw input",
    "scratch": "from scratch",
    "random_weights": "random weights",
    "majority": "majority",
}
_RIVALS = {"scratch": "training from scratch", "raw": "the raw input under the best head"}
_SAID = {
    "positive": "The transfer was worth it",
    "marginal": "The transfer was barely worth it",
    "none": "No gain from the transfer is shown",
    "negative": "The transfer was not worth it",
}
_METRIC = {"accuracy": "accuracy", "r2": "R2", "macro_f1": "macro F1"}


def judged_by(evaluation: Mapping[str, Any]) -> str:
    """How a result's `evaluation` got its rows: ``rows held out``, or ``5 x 5-fold ...``.

    Of a run that does not tell its folds, as earlier ones do not, no number is said.
    """
    if evaluation.get("protocol") != "cv":
        return "rows held out"
    folds = evaluation.get("folds") or []
    if not folds:
        return "cross-validation"
    fewest, most = min(folds), max(folds)
    each = f"{most}-fold" if fewest == most else f"{fewest}- to {most}-fold"
    return f"{len(folds)} x {each} cross-validation"


def rival_of(verdict: dict[str, Any]) -> str:
    """What the transfer is compared with, in words."""
    return _RIVALS.get(verdict["reference"], str(verdict["reference"]))


def headline(verdict: dict[str, Any]) -> str:
    """The verdict in one sentence."""
    delta, metric = verdict["delta"], _METRIC.get(verdict["metric"], verdict["metric"])
    amount = f"{abs(delta):.1f} points of {metric}"
    side = "below" if delta < 0 else "above"
    return f"{_SAID[verdict['level']]}: {amount} {side} {rival_of(verdict)}"


def surety(verdict: dict[str, Any]) -> str:
    """How sure that is."""
    low, high = verdict["low"], verdict["high"]
    return f"95 % interval {low:+.1f} to {high:+.1f} points, paired on {verdict['rows']} rows"


def sentence(verdict: dict[str, Any]) -> str:
    """Both."""
    return f"{headline(verdict)} ({surety(verdict)})"


def advice(verdict: dict[str, Any]) -> str:
    """What to do next, in one sentence."""
    level, rival = verdict["level"], rival_of(verdict)
    scratch = verdict["convergence"].get("scratch", {})
    if level in {"positive", "marginal"} and scratch.get("converged") is False:
        return (
            "training from scratch was cut short by its budget: see with a greater "
            "--scratch-budget whether the gain stays"
        )
    if level == "positive":
        return "keep this backbone; other layers and models cost one pass each and may give more"
    if level == "marginal":
        return (
            "less than a point is sure: judge on more rows, or ask whether the backbone's cost is "
            "worth it"
        )
    if level == "negative":
        return (
            f"do not use these features: {rival} is better here; try another layer, or a model "
            "that was pretrained on data like yours"
        )
    width = (verdict["high"] - verdict["low"]) / 2
    if width > 2.0:
        return (
            f"{verdict['rows']} rows tell differences of about {width:.0f} points: judge on more, "
            "or try a model that was pretrained on data like yours"
        )
    return f"{rival} does as well and needs no backbone: take that, or try another model"
