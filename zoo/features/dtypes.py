"""What ``--dtype auto`` stands for: what the store holds, else what is measured on the samples.

A store that holds rows enough, or the outcome of a trial, is followed. Where there is none and much
to compute, some of the samples go through the backbone in float32 and in bfloat16; bfloat16 is
taken where every row keeps its direction and time is really gained. That stands in the key.json of
the store that is made then, so that the next run finds the rows; float32 is told by its rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine.bfloat16 import from_bfloat16, to_bfloat16
from zoo.errors import SourceError
from zoo.features.batches import batches
from zoo.features.columns import Columns, held, joined, vectors
from zoo.features.computing import rows_of

if TYPE_CHECKING:
    from zoo.features.bad import Unreadable
    from zoo.features.model import Model
    from zoo.features.options import ExtractOptions
    from zoo.plugin import Item

FEWEST = 256  # samples to compute, or rows of a store: fewer neither repay a trial nor bind
LEAST_COSINE = 0.999
LEAST_GAIN = 1.2
_WORTH = 10.0  # seconds that the samples take in float32: less is not worth a trial
_SAMPLED = 32  # samples whose rows are compared
_TIMED = 4  # every fourth of those is timed,
_TIMES = 2  # so often in turn
_NAMES = ("float32", "bfloat16")


@dataclass(frozen=True)
class Fidelity:
    """What a trial of bfloat16 against float32 found.

    Attributes:
        chosen: ``float32`` or ``bfloat16``.
        column: tap and pooling that were tried.
        rows: how many samples were compared.
        least_cosine: least cosine between the two rows of a sample.
        greatest_difference: greatest distance between them, over the float32 row's norm.
        speedup: how many times as fast bfloat16 was.
    """

    chosen: str
    column: str
    rows: int
    least_cosine: float
    greatest_difference: float
    speedup: float

    def line(self) -> str:
        """For people: which dtype, and why."""
        measured = (
            f"{self.speedup:.2f} times as fast as float32, least cosine {self.least_cosine:.5f} "
            f"on {self.rows} of these samples"
        )
        if self.chosen == "bfloat16":
            return f"computing in bfloat16: {measured}"
        wanted = f"wanted: {LEAST_GAIN} times, {LEAST_COSINE}"
        return f"computing in float32: bfloat16 is {measured} ({wanted})"


@dataclass(frozen=True)
class Tried:
    """Samples of a trial: their numbers and rows by column in the dtype that was chosen."""

    numbers: list[int]
    rows: Columns


def follow(model: Model, root: Path, wanted: np.ndarray) -> None:
    """Settle the model on the dtype of the stored rows, where there are enough of them.

    Args:
        model: nothing is done unless its dtype is ``auto``.
        root: of the store.
        wanted: (n, 16) uint8 keys of the samples at hand.
    """
    if model.options.dtype != "auto" or model.options.deterministic:
        return
    found = []
    for preference, name in enumerate(reversed(_NAMES)):
        tried = model.computing(name)
        store = tried.open_store(root, tried.key, read_only=True)
        if store is None:
            continue
        with store:
            known = store.columns()
            rows = min(known[c][2] if c in known else 0 for c in tried.columns)
            has = int(held(store, wanted, tried).sum())
            chosen = recorded(store.provenance, tried) is not None
        if chosen or rows >= FEWEST or has == len(wanted):
            found.append(((has == len(wanted), chosen, has, preference), name))
    if found:
        model.settle(max(found)[1])


def recorded(provenance: dict[str, Any], model: Model) -> dict[str, Any] | None:
    """The outcome of a trial of this tap and pooling as key.json has it."""
    noted = provenance.get("fidelity")
    if isinstance(noted, dict) and noted.get("column") == _column(model):
        return noted
    return None


def worth_trying(model: Model, todo: list[int]) -> bool:
    """Whether there is a choice of dtypes, and enough to do for a trial."""
    if model.options.dtype != "auto" or model.options.deterministic or len(todo) < FEWEST:
        return False
    module = model.backbone.module()
    if module is None:
        return False
    from zoo.backbones.torch_dtypes import computes_bfloat16

    return computes_bfloat16(module)


def try_dtypes(  # noqa: PLR0917 - one step of extraction, its state passed as it is
    items: list[Item],
    todo: list[int],
    model: Model,
    options: ExtractOptions,
    unreadable: Unreadable,
    keep: Callable[[list[int], Columns], None],
) -> Tried:
    """Settle the model on float32 or bfloat16 by trying both on some of the samples to do.

    Both are in memory meanwhile. Rows in float32 are kept batch by batch: most often they stay.
    """
    picked = np.linspace(0, len(todo) - 1, _SAMPLED).round().astype(np.int64)
    small = replace(options, batch_size=min(options.batch_size, _SAMPLED // 2))
    some, exact = [], []
    start = time.perf_counter()
    for batch in batches(items, [todo[i] for i in picked], model, small, unreadable):
        rows = _rows(model, [batch], items)
        keep([i for i, _ in batch], rows)
        some.append(batch)
        exact.append(rows)
        if len(some) == 1:  # the first pass takes longer than those after it
            start = time.perf_counter()
    numbers = [i for batch in some for i, _ in batch]
    each = (time.perf_counter() - start) / max(len(numbers) - len(some[0]), 1) if some else 0.0
    if each * len(todo) < _WORTH or not some:
        return Tried(numbers, joined(exact) if exact else {})
    floats = joined(exact)
    timed = [batch[::_TIMED] for batch in some]
    other = model.computing("bfloat16")
    try:
        rows = _rows(other, some, items)
    except (SourceError, RuntimeError, TypeError, ValueError) as error:
        why = (str(error).splitlines() or [""])[0]
        options.tell(f"computing in float32: bfloat16 does not work here ({why})")
        return Tried(numbers, floats)
    times = [[_seconds(arm, timed, items) for arm in (model, other)] for _ in range(_TIMES)]
    slow, fast = np.min(times, axis=0)
    speedup, column = float(slow / fast), _column(model)
    pairs = zip(map(vectors, floats.values()), map(vectors, rows.values()), strict=True)
    outcomes = [compared(a, b, speedup=speedup, column=column) for a, b in pairs]
    found = min(outcomes, key=lambda outcome: outcome.least_cosine)  # of several taps the worst
    options.tell(found.line())
    if found.chosen == "bfloat16":
        model.settle("bfloat16", other.backbone, asdict(found), other.proof)
        return Tried(numbers, rows)
    model.settle("float32", model.backbone, asdict(found))
    return Tried(numbers, floats)


def compared(exact: np.ndarray, rows: np.ndarray, *, speedup: float, column: str) -> Fidelity:
    """What (n, d) rows in bfloat16, as they are stored, are worth beside those in float32."""
    a = exact.astype(np.float64)
    b = from_bfloat16(to_bfloat16(rows)).astype(np.float64)
    lengths, others = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    tiny = np.finfo(np.float32).tiny
    cosines = (a * b).sum(axis=1) / np.maximum(lengths * others, tiny)
    cosines[(lengths == 0) & (others == 0)] = 1.0
    least = float(cosines.min())
    apart = float((np.linalg.norm(a - b, axis=1) / np.maximum(lengths, tiny)).max())
    good = least >= LEAST_COSINE and speedup >= LEAST_GAIN
    return Fidelity(
        "bfloat16" if good else "float32", column, len(a), least, apart, round(speedup, 3)
    )


def _column(model: Model) -> str:
    return ",".join(f"{contract.tap}/{contract.pooling}" for contract in model.contracts)


def _rows(model: Model, some: list[list[tuple[int, Any]]], items: list[Item]) -> Columns:
    backbone, out = model.backbone, []
    for batch in some:
        numbers, prepared = [i for i, _ in batch], [sample for _, sample in batch]
        out.append(rows_of(model.proof.forward(backbone.collate(prepared)), numbers, items, model))
    return joined(out)


def _seconds(model: Model, some: list[list[tuple[int, Any]]], items: list[Item]) -> float:
    start = time.perf_counter()
    _rows(model, some, items)
    return time.perf_counter() - start
