"""What a backbone promises: everything that decides its features besides the sample itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Contract:
    """The exact conditions under which a backbone's features are made.

    Attributes:
        modality: ``image``, ``text`` or ``audio``: what a sample must be.
        preprocess: from the sample to the backbone's input, in plain JSON values.
        model: what besides weights and preprocessing decides the forward pass (configuration
            digest, library family, numerics versions), in plain JSON values.
        weights: SHA-256 of the weights, in hex.
        tap: the layer whose output is taken.
        pooling: ``none``, ``mean``, ``cls`` or ``last``, over what is not batch or channel.
        layout: where the tap's channels are: ``channels_first`` or ``channels_last``.
        revision: the pinned commit, or empty for local files.
        rules: how the provider's code goes about what `preprocess` leaves open (padding, masks),
            for people: code and configuration decide it, and the digest counts those.
        info: facts for people that decide nothing (licence, architecture, parameters).
    """

    modality: str
    preprocess: Mapping[str, Any]
    model: Mapping[str, Any]
    weights: str
    tap: str
    pooling: str = "none"
    layout: str = "channels_first"
    revision: str = ""
    rules: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)

    def digest(self) -> str:
        """SHA-256 in hex of what decides features, weights and column (tap, pooling) aside."""
        decisive = {
            "layout": self.layout,
            "modality": self.modality,
            "preprocess": dict(self.preprocess),
            "model": dict(self.model),
        }
        return hashlib.sha256(canonical_json(decisive)).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, for run.json and listings."""
        return {
            "modality": self.modality,
            "preprocess": dict(self.preprocess),
            "model": dict(self.model),
            "weights": self.weights,
            "tap": self.tap,
            "pooling": self.pooling,
            "layout": self.layout,
            "revision": self.revision,
            "rules": dict(self.rules),
            "info": dict(self.info),
            "digest": self.digest(),
        }


def canonical_json(value: Any) -> bytes:
    """One spelling for one value: sorted keys, no spaces, ASCII, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()
