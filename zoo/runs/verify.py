"""Holds a backbone's rows against its own library's, on odd samples, and tries what goes wrong."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import GateError, MissingExtraError, SourceError, ZooError
from zoo.features import ExtractOptions, Model, extract, open_model
from zoo.features.provenance import conditions
from zoo.plugin import Dataset, Item, Target
from zoo.preprocess.decode import decode, quiet_decoding
from zoo.runs.folder import load_run
from zoo.runs.predict import source_of
from zoo.runs.probes import Probe, make_probes
from zoo.runs.verification import Compared, Verification, together
from zoo.runs.wrong_ways import WrongWay, misreading, wrong_ways

if TYPE_CHECKING:
    from zoo.plugin import Reference
    from zoo.registry import Registry
    from zoo.runs.folder import Run
    from zoo.runs.plan import RunOptions

# Largest distance of a row from the reference's, relative to that row's norm. The reference is in
# float32 on the CPU: there rows in float32 differ by the order of sums alone. Elsewhere products
# may be in TensorFloat-32, of 10 bits; float16 has 10 too, bfloat16 7, and every layer rounds.
_TOLERANCE = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
_TOLERANCE_ELSEWHERE = 5e-3
_LONGEST = 100  # characters of a foreign message in a line of ours


def run_verify(registry: Registry, what: str, *, options: RunOptions) -> Verification:
    """Check a model, or the one that a finished run is pinned to.

    Args:
        registry: knows the providers.
        what: a source, or the folder of a run, whose dtype and preprocessing are taken then.
        options: how to compute; `dtype` and `preprocess` for a source.

    Raises:
        GateError: a run's model is no longer the one that it was trained on.
        SourceError: the model can't be loaded, or there are no probes for it.
    """
    options.check()
    run = load_run(Path(what), registry) if (Path(what) / "run.json").is_file() else None
    if run is not None:
        trained = run.plan["options"]
        options = replace(
            options,
            dtype=run.plan.get("key", {}).get("dtype", trained["dtype"]),
            deterministic=trained.get("deterministic", False),
            preprocess=trained["preprocess"],
        )
    source = what if run is None else source_of(run)
    model = open_model(registry, source, options.load_options())
    if run is not None:
        model = model.taking(run.plan["contract"]["modality"])
    with registry.blaming("provider", model.source.provider):
        if run is not None:
            _check_pinned(model, run)
        found = {
            f"{contract.tap}/{contract.pooling}": _verified(
                Model(source, model.provider, model.options),
                "" if run is None else str(run.folder),
                options,
            )
            for source, contract in zip(model.sources, model.contracts, strict=True)
        }
        if len(found) == 1:
            return next(iter(found.values()))
        return together(str(model.source), model.stated(), found)


def _check_pinned(model: Model, run: Run) -> None:
    expected = run.plan["contract"]
    pairs = {
        "weights": (expected["weights"], model.contract.weights),
        "contract": (expected["digest"], model.contract.digest()),
        "column": (run.plan["column"], model.column),
    }
    for name, (then, now) in pairs.items():
        if then != now:
            raise GateError(
                f"'{model.source}' is not what '{run.folder}' was trained on: {name} {then} then, "
                f"{now} now",
                hint="restore the model and its configuration, or run zoo transfer again",
            )


def _verified(model: Model, run: str, options: RunOptions) -> Verification:
    contract, stated = model.contract, model.stated()
    with tempfile.TemporaryDirectory() as name, quiet_decoding():
        folder = Path(name)
        (folder / "probes").mkdir()
        rate = int(contract.preprocess.get("rate", 0))
        probes = make_probes(contract.modality, folder / "probes", rate=rate)
        steps = _Steps(options, 3 * len(probes))
        rows, refused = _rows(model, probes, options, folder / "together", len(probes))
        steps.done(len(probes))
        singly, _ = _rows(model, probes, options, folder / "alone", 1)
        steps.done(len(probes))
        kept = [probe for probe in probes if probe.name in rows]
        plain = [probe for probe in kept if probe.plain] or kept
        decoded = [decode(Item(p.name, p.value), contract.modality) for p in plain]
        right = np.stack([rows[probe.name] for probe in plain])
        wrong = [_judged(way, right) for way in wrong_ways(model.backbone, decoded)]
        for probe in kept:
            misread = misreading(model.backbone, probe)
            wrong += [] if misread is None else [_judged(misread, rows[probe.name][None])]
        shown = {p.name: decode(Item(p.name, p.value), "image") for p in kept if p.decoded}
        model.unload()  # a large one does not fit twice
        reference, why = _reference(model)
        compared = []
        for probe in probes:
            compared.append(_against(probe, rows, refused, reference, shown))
            steps.done(1)
        if reference is not None and all(probe.difference is None for probe in compared):
            raise SourceError(f"the reference took no probe: {compared[0].note}")
    together = np.stack([rows[probe.name] for probe in kept])
    lonely = np.stack([singly[probe.name] for probe in kept])
    return Verification(
        source=str(model.source),
        run=run,
        contract=stated,
        reference=None if reference is None else reference.name,
        why=why,
        tolerance=_tolerance(model),
        probes=tuple(compared),
        alone=_between("each alone, and in a batch", lonely, together),
        wrong=tuple(wrong),
    )


def _rows(
    model: Model, probes: Sequence[Probe], options: RunOptions, store: Path, batch: int
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Rows by probe, as a run computes them into a store; and why others were refused."""
    items = tuple(Item(probe.name, probe.value) for probe in probes)
    target = Target("none", np.full(len(items), -1, np.int64))
    data = Dataset("probes", model.contract.modality, items, target)
    how = ExtractOptions(store, batch_size=batch, threads=options.thread_count)
    got = extract(data, model, how)
    names = [item.name for item in got.dataset.items]
    return dict(zip(names, got.features, strict=True)), {bad.name: bad.reason for bad in got.bad}


