"""How good held-out scores are, and how sure that is."""

from zoo.metrics.classification import evaluate

__all__ = ["evaluate"]
