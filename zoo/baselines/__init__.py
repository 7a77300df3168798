"""What a transfer is measured against: raw inputs, learners from scratch, random weights."""

from zoo.baselines.random_weights import random_rows
from zoo.baselines.raw import RawInput, read_raw
from zoo.baselines.scratch import Learned, learn_scratch

__all__ = ["Learned", "RawInput", "learn_scratch", "random_rows", "read_raw"]
