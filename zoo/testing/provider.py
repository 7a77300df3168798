"""Checks of a provider: what it says of a model, and that the backbone keeps to it."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.backbones.pooling import POOLINGS, pool
from zoo.errors import UsageError
from zoo.features import ExtractOptions, Model, extract
from zoo.features.provenance import TOLERANCE, distance
from zoo.plugin import (
    Backbone,
    Contract,
    Dataset,
    Facts,
    Found,
    Item,
    LoadOptions,
    Provider,
    Source,
    Target,
)
from zoo.plugin.contract import canonical_json
from zoo.preprocess.decode import decode
from zoo.testing.check import Check, checks_of, expect, made, refused
from zoo.testing.probe import HEAVY, Probed, probe

if TYPE_CHECKING:
    from zoo.plugin import Entry

_MODALITIES = ("image", "text", "audio")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_NOWHERE = "no-such-model-anywhere"


def provider_checks(
    entry: Entry,
    source: str,
    *,
    items: Sequence[Any] | None = None,
    options: LoadOptions | None = None,
) -> list[Check]:
    """The contract of a provider, checked on one of its models; each check may be run alone.

    Args:
        entry: what the plugin registers.
        source: a model that the provider can load, small if there is a choice.
        items: at least two different samples: files (Path), texts or arrays, as in `zoo.plugin`'s
            `Item`. Made up by the model's modality where not given.
        options: device, dtype and overrides of the preprocessing; on the CPU where not given.

    Raises:
        UsageError: the source is of another provider, or there are fewer than two items.
    """
    parsed = Source.parse(source)
    if parsed.provider != entry.name:
        raise UsageError(f"source '{source}' is not one of provider '{entry.name}'")
    if items is not None and len(items) < 2:
        raise UsageError("checks of batches need at least two different items")
    return checks_of(_Case(entry, parsed, items, options or LoadOptions(device="cpu")))


class _Case:
    """One model of one provider; what is costly is done once for all checks."""

    def __init__(
        self, entry: Entry, source: Source, items: Sequence[Any] | None, options: LoadOptions
    ) -> None:
        self._entry, self._source, self._options = entry, source, options
        self._given = items

    def describes_without_a_framework(self) -> None:
        """`describe` neither imports torch nor its like: a cached run shall start in a moment.

        The model has been described before: what only its code says may have been remembered.
        """
        _ = self._contract
        expect(
            not self._probed.heavy,
            f"describing '{self._source}' imports {', '.join(self._probed.heavy)}; none of "
            f"{', '.join(sorted(HEAVY))} may be loaded before a forward pass is due",
        )

    def contract_is_plain_and_complete(self) -> None:
        """The contract is JSON, and every field of it means something."""
        contract = self._contract
        expect(contract.modality in _MODALITIES, f"modality '{contract.modality}' is not known")
        expect(contract.pooling in POOLINGS, f"pooling '{contract.pooling}' is not known")
        expect(
            contract.layout in ("channels_first", "channels_last"),
            f"layout '{contract.layout}' is not known",
        )
        expect(contract.tap, "the contract names no tap")
        expect(
            _SHA256.match(contract.weights),
            f"weights '{contract.weights}' are no SHA-256 in 64 hex digits",
        )
        try:
            canonical_json(contract.as_dict())
        except (TypeError, ValueError) as error:
            expect(holds=False, otherwise=f"the contract is not plain JSON: {error}")

    def digest_is_the_same_every_time(self) -> None:
        """Keys of stored rows are made of it: here, here again, and in another process."""
        again = self._provider.describe(self._source, self._options)
        for what, told in (("described again", again.as_dict()), ("elsewhere", self._elsewhere)):
            for name in ("digest", "weights", "tap", "pooling", "layout"):
                here = self._contract.as_dict()[name]
                expect(told[name] == here, f"{name} is {here}, and {what} in a run {told[name]}")

    def backbone_keeps_the_contract(self) -> None:
        """`load` gives a backbone whose contract is the one described."""
        backbone = self._backbone
        expect(isinstance(backbone, Backbone), f"load gives a {type(backbone).__name__}")
        described, loaded = self._contract.as_dict(), backbone.contract.as_dict()
        for name in ("digest", "weights", "tap", "pooling", "layout", "modality"):
            expect(
                described[name] == loaded[name],
                f"the loaded backbone's {name} is {loaded[name]}, described was {described[name]}",
            )

    def forward_gives_one_row_a_sample(self) -> None:
        """The tap is among the outputs, and pools to (b, d) finite values."""
        values, mask = self._outputs(self._prepared[: self._most])
        count = len(self._prepared[: self._most])
        expect(values.shape[0] == count, f"{count} samples give an output of shape {values.shape}")
        expect(
            mask is None or mask.shape == values.shape[:2],
            f"mask {None if mask is None else mask.shape} does not fit output {values.shape}",
        )
        rows = self._rows(self._prepared[: self._most])
        expect(rows.shape[0] == count and rows.shape[1] > 0, f"pooled rows have shape {rows.shape}")
        expect(np.isfinite(rows).all(), "rows hold values that are not finite")
        expect(distance(rows[:1], rows[1:2]) > 0, "two different samples give the same row")

    def rows_do_not_depend_on_the_batch(self) -> None:
        """A sample alone gives the row that it gives beside others, padding and all."""
        together = self._rows(self._prepared)
        alone = np.concatenate([self._rows([one]) for one in self._prepared])
        expect(
            together.shape == alone.shape, f"rows {together.shape} together, {alone.shape} alone"
        )
        apart = distance(together, alone)
        expect(apart <= self._tolerance, f"rows alone are {apart:.1e} from rows in a batch")

    def forward_is_in_evaluation_mode(self) -> None:
        """Nothing is dropped at random, no statistic drifts, no state changes."""
        first, before = self._rows(self._prepared), self._state()
        apart = distance(first, self._rows(self._prepared))
        expect(apart <= self._tolerance, f"the same batch again gives rows {apart:.1e} away")
        expect(self._state() == before, "a forward pass changes the module's state")
        module = self._backbone.module()
        training = [] if module is None else [n for n, m in module.named_modules() if m.training]
        expect(not training, f"in training mode: {', '.join(map(repr, training[:3]))}")

    def rows_are_kept_and_found_again(self) -> None:
        """Extraction through a store gives the rows of `forward`, and the second costs nothing."""
        target = Target("none", np.full(len(self._items), -1, np.int64))
        data = Dataset("samples", self._contract.modality, tuple(self._items), target)
        with tempfile.TemporaryDirectory() as folder:
            options = ExtractOptions(Path(folder), batch_size=2)
            first = extract(data, self._model(), options)
            expect(not first.bad, f"samples could not be read: {[b.reason for b in first.bad]}")
            second = extract(data, self._model(), options)
        expect(second.forwards == 0, f"a second extraction runs {second.forwards} forward passes")
        expect(np.array_equal(first.features, second.features), "stored rows differ from new ones")
        apart = distance(first.features, self._rows(self._prepared))
        expect(apart <= self._tolerance, f"extracted rows are {apart:.1e} from those of forward")

    def unknown_taps_are_refused(self) -> None:
        """A tap that there is not is an error in one line, at the latest in the forward pass."""
        source = replace(self._source, tap="no.such.tap/mean")

        def attempt() -> None:
            backbone = self._provider.load(source, self._options)
            backbone.forward(backbone.collate(self._prepared[:1]))

        refused("a tap that there is not", attempt)

    def missing_models_are_refused(self) -> None:
        """So is a model that there is not; nobody is asked for it on the way."""
        path = self._source.path is not None
        reference = f"./{_NOWHERE}" if path else _NOWHERE
        source = Source(self._entry.name, reference)
        offline = replace(self._options, offline=True)
        refused("a model that there is not", lambda: self._provider.describe(source, offline))

    def search_finds_sources_of_its_own(self) -> None:
        """`search` gives sources of this provider, and nothing for nonsense; also offline."""
        for query in ("", self._source.reference.rpartition("/")[2]):
            for found in self._provider.search(query, offline=True, limit=5):
                expect(isinstance(found, Found), f"search gives a {type(found).__name__}")
                expect(
                    Source.parse(found.source).provider == self._entry.name,
                    f"search gives '{found.source}', which is not of '{self._entry.name}'",
                )
        nothing = list(self._provider.search(f"{_NOWHERE} xyzzy", offline=True, limit=5))
        expect(not nothing, f"a search for nonsense finds {nothing}")

    def facts_are_true(self) -> None:
        """What `inspect` says of features and parameters is what the backbone has."""
        facts = self._provider.inspect(self._source, self._options)
        expect(isinstance(facts, Facts), f"inspect gives a {type(facts).__name__}")
        dim = self._rows(self._prepared[:1]).shape[1]
        expect(facts.dim in (None, dim), f"inspect says {facts.dim} features, rows have {dim}")
        have = self._backbone.parameters
        expect(
            have is None or facts.parameters in (None, have),
            f"inspect says {facts.parameters} parameters, the backbone has {have}",
        )

    @cached_property
    def _provider(self) -> Provider:
        provider: Provider = made("provider", self._entry, Provider)
        return provider

    @cached_property
    def _contract(self) -> Contract:
        contract = self._provider.describe(self._source, self._options)
        expect(isinstance(contract, Contract), f"describe gives a {type(contract).__name__}")
        return contract

    @cached_property
    def _probed(self) -> Probed:
        return probe(self._entry, self._source, self._options)

    @property
    def _elsewhere(self) -> dict[str, Any]:
        return dict(self._probed.contract)

    @cached_property
    def _backbone(self) -> Backbone:
        return self._provider.load(self._source, self._options)

    @cached_property
    def _items(self) -> list[Item]:
        values = self._given
        if values is None:
            values = _made_up(self._contract)
        return [Item(f"sample {i}", value) for i, value in enumerate(values)]

    @cached_property
    def _prepared(self) -> list[Any]:
        modality = self._contract.modality
        return [self._backbone.prepare(decode(item, modality)) for item in self._items]

    @property
    def _most(self) -> int:
        return self._backbone.max_batch or len(self._items)

    @property
    def _tolerance(self) -> float:
        return TOLERANCE[self._options.compute_dtype]

    def _model(self) -> Model:
        return Model(self._source, self._provider, self._options, self._backbone)

    def _outputs(self, prepared: list[Any]) -> tuple[np.ndarray, np.ndarray | None]:
        outputs = self._backbone.forward(self._backbone.collate(prepared))
        tap = self._contract.tap
        expect(tap in outputs, f"forward gives {sorted(outputs)}, not the tap '{tap}'")
        return outputs[tap].numpy()

    def _rows(self, prepared: list[Any]) -> np.ndarray:
        contract, rows = self._contract, []
        for start in range(0, len(prepared), self._most):
            values, mask = self._outputs(prepared[start : start + self._most])
            rows.append(
                pool(
                    values, mask, pooling=contract.pooling, layout=contract.layout, tap=contract.tap
                )
            )
        return np.concatenate(rows)

    def _state(self) -> str:
        """A digest of the torch module's parameters and buffers; empty where there is none."""
        module = self._backbone.module()
        if module is None:
            return ""
        sha = hashlib.sha256()
        for name, tensor in sorted(module.state_dict().items()):
            sha.update(name.encode() + tensor.detach().cpu().contiguous().float().numpy().tobytes())
        return sha.hexdigest()


def _made_up(contract: Contract) -> list[Any]:
    """Three different samples of a modality, of different sizes."""
    rng = np.random.default_rng(0)
    if contract.modality == "text":
        return ["a short text", "another text, which is a good deal longer than the first", "three"]
    if contract.modality == "audio":
        rate = int(contract.preprocess.get("rate", 16_000))
        lengths = (rate, rate // 2, rate + 321)
        return [rng.normal(0, 0.1, length).astype(np.float32) for length in lengths]
    sizes = ((48, 64, 3), (64, 40, 3), (33, 33, 3))
    return [rng.integers(0, 256, size, dtype=np.uint8) for size in sizes]