def _reference(model: Model) -> tuple[Reference | None, str]:
    try:
        reference = model.provider.reference(model.source, model.options)
    except MissingExtraError as error:
        return None, f"{error} ({error.hint})"
    except ZooError:
        raise
    except Exception as error:  # a library can stumble over anything that it is told to load
        text = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(
            f"the reference of '{model.source}' cannot be made: {text[:_LONGEST]}",
            hint="features may be sound, but nothing says so: zoo models SOURCE shows the contract",
        ) from error
    if reference is None:
        return None, f"provider '{model.source.provider}' has none"
    return reference, ""


def _against(
    probe: Probe,
    rows: dict[str, np.ndarray],
    refused: dict[str, str],
    reference: Reference | None,
    decoded: dict[str, Any],
) -> Compared:
    """One probe's row beside the reference's."""
    if probe.name not in rows:
        return Compared(probe.name, note=f"refused: {refused.get(probe.name, 'unreadable')}")
    if reference is None:
        return Compared(probe.name, note="computed")
    try:
        row = np.asarray(reference.row(decoded.get(probe.name, probe.value)), np.float32)
    except Exception as error:  # noqa: BLE001 - other people's code on odd samples
        text = " ".join(str(error).split()) or type(error).__name__
        return Compared(probe.name, note=f"the reference refuses it: {text[:_LONGEST]}")
    note = f"decoded {probe.decoded}" if probe.decoded else ""
    return replace(_between(probe.name, rows[probe.name][None], row[None]), note=note)


def _judged(way: WrongWay, right: np.ndarray) -> Compared:
    if way.rows is None:
        return Compared(way.name, note=f"the model refuses it: {way.refusal}")
    return _between(way.name, way.rows, right)


def _between(name: str, rows: np.ndarray, right: np.ndarray) -> Compared:
    """The greatest distance and the least cosine of (n, d) rows and those they should be."""
    if rows.shape != right.shape:
        return Compared(name, math.inf, None, f"rows {rows.shape} for {right.shape}")
    a, b = rows.astype(np.float64), right.astype(np.float64)
    apart, norms = np.linalg.norm(a - b, axis=1), np.linalg.norm(b, axis=1)
    both = norms * np.linalg.norm(a, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        differences = np.where(apart == 0, 0.0, apart / norms)
        cosines = np.where(apart == 0, 1.0, (a * b).sum(axis=1) / both)
    # What is not finite in either is the greatest difference there is.
    differences = np.where(np.isfinite(differences), differences, math.inf)
    least = float(np.where(np.isfinite(cosines), cosines, 0.0).min())
    return Compared(name, float(differences.max()), least)


def _tolerance(model: Model) -> float:
    dtype = model.options.compute_dtype
    if dtype == "float32" and conditions(model.options.device)["device"] != "cpu":
        return _TOLERANCE_ELSEWHERE
    return _TOLERANCE[dtype]


class _Steps:
    """Tells of progress in steps of one probe."""

    def __init__(self, options: RunOptions, total: int) -> None:
        self._tell, self._total, self._done = options.progress, total, 0

    def done(self, count: int) -> None:
        self._done += count
        if self._tell is not None:
            self._tell(self._done, self._total)
