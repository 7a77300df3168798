"""Features of a frozen backbone as a scikit-learn transformer that computes a sample once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from zoo import settings
from zoo.data import from_items
from zoo.errors import DataError
from zoo.features import ExtractOptions, Model, extract, open_model
from zoo.plugin import Dataset, LoadOptions
from zoo.preprocess import parse_overrides
from zoo.preprocess.stated import check_keys
from zoo.registry import Registry


class Features(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Samples in, (n, d) float32 features out, through the feature store.

    A sample that has been through the backbone is read from the store, in this process or any
    other: a grid search around a pipeline runs the backbone once over the data and never again. It
    learns nothing from the data, so that it may stand before any split.

    Args:
        model: a source, such as ``hf:org/name``, ``hf:./folder`` or ``onnx:./model.onnx#layer``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: compute dtype: ``auto`` (float32 always: what is fitted and what is transformed later
            must agree), ``float32``, ``bfloat16`` or ``float16``.
        preprocess: overrides, as a TOML file, ``key=value,...`` or a mapping of its keys.
        threads: None for all that the process may use.
        batch_size: samples a forward pass.
        offline: never open a socket.
        trust_repo: code of the repository that the source names may run.

    Attributes:
        n_features_out_: d, where `fit` was given samples.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str = "auto",
        dtype: str = "auto",
        preprocess: str | Mapping[str, Any] = "",
        threads: int | None = None,
        batch_size: int = 32,
        offline: bool = False,
        trust_repo: bool = False,
    ) -> None:
        self.model = model
        self.device = device
        self.dtype = dtype
        self.preprocess = preprocess
        self.threads = threads
        self.batch_size = batch_size
        self.offline = offline
        self.trust_repo = trust_repo

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """See that there is such a model and, where there are samples, how wide its features are.

        Only the first sample goes through the backbone. Raises what `transform` does.
        """
        del y
        registry, model = self._open()
        with registry.blaming("provider", model.source.provider):
            modality = model.contract.modality
            if X is not None:
                first = _dataset(X, modality).take(np.array([0]))
                self.n_features_out_ = self._rows(first, model).shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """(n, d) float32 features in the order of the samples.

        Args:
            X: n file paths, texts, PIL images or uint8 arrays (h, w) or (h, w, 3), or one array of
                such images or texts. For a model of images a str is always a path.

        Raises:
            ZooError: a sample cannot be read (the message names it), samples are of another kind
                than the model's, the model is missing or fails. Features made until then are kept.
        """
        return self._every(X)

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Both, with the backbone loaded once at most."""
        del y
        features = self._every(X)
        self.n_features_out_ = features.shape[1]
        return features

    @property
    def _n_features_out(self) -> int:
        return int(self.n_features_out_)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_out_")  # names need the width; rows need nothing

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def _open(self) -> tuple[Registry, Model]:
        overrides = (
            parse_overrides(self.preprocess)
            if isinstance(self.preprocess, str)
            else check_keys(self.preprocess, "preprocess")
        )
        options = LoadOptions(
            device=self.device,
            dtype="float32" if self.dtype == "auto" else self.dtype,
            threads=settings.threads(self.threads),
            offline=settings.offline(flag=self.offline),
            trust_repo=self.trust_repo,
            preprocess=overrides,
        )
        registry = Registry(warn=lambda line: warnings.warn(line, stacklevel=4))
        return registry, open_model(registry, self.model, options)

    def _every(self, samples: Any) -> np.ndarray:
        registry, model = self._open()
        with registry.blaming("provider", model.source.provider):
            return self._rows(_dataset(samples, model.contract.modality), model)

    def _rows(self, dataset: Dataset, model: Model) -> np.ndarray:
        options = ExtractOptions(settings.store_root(), self.batch_size, model.options.threads)
        extracted = extract(dataset, model, options)
        if extracted.bad:
            first, more = extracted.bad[0], len(extracted.bad) - 1
            others = f", and {more} more cannot be read" if more else ""
            raise DataError(
                f"sample '{first.name}' cannot be read: {first.reason}{others}",
                hint="take them out of X and y: a transformer gives a row for every sample",
            )
        return extracted.features


def _dataset(samples: Any, modality: str) -> Dataset:
    """Samples in their own order, as the model takes them."""
    if hasattr(samples, "to_numpy"):  # a column of a data frame
        samples = samples.to_numpy()
    if isinstance(samples, np.ndarray) and samples.dtype.kind in "OU":
        if samples.ndim == 2 and samples.shape[1] == 1:
            samples = samples[:, 0]
        if samples.ndim != 1:
            raise DataError(
                f"samples have shape {samples.shape}: one column is expected",
                hint="choose the column that holds the paths or texts",
            )
        samples = samples.tolist()
    if isinstance(samples, list | tuple) and modality != "text":
        samples = [Path(item) if isinstance(item, str) else item for item in samples]
    return from_items(samples, name="X")
