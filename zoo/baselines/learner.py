"""What a learner from scratch is, whatever its modality: inputs in memory, networks, batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

Configuration = Mapping[str, Any]  # plain JSON values


class Learner(ABC):
    """Samples of one modality, brought to a bounded size in memory, and networks that learn them.

    Places are numbers of samples in the order in which `hold` was given them. Everything random is
    drawn from torch's own generator.
    """

    @abstractmethod
    def settle(self, samples: Sequence[Any]) -> None:
        """Choose the inputs' size by a few decoded training samples."""

    @abstractmethod
    def prepare(self, sample: Any) -> np.ndarray:
        """A decoded sample as a small array; called from several threads."""

    @abstractmethod
    def hold(self, prepared: list[np.ndarray], fit: np.ndarray) -> None:
        """Keep what `prepare` gave; statistics are those of the places `fit` alone."""

    @property
    @abstractmethod
    def grid(self) -> tuple[Configuration, ...]:
        """The configurations to choose from, the safest first."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The inputs in plain JSON values, for people."""

    @abstractmethod
    def network(self, configuration: Configuration, outputs: int) -> Any:
        """A torch module, freshly initialised, whose last linear layer is its `output_layer`."""

    @abstractmethod
    def output_layer(self, network: Any) -> Any:
        """The linear layer that gives the scores."""

    @abstractmethod
    def scores(
        self, network: Any, places: np.ndarray, configuration: Configuration, *, augment: bool
    ) -> Any:
        """(b, outputs) float32 tensor; random variants of the samples where `augment` is true."""

    def work(self, rows: int) -> int:
        """How many epochs a full training of so many rows takes, unless the budget says less."""
        return max(12, min(80, 40_000 // max(1, rows)))
