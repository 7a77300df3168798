"""The only room where data meets a backbone: rows from the store, or through one forward pass."""

from zoo.features.bad import BadItem, OnBad
from zoo.features.extract import Extracted, extract
from zoo.features.looking import look
from zoo.features.model import Model, open_model
from zoo.features.options import ExtractOptions, Progress

__all__ = [
    "BadItem",
    "ExtractOptions",
    "Extracted",
    "Model",
    "OnBad",
    "Progress",
    "extract",
    "look",
    "open_model",
]
