"""How good held-out scores are, and how sure that is."""

from zoo.metrics.by_class import Confusions
from zoo.metrics.classification import evaluate
from zoo.metrics.intervals import Metrics
from zoo.metrics.multilabel import evaluate_multilabel
from zoo.metrics.regression import evaluate_regression

__all__ = [
    "Confusions",
    "Metrics",
    "evaluate",
    "evaluate_multilabel",
    "evaluate_regression",
]
