"""Images for a learner from scratch: small squares of bytes, and a small convolutional network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.baselines.convolutions import Convolutional, convolutional, moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.baselines.learner import Configuration

SMALL, LARGE = 32, 64  # pixels of the square; the second for images that are larger than 40
_SHIFTS: dict[str, Any] = {"scale": (0.88, 1.12), "shift": 0.1, "degrees": 8.0}
_CROPS: dict[str, Any] = {"scale": (0.55, 1.0), "shift": 0.0, "degrees": 5.0}


class Images(Convolutional):
    """RGB squares of 32 or 64 pixels, whole images squeezed into them: 12 kB each at most."""

    # Digits and texts must not be mirrored, photos should be: validation tells.
    _augmentations = ("shifts", "shifts and flips", "crops and flips")

    def __init__(self) -> None:
        self._size = LARGE
        self._pixels = np.empty((0, 0, 0, 3), np.uint8)
        self._mean: Any = None
        self._spread: Any = None

    def settle(self, samples: Sequence[Any]) -> None:
        """Squares of 32 pixels for images of at most 40, as digits are."""
        sides = [max(sample.size) for sample in samples]
        self._size = SMALL if not sides or np.median(sides) <= 40 else LARGE

    def prepare(self, sample: Any) -> np.ndarray:
        """(size, size, 3) uint8 of a PIL image."""
        from PIL import Image

        square = (self._size, self._size)
        return np.asarray(sample.resize(square, Image.Resampling.BILINEAR, reducing_gap=3.0))

    def hold(self, prepared: list[np.ndarray], fit: np.ndarray) -> None:
        """Pixels stay bytes; mean and deviation of each colour are those of the training rows."""
        import torch

        self._pixels = np.stack(prepared)
        levels = self._pixels[fit].astype(np.float32) / 255
        mean, spread = levels.mean(axis=(0, 1, 2)), levels.std(axis=(0, 1, 2))
        self._mean = torch.from_numpy(mean)[:, None, None]
        self._spread = torch.from_numpy(np.maximum(spread, 0.02))[:, None, None]

    def describe(self) -> dict[str, Any]:
        """The size of the square."""
        return {"learner": "convolutional network", "pixels": self._size}

    def network(self, configuration: Configuration, outputs: int) -> Any:
        """The convolutional network, for three colours."""
        return convolutional(3, configuration["width"], outputs, tall=self._size == LARGE)

    def scores(
        self, network: Any, places: np.ndarray, configuration: Configuration, *, augment: bool
    ) -> Any:
        """Where mirrored images were trained on, the mean of both sides is the judgement."""
        import torch

        levels = torch.from_numpy(self._pixels[places]).permute(0, 3, 1, 2).float() / 255
        levels = (levels - self._mean) / self._spread
        kind = configuration["augmentation"]
        if not augment:
            both = network(levels)
            return (both + network(levels.flip(3))) / 2 if kind.endswith("flips") else both
        if kind == "shifts":
            return network(moved(levels, **_SHIFTS))
        if kind == "shifts and flips":
            return network(moved(levels, **_SHIFTS, flip=True))
        contrast = torch.empty(len(levels), 1, 1, 1).uniform_(0.7, 1.3)
        light = torch.empty(len(levels), 1, 1, 1).uniform_(-0.4, 0.4)
        return network(moved(levels, **_CROPS, flip=True) * contrast + light)
