"""What a provider and a backbone are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import SourceError, UsageError

if TYPE_CHECKING:
    from zoo.plugin.contract import Contract
    from zoo.plugin.reference import Reference
    from zoo.plugin.source import Source


DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class LoadOptions:
    """What the user decides about a backbone besides its source.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: compute dtype: ``auto`` (float32, unless extraction settles on another), ``float32``,
            ``bfloat16`` or ``float16``.
        threads: upper bound on the threads of a forward pass.
        offline: never open a socket.
        trust_repo: code of the repository that the source names may run, at the commit it names.
        preprocess: keys of preprocess.toml that override what the model states.
        modality: of the data, where it is known: a model that takes several kinds goes by it.
        deterministic: equal samples must give equal bits, whatever is computed beside them. Samples
            come one by one then, and `threads` is 1; twins may run beside each other.

    Raises:
        UsageError: a device or dtype is none of these.
    """

    device: str = "auto"
    dtype: str = "auto"
    threads: int = 1
    offline: bool = False
    trust_repo: bool = False
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    modality: str = ""
    deterministic: bool = False

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise UsageError(f"device '{self.device}'", hint=f"one of {', '.join(DEVICES)}")
        if self.dtype not in DTYPES:
            raise UsageError(f"dtype '{self.dtype}'", hint=f"one of {', '.join(DTYPES)}")

    @property
    def compute_dtype(self) -> str:
        """The dtype that `auto` stands for."""
        return "float32" if self.dtype == "auto" else self.dtype


@dataclass(frozen=True)
class Features:
    """The output of one tap for one batch.

    Attributes:
        values: (b, d), (b, t, d), (b, c, h, w) or (b, h, w, c); anything with DLPack.
        mask: (b, t), true where a position counts; None where all do.
    """

    values: Any
    mask: Any = None

    def numpy(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Values and mask in host memory."""
        return _host(self.values), None if self.mask is None else _host(self.mask).astype(bool)


@dataclass(frozen=True)
class Found:
    """A model that a search found.

    Attributes:
        source: what to give to ``--model``.
        summary: one line for people: what it is, how large, how much used.
        licence: as its publisher states it; empty where that is not known without asking more.
        local: whether it can be used without a download.
    """

    source: str
    summary: str = ""
    licence: str = ""
    local: bool = False

    def matches(self, query: str) -> bool:
        """Whether source and summary hold every word of a query, in whatever case."""
        text = f"{self.source} {self.summary}".casefold()
        return all(word in text for word in query.casefold().split())


@dataclass(frozen=True)
class Facts:
    """What people ask of a model before they use it; None or empty where nobody says.

    Attributes:
        dim: how many features the source gives for a sample.
        parameters: how many the trunk has.
        licence: as the model's own files state it.
        taps: names that may stand after ``#``, each with the shape of one sample's output there,
            batch left out: -1 for an axis that differs from sample to sample, and an empty shape
            where it is not known.
    """

    dim: int | None = None
    parameters: int | None = None
    licence: str = ""
    taps: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


class Provider(ABC):
    """Finds pretrained models of one kind and loads them."""

    @abstractmethod
    def describe(self, source: Source, options: LoadOptions) -> Contract:
        """The contract, from configuration alone: no torch is imported, no weights are loaded.

        Raises:
            SourceError: the model is missing, unsupported or states too little.
        """

    @abstractmethod
    def load(self, source: Source, options: LoadOptions) -> Backbone:
        """The backbone, ready to run, in evaluation mode.

        Raises:
            SourceError: the weights are missing, corrupt or do not fit the architecture.
        """

    def load_taps(self, sources: Sequence[Source], options: LoadOptions) -> Backbone:
        """A backbone that gives several taps of one model in one forward pass.

        Its contract is that of the first source. `forward` gives the first tap under its name, as
        that of `load` does, and every other under ``tap/pooling``: one layer may be pooled in
        several ways. The default loads one source and refuses more.

        Args:
            sources: of one model, each with one tap.
            options: as for `load`.

        Raises:
            SourceError: as `load`, or the provider gives one tap at a time.
        """
        if len(sources) > 1:
            raise SourceError(
                f"'{sources[0].provider}:' gives one tap at a time, not {len(sources)}",
                hint=f"name one: {sources[0]}",
            )
        return self.load(sources[0], options)

    def search(self, query: str, *, offline: bool, limit: int) -> Iterable[Found]:
        """Models whose name or summary holds every word of `query`; see `Found.matches`.

        An empty query asks for those that are at hand. A generator may raise SourceError after
        what it could find. The default finds nothing.

        Args:
            query: words.
            offline: open no socket.
            limit: at most so many of each place that is searched.
        """
        del query, offline, limit
        return ()

    def inspect(self, source: Source, options: LoadOptions) -> Facts:
        """Facts for people, without reading weights where that is possible.

        The default takes ``dim``, ``parameters`` and ``licence`` from the contract's info.
        """
        info = self.describe(source, options).info
        return Facts(info.get("dim"), info.get("parameters"), str(info.get("licence") or ""))

    def reference(self, source: Source, options: LoadOptions) -> Reference | None:
        """The model's own library's way to the same rows, for ``zoo verify``; None for none.

        Raises:
            SourceError: there is one, and it cannot be made.
            MissingExtraError: it needs a package that is not installed; features do without.
        """
        del source, options
        return None


class Backbone(ABC):
    """A frozen trunk that turns prepared batches into features."""

    contract: Contract

    @abstractmethod
    def prepare(self, sample: Any) -> Any:
        """One sample as the contract's preprocessing leaves it.

        It is an RGB PIL image, a text or a `zoo.preprocess.Waveform`. A DataError makes it a bad
        sample, which is listed by name.
        """

    @abstractmethod
    def collate(self, prepared: list[Any]) -> Any:
        """Prepared samples as the batch that `forward` takes."""

    @abstractmethod
    def forward(self, batch: Any) -> dict[str, Features]:
        """Features by tap for a batch of `collate`."""

    @property
    def parameters(self) -> int | None:
        """How many parameters the backbone has, where it can tell."""
        return None

    @property
    def max_batch(self) -> int | None:
        """The greatest batch it takes; None for any."""
        return None

    @property
    def max_cost(self) -> int | None:
        """The greatest cost of a batch, its size times that of its dearest sample; None for any.

        A sample that costs more by itself is run alone.
        """
        return None

    @property
    def immutable(self) -> bool:
        """Whether nothing of it can change while it runs: a graph that its run time compiled.

        Of other backbones only those with a `module` can be proven to be frozen.
        """
        return False

    def cost(self, prepared: Any) -> int:
        """Relative cost of a prepared sample; samples of like cost are batched together."""
        del prepared
        return 1

    def module(self) -> Any:
        """The torch module, where there is one, for tuning."""
        return None

    def twin(self) -> Backbone | None:
        """Another with the same weights, not copied, that may run while this one runs.

        With None, the default, one batch runs after the other, each on all threads.
        """
        return None


def _host(values: Any) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return values
    if hasattr(values, "cpu"):  # a torch tensor on any device
        values = values.detach().cpu()
        half = values.is_floating_point() and values.element_size() < 4  # NumPy has no bfloat16
        return np.asarray(values.float() if half else values)
    return np.from_dlpack(values)
