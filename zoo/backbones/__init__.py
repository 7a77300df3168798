"""Frozen trunks by the library that runs them, and how their outputs become rows."""

from zoo.backbones.torch_trunk import ImageTrunk, TextTrunk, TorchTrunk

__all__ = ["ImageTrunk", "TextTrunk", "TorchTrunk"]
