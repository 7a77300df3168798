"""Rows of samples that no backbone has seen: pixels, n-grams, log-mel statistics, columns.

They are what a pretrained backbone has to beat, so each kind of data comes in several forms, and
the best is chosen on validation. A form is as wide as it likes: heads get its coordinates in the
span of the training rows, in which every penalised linear head is the same as on the form itself
(the representer theorem), and distances to training rows differ by a constant of the judged row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from zoo.baselines.sound import log_mel_forms
from zoo.baselines.unfit import UnfitError
from zoo.preprocess.decode import decode, quiet_decoding

if TYPE_CHECKING:
    from zoo.plugin import Item

_PIXELS = 32  # a side; half of it is the other form
_CHARACTERS = 5_000  # of a text; n-grams of more would take gigabytes
_WORD = r"(?u)\b\w+\b"  # of one letter too
_JITTER = 1e-7  # of a Gram's mean diagonal: twins and constants leave it singular


class RawInput(ABC):
    """n samples in all forms that have no backbone in them."""

    @abstractmethod
    def forms(self, fit: np.ndarray) -> dict[str, np.ndarray]:
        """Form -> (n, d) float32, d at most the number of `fit` rows or the form's own width.

        Vocabularies, weights, centres and scales come from the rows `fit` alone.
        """


def read_raw(items: Sequence[Item], modality: str, *, threads: int = 1) -> RawInput:
    """The raw input of n readable items.

    Args:
        items: images, texts or recordings; of any other modality arrays of one shape, whose values
            are columns.
        modality: what they are.
        threads: that decode at once.

    Raises:
        DataError: an item cannot be read.
        UnfitError: arrays differ in shape.
    """
    if modality == "text":
        return _Texts([cast("str", decode(item, "text"))[:_CHARACTERS] for item in items])
    if modality == "image":
        pixels = np.stack(_each(items, _pixels, threads))
        return _Arrays(_pixel_forms(pixels), scaled=False)
    if modality == "audio":
        told = _each(items, _log_mel, threads)
        forms = {name: np.stack([one[name] for one in told]) for name in told[0]}
        return _Arrays(forms, scaled=True)
    columns = [np.ravel(np.asarray(item.content(), np.float32)) for item in items]
    if len({len(row) for row in columns}) != 1:
        raise UnfitError(f"{modality} samples differ in length")
    return _Arrays({"columns": np.stack(columns)}, scaled=True)


def in_span(gram: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """(n, f) float32 coordinates of n rows in the span of f of them.

    Args:
        gram: (n, f) float64 products of all rows with the rows `fit`.
        fit: (f,) row numbers.
    """
    from scipy.linalg import cholesky, solve_triangular

    inner = gram[fit].copy()
    inner[np.diag_indices_from(inner)] += _JITTER * max(float(np.trace(inner)) / len(fit), 1e-30)
    root = cholesky(inner, lower=True, check_finite=False)
    found = solve_triangular(root, gram.T, lower=True, check_finite=False)
    return np.ascontiguousarray(found.T, np.float32)


class _Arrays(RawInput):
    """Forms that are arrays before any row is fitted on."""

    def __init__(self, forms: dict[str, np.ndarray], *, scaled: bool) -> None:
        self._forms, self._scaled = forms, scaled

    def forms(self, fit: np.ndarray) -> dict[str, np.ndarray]:
        """Centred on the training rows; scaled by them where columns have units of their own."""
        out = {}
        for name, values in self._forms.items():
            rows = np.asarray(values - values[fit].mean(axis=0), np.float64)
            if self._scaled:
                spread = rows[fit].std(axis=0)
                rows /= np.where(spread > 1e-6 * max(float(spread.max()), 1e-30), spread, np.inf)
            wide = rows.shape[1] > len(fit)
            out[name] = in_span(rows @ rows[fit].T, fit) if wide else rows.astype(np.float32)
        return out


class _Texts(RawInput):
    """Word 1-2-grams, and these beside character 2-5-grams: sublinear tf-idf of each, unit rows."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = np.array(texts, dtype=object)

    def forms(self, fit: np.ndarray) -> dict[str, np.ndarray]:
        """Vocabulary and weights of the training texts; empty where they hold no character."""
        words = self._gram(fit, analyzer="word", ngram_range=(1, 2), token_pattern=_WORD)
        characters = self._gram(fit, analyzer="char_wb", ngram_range=(2, 5))
        grams = {"words": words, "words and characters": characters}
        if words is not None and characters is not None:
            grams["words and characters"] = (words + characters) / 2.0
        return {name: in_span(gram, fit) for name, gram in grams.items() if gram is not None}

    def _gram(self, fit: np.ndarray, **settings: Any) -> np.ndarray | None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(sublinear_tf=True, **settings)
        try:
            vectorizer.fit(self._texts[fit])
        except ValueError:  # an empty vocabulary
            return None
        rows = vectorizer.transform(self._texts)
        return np.asarray((rows @ rows[fit].T).toarray(), np.float64)


def _each(items: Sequence[Item], read: Any, threads: int) -> list[Any]:
    with quiet_decoding(), ThreadPoolExecutor(max(1, threads)) as pool:
        return list(pool.map(read, items))


def _pixels(item: Item) -> np.ndarray:
    """(32, 32, 3) float32 in 0..1, the sides squeezed to the same length."""
    from PIL import Image

    image = cast("Image.Image", decode(item, "image"))
    small = image.resize((_PIXELS, _PIXELS), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32) / 255.0


def _pixel_forms(pixels: np.ndarray) -> dict[str, np.ndarray]:
    if (pixels == pixels[..., :1]).all():
        pixels = pixels[..., :1]  # grey: the same again twice tells nothing
    n, side = len(pixels), _PIXELS // 2
    halved = pixels.reshape(n, side, 2, side, 2, -1).mean(axis=(2, 4))
    return {
        "pixels 16x16": halved.reshape(n, -1),
        "pixels 32x32": pixels.reshape(n, -1),
    }


def _log_mel(item: Item) -> dict[str, np.ndarray]:
    waveform = decode(item, "audio")
    return log_mel_forms(cast("Any", waveform))


__all__ = ["RawInput", "in_span", "read_raw"]
