"""A described model: contract and feature key at once, the backbone when rows are missing."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.engine import FeatureStore

if TYPE_CHECKING:
    from zoo.plugin import Backbone, Contract, LoadOptions, Provider, Source

_LIBRARIES = (
    "numpy",
    "torch",
    "transformers",
    "tokenizers",
    "onnxruntime",
    "onnxruntime-gpu",
    "pillow",
)


@dataclass
class Model:
    """What a source names, described from its configuration and loaded on first use.

    Attributes:
        source: the parsed source.
        provider: who loads it.
        options: device, dtype, threads and preprocessing overrides.
    """

    source: Source
    provider: Provider
    options: LoadOptions
    _backbone: Backbone | None = field(default=None, repr=False)

    @cached_property
    def contract(self) -> Contract:
        """The contract, read once."""
        return self.provider.describe(self.source, self.options)

    @property
    def backbone(self) -> Backbone:
        """The loaded backbone; the first access reads the weights."""
        if self._backbone is None:
            self._backbone = self.provider.load(self.source, self.options)
        return self._backbone

    @property
    def loaded(self) -> bool:
        """Whether the weights have been read."""
        return self._backbone is not None

    @property
    def key(self) -> dict[str, Any]:
        """The feature key: equal keys mean equal features for equal samples."""
        return {
            "weights": self.contract.weights,
            "contract": self.contract.digest(),
            "augment": "none",
            "dtype": self.options.compute_dtype,
            "numerics": 1,
        }

    @property
    def column(self) -> str:
        """The column of this tap and pooling, kept as float32."""
        return f"{self.contract.tap}/{self.contract.pooling}/float32"

    def versions(self) -> dict[str, str]:
        """Versions of the interpreter and of the libraries that can decide features."""
        return _versions()

    def open_store(self, root: Path) -> FeatureStore | None:
        """The store of this key, or None where nothing has been written."""
        return FeatureStore.find(root, self.key)

    def create_store(self, root: Path) -> FeatureStore:
        """The store of this key, with who made it in clear text; needs the backbone."""
        provenance = {
            "source": str(self.source),
            "contract": self.contract.as_dict(),
            "parameters": self.backbone.parameters,
            "machine": platform.machine(),
            "versions": _versions(),
        }
        return FeatureStore.create(root, self.key, provenance)


def _versions() -> dict[str, str]:
    out = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return out
