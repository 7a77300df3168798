"""A described model: contract and feature key at once, the backbone when rows are missing."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.backbones import pooling
from zoo.engine import FeatureStore
from zoo.errors import SourceError, UsageError
from zoo.features.frozen import Proof
from zoo.features.provenance import conditions, processor
from zoo.preprocess import audio, decode, decode_audio, image, text
from zoo.preprocess.rules import house_rules

if TYPE_CHECKING:
    from zoo.plugin import Backbone, Contract, Facts, LoadOptions, Provider, Source
    from zoo.registry import Registry

# Each number stands beside the code whose golden outputs it counts: rows made before it was raised
# are not found.
NUMERICS = {
    "image": {
        "decode": decode.NUMERICS,
        "preprocess": image.NUMERICS,
        "pooling": pooling.NUMERICS,
    },
    "text": {
        "decode": decode.NUMERICS,
        "preprocess": text.NUMERICS,
        "pooling": pooling.NUMERICS,
    },
    "audio": {
        "decode": decode_audio.NUMERICS,
        "preprocess": audio.NUMERICS,
        "pooling": pooling.NUMERICS,
    },
}


def open_model(
    registry: Registry, source: str, options: LoadOptions, *, tokens: bool = False
) -> Model:
    """A described model.

    Raises:
        SourceError: no provider knows the source.
        UsageError: tokens of several taps are wanted, or of a pooling.
    """
    parsed = registry.resolve_source(source)
    if tokens and ("," in parsed.tap or parsed.tap.rpartition("/")[2] in pooling.POOLINGS):
        raise UsageError(
            f"'{source}': tokens, patches and frames are of one layer and not pooled",
            hint="name the layer alone: SOURCE#last_hidden_state",
        )
    return Model(parsed, registry.create("provider", parsed.provider), options, tokens=tokens)


@dataclass
class Model:
    """What a source names, described from its configuration and loaded on first use.

    Attributes:
        source: the parsed source.
        provider: who loads it.
        options: device, dtype, threads and preprocessing overrides.
        fidelity: what a trial of bfloat16 found, where one was made; see `zoo.features.dtypes`.
        tokens: whether every token, patch or frame is a row, or they are pooled.
    """

    source: Source
    provider: Provider
    options: LoadOptions
    _backbone: Backbone | None = field(default=None, repr=False)
    fidelity: dict[str, Any] | None = None
    tokens: bool = False
    _proof: Proof | None = field(default=None, repr=False)

    def taking(self, modality: str) -> Model:
        """The same for data of a modality: a model of several kinds of input goes by it."""
        options = replace(self.options, modality=modality)
        return Model(self.source, self.provider, options, tokens=self.tokens)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The source with each tap alone; tokens are the positions that a mean would take."""
        if not self.tokens:
            return self.source.of_each_tap()
        return (replace(self.source, tap=f"{self.source.tap}/mean".lstrip("/")),)

    def computing(self, dtype: str) -> Model:
        """The same in another dtype, not loaded yet."""
        options = replace(self.options, dtype=dtype)
        other = Model(self.source, self.provider, options, tokens=self.tokens)
        for known in ("contracts", "contract", "conditions"):  # none depends on it
            if known in self.__dict__:
                other.__dict__[known] = self.__dict__[known]
        return other

    def settle(
        self,
        dtype: str,
        backbone: Backbone | None = None,
        fidelity: dict[str, Any] | None = None,
        proof: Proof | None = None,
    ) -> None:
        """Say what dtype ``auto`` stands for, with a backbone that computes in it if there is.

        `proof` is that of the backbone, where it has run already.
        """
        self._proof = proof or self._proof
        if backbone is not None or dtype != self.options.compute_dtype:
            self._backbone = backbone
        self.options = replace(self.options, dtype=dtype)
        self.fidelity = fidelity

    @cached_property
    def contracts(self) -> tuple[Contract, ...]:
        """The contract of each tap, read once; they differ in tap and pooling alone.

        Raises:
            SourceError: taps that take different inputs, or come to the same rows.
        """
        told = tuple(self.provider.describe(source, self.options) for source in self.sources)
        if self.tokens:
            return (replace(told[0], pooling="tokens"),)
        if len({contract.digest() for contract in told}) > 1:
            raise SourceError(
                f"the taps of '{self.source}' do not take the same input",
                hint="several taps in one source are of one tower: #vision.a/cls,vision.a/mean",
            )
        if len({(contract.tap, contract.pooling) for contract in told}) < len(told):
            raise SourceError(f"'{self.source}' names the same rows twice")
        return told

    @cached_property
    def contract(self) -> Contract:
        """The contract of the first tap; of several its `info` has them all."""
        first = self.contracts[0]
        if len(self.contracts) == 1:
            return first
        taps = [f"{contract.tap}/{contract.pooling}" for contract in self.contracts]
        return replace(first, info={**first.info, "taps": taps})

    def facts(self) -> Facts:
        """What people ask of it; the features of several taps are counted together."""
        told = [self.provider.inspect(source, self.options) for source in self.sources]
        known = [facts.dim for facts in told if facts.dim is not None]
        return replace(told[0], dim=sum(known) if len(known) == len(told) else None)

    def stated(self) -> dict[str, Any]:
        """All that the contract says and all that holds for every model, as plain JSON values."""
        contract = self.contract
        rules = {**house_rules(contract.modality, contract.preprocess), **contract.rules}
        return {
            **contract.as_dict(),
            "rules": rules,
            "mode": "evaluation, no gradients",
            "numerics": NUMERICS.get(contract.modality, {}),
        }

    @property
    def backbone(self) -> Backbone:
        """The loaded backbone; the first access reads the weights."""
        if self._backbone is None:
            options = self.options
            if options.deterministic:
                options = replace(options, threads=1)
            self._backbone = self.provider.load_taps(self.sources, options)
        return self._backbone

    def unload(self) -> None:
        """Let go of the backbone: its next use reads the weights again."""
        self._backbone = None

    @property
    def proof(self) -> Proof:
        """That the loaded backbone stays what it is; the first access loads and digests it."""
        if self._proof is None or self._proof.backbone is not self.backbone:
            self._proof = Proof(self.backbone, self.options)
        return self._proof

    @property
    def loaded(self) -> bool:
        """Whether the weights have been read."""
        return self._backbone is not None

    @property
    def key(self) -> dict[str, Any]:
        """The feature key: equal keys mean equal features for equal samples.

        Deterministic rows equal each other to the bit on one kind of processor under one set of
        versions, and no others: all of that is in their key.
        """
        key = {
            "weights": self.contract.weights,
            "contract": self.contract.digest(),
            "augment": "none",
            "dtype": self.options.compute_dtype,
            "numerics": NUMERICS.get(self.contract.modality, {}),
        }
        if self.options.deterministic:
            key["deterministic"] = {**self.conditions, "processor": processor(self.options.device)}
        return key

    @property
    def own_key(self) -> dict[str, Any]:
        """The key of rows that differ from those of `key` under the conditions of this machine."""
        return {**self.key, "made_with": self.conditions}

    @cached_property
    def conditions(self) -> dict[str, Any]:
        """Versions, device and machine: what features are made with beside the key."""
        return conditions(self.options.device)

    @property
    def columns(self) -> tuple[str, ...]:
        """The column of each tap and its pooling, kept in the compute dtype."""
        dtype = self.options.compute_dtype
        return tuple(f"{each.tap}/{each.pooling}/{dtype}" for each in self.contracts)

    @property
    def column(self) -> str:
        """The columns in one line, for run.json."""
        return ",".join(self.columns)

    def versions(self) -> dict[str, str]:
        """Versions of the interpreter and of the libraries that can decide features."""
        return {"python": platform.python_version(), **self.conditions["versions"]}

    def open_store(
        self, root: Path, key: dict[str, Any], *, read_only: bool = False
    ) -> FeatureStore | None:
        """The store of `key` or `own_key`, or None where nothing has been written."""
        return FeatureStore.find(root, key, read_only=read_only)

    def create_store(self, root: Path, key: dict[str, Any]) -> FeatureStore:
        """The store of `key` or `own_key`, with who made it in clear text; needs the backbone."""
        provenance = {
            "source": str(self.source),
            "contract": self.stated(),
            "parameters": self.backbone.parameters,
            "python": platform.python_version(),
            "made_with": self.conditions,
        }
        if self.fidelity is not None:
            provenance["fidelity"] = self.fidelity
        return FeatureStore.create(root, key, provenance)
