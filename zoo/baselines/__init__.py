"""What a transfer is measured against: learners from scratch, and backbones of random weights."""

from zoo.baselines.random_weights import random_rows
from zoo.baselines.scratch import Learned, learn_scratch

__all__ = ["Learned", "learn_scratch", "random_rows"]
