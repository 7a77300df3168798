"""The only room where data meets a backbone: rows from the store, or through one forward pass."""

from zoo.features.extract import BadItem, Extracted, ExtractOptions, Progress, extract, look
from zoo.features.model import Model, open_model

__all__ = [
    "BadItem",
    "ExtractOptions",
    "Extracted",
    "Model",
    "Progress",
    "extract",
    "look",
    "open_model",
]
