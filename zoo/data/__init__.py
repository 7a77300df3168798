"""Labelled data of every kind zoo reads by itself, and how it is split."""

from zoo.data.frames import is_frame
from zoo.data.locate import open_dataset, usable
from zoo.data.memory import from_frame, from_items
from zoo.data.shards import expanded
from zoo.data.splits import SplitPlan, plan_splits

__all__ = [
    "SplitPlan",
    "expanded",
    "from_frame",
    "from_items",
    "is_frame",
    "open_dataset",
    "plan_splits",
    "usable",
]
