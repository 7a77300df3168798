"""What ``st:`` is held against: the library's own `encode`, one text at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.plugin import Reference


class SentenceTransformersReference(Reference):
    """`SentenceTransformer.encode` with the folder's own settings.

    Args:
        model: the library's model, in float32 on the CPU.
        prompt: what the user puts before every text; None for the model's own.
    """

    def __init__(self, model: Any, prompt: str | None) -> None:
        import sentence_transformers

        self._model, self._prompt = model, prompt
        self.name = f"sentence-transformers {sentence_transformers.__version__}: encode"

    def row(self, sample: str) -> np.ndarray:
        """(d,) float32 of one text."""
        row = self._model.encode(
            sample, prompt=self._prompt, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(row, np.float32)
