"""What a reference is: other people's code from a sample to its row, to hold a backbone against."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class Reference(ABC):
    """The way from samples to rows that a model's own library goes.

    It shares neither decoding nor preparation, tap nor pooling with the backbone, takes one sample
    at a time, and computes in float32 on the CPU: what differs is the backbone's doing. Of what
    the user overrides (`LoadOptions.preprocess`) it follows what the model itself leaves open, and
    nothing else.

    Attributes:
        name: what it is made of, in one line.
    """

    name: str

    @abstractmethod
    def row(self, sample: Any) -> np.ndarray:
        """(d,) float32 of one sample at the contract's tap and pooling.

        Args:
            sample: a text; the Path of an image or a recording, to be decoded; or an RGB PIL image
                that was decoded where zoo differs from the library on purpose (16-bit pixels, EXIF
                orientation).
        """
