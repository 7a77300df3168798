"""Texts for a learner from scratch: words and what they are spelt of, and a small network."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.baselines.learner import Configuration, Learner

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_TOKENS = 256  # of a text: three quarters from its start, the others from its end
BUCKETS = 1 << 14  # of hashed character n-grams
_WORDS = 20_000
_GRAMS = 24  # of a word
_DIM = 48
_FILTERS = 64
_WIDTHS = 1, 3, 5  # words that a filter sees
_HIDDEN = 0.1  # of the words, while training: what they say must be learnt of others too
# Scripts without spaces come a character at a time, and what is longer than a word in pieces.
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|\w{1,20}|[^\w\s]")


class Texts(Learner):
    """At most 256 words a text, each a vector of its own and of its character n-grams.

    Words that occur twice in the training rows have vectors of their own; others are known by their
    n-grams alone, which are hashed (Bojanowski et al. 2017). Nothing is counted in other rows.
    """

    def __init__(self) -> None:
        self._tokens: list[np.ndarray] = []  # of each text the numbers of its words
        self._word = np.empty(0, np.int64)  # by a word's number its row among the known words
        self._grams = np.empty((0, 0), np.int64)  # and the buckets of its n-grams, 0 for none
        self._known = 0

    def settle(self, samples: Sequence[Any]) -> None:
        """Texts keep their lengths."""

    def prepare(self, sample: Any) -> np.ndarray:
        """(t,) words in lower case, 1 to 256 of them."""
        words = _TOKEN.findall(sample.lower()) or [""]
        if len(words) > MAX_TOKENS:
            end = MAX_TOKENS // 4
            words = words[: MAX_TOKENS - end] + words[-end:]
        return np.array(words, np.object_)

    def hold(self, prepared: list[np.ndarray], fit: np.ndarray) -> None:
        """Number the words; those that are known are counted in the training rows alone."""
        counts = Counter(word for place in fit.tolist() for word in prepared[place])
        often = sorted((-count, word) for word, count in counts.items() if count > 1)
        known = {word: row for row, (_, word) in enumerate(often[:_WORDS], 1)}
        numbers: dict[str, int] = {}
        self._tokens = [
            np.array([numbers.setdefault(word, len(numbers)) for word in words], np.int64)
            for words in prepared
        ]
        self._known = len(known)
        self._word = np.array([known.get(word, 0) for word in numbers], np.int64)
        self._grams = np.zeros((len(numbers), _GRAMS), np.int64)
        for row, word in zip(self._grams, numbers, strict=True):
            buckets = _buckets(word)
            row[: len(buckets)] = buckets

    @property
    def grid(self) -> tuple[Configuration, ...]:
        """What words say together, in one order or in whichever, and how fast it is learnt."""
        return (
            {"pooling": "convolutions", "learning_rate": 2e-3},
            {"pooling": "mean", "learning_rate": 1e-2},
            {"pooling": "convolutions", "learning_rate": 6e-3},
        )

    def describe(self) -> dict[str, Any]:
        """The words that are known."""
        return {"learner": "text network", "tokens": MAX_TOKENS, "words": self._known}

    def network(self, configuration: Configuration, outputs: int) -> Any:
        """Vectors of words and n-grams, convolutions over them (Kim 2014) or none."""
        from torch import nn

        parts = {
            "words": nn.Embedding(self._known + 1, _DIM),
            "grams": nn.Embedding(BUCKETS + 1, _DIM, padding_idx=0),
            "dropout": nn.Dropout(0.5 if configuration["pooling"] == "convolutions" else 0.2),
        }
        nn.init.normal_(parts["words"].weight, std=0.1)
        nn.init.normal_(parts["grams"].weight[1:], std=0.1)
        size = _DIM
        if configuration["pooling"] == "convolutions":
            parts["filters"] = nn.ModuleList(
                nn.Conv1d(_DIM, _FILTERS, width, padding=width // 2) for width in _WIDTHS
            )
            size += _FILTERS * len(_WIDTHS)
        return nn.ModuleDict({**parts, "output": nn.Linear(size, outputs)})

    def output_layer(self, network: Any) -> Any:
        """The linear layer after pooling."""
        return network["output"]

    def scores(
        self, network: Any, places: np.ndarray, configuration: Configuration, *, augment: bool
    ) -> Any:
        """A text's scores don't depend on those beside it; a tenth of its words may be hidden."""
        import torch

        tokens = [self._tokens[place] for place in places.tolist()]
        lengths = np.array([len(one) for one in tokens])
        distinct, at = np.unique(np.concatenate(tokens), return_inverse=True)
        there = torch.from_numpy(np.arange(lengths.max()) < lengths[:, None])
        where = torch.zeros(there.shape, dtype=torch.int64)
        where[there] = torch.from_numpy(at.reshape(-1))
        if augment:
            there = there & ((torch.rand(there.shape) > _HIDDEN) | (there.sum(1) < 3)[:, None])
        vectors = self._vectors(network, distinct)[where] * there[..., None]
        pooled = [vectors.sum(dim=1) / there.sum(dim=1).clamp(min=1)[:, None]]
        if configuration["pooling"] == "convolutions":
            across = vectors.transpose(1, 2)
            pooled += [
                (one(across).relu() * there[:, None]).amax(dim=2) for one in network["filters"]
            ]
        return network["output"](network["dropout"](torch.cat(pooled, dim=1)))

    def _vectors(self, network: Any, distinct: np.ndarray) -> Any:
        """(u, dim) of different words: the mean of what they are and what they are spelt of."""
        import torch

        grams = torch.from_numpy(self._grams[distinct])
        count = (grams > 0).sum(dim=1).clamp(min=1)[:, None]
        spelt = network["grams"](grams).sum(dim=1) / count
        return network["words"](torch.from_numpy(self._word[distinct])) + spelt


def _buckets(word: str) -> list[int]:
    """Buckets from 1 on of a word's n-grams of three and four characters, its ends marked."""
    marked = f"<{word}>"
    grams = (marked[i : i + n] for n in (3, 4) for i in range(len(marked) - n + 1))
    return [1 + zlib.crc32(gram.encode("utf-8", "surrogatepass")) % BUCKETS for gram in grams][
        :_GRAMS
    ]
