"""Labelled data of every kind zoo reads by itself, and how it is split."""

from zoo.data.locate import open_dataset, usable
from zoo.data.memory import from_items

__all__ = ["from_items", "open_dataset", "usable"]
