"""What holding a backbone's rows against its own library's has found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Compared:
    """A sample's row beside another row of it.

    Attributes:
        name: the probe, or the mistake that was made.
        difference: distance of the rows over the norm of the right one; the greatest of several.
            None where there is nothing to compare.
        cosine: of the rows; the least of several.
        note: what is to be said of it.
    """

    name: str
    difference: float | None = None
    cosine: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Verification:
    """What a check found.

    Attributes:
        source: the model, pinned.
        run: the run it was pinned by, or empty.
        contract: the model's, as run.json has it.
        reference: what the rows were held against; None where there is nothing.
        why: why there is nothing.
        tolerance: for differences, stated beforehand.
        probes: against the reference, one by one.
        alone: rows of single samples against rows of the batch.
        wrong: what each mistake moves rows by.
    """

    source: str
    run: str
    contract: dict[str, Any]
    reference: str | None
    why: str
    tolerance: float
    probes: tuple[Compared, ...]
    alone: Compared
    wrong: tuple[Compared, ...]

    @property
    def greatest(self) -> Compared | None:
        """The probe with the greatest difference."""
        told = [probe for probe in self.probes if probe.difference is not None]
        return max(told, key=lambda probe: probe.difference or 0.0, default=None)

    @property
    def passed(self) -> bool:
        """Whether no difference is above the tolerance; of no reference nothing can be."""
        differences = [probe.difference for probe in (*self.probes, self.alone)]
        return all(x is None or x <= self.tolerance for x in differences)

    @property
    def able_to_fail(self) -> bool:
        """Whether some mistake would have been found by this tolerance."""
        return any(self.finds(way) for way in self.wrong)

    def finds(self, way: Compared) -> bool:
        """Whether a mistake moves some row by more than the tolerance."""
        return way.difference is not None and way.difference > self.tolerance

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        greatest = self.greatest
        return {
            "source": self.source,
            "run": self.run or None,
            "contract": self.contract,
            "reference": self.reference,
            "why": self.why or None,
            "tolerance": self.tolerance,
            "greatest": None if greatest is None else _finite(greatest.difference),
            "passed": self.passed,
            "able_to_fail": self.able_to_fail,
            "probes": [_plain(probe) for probe in self.probes],
            "alone": _plain(self.alone),
            "wrong_ways": [{**_plain(way), "found": self.finds(way)} for way in self.wrong],
        }


def together(
    source: str, contract: dict[str, Any], taps: Mapping[str, Verification]
) -> Verification:
    """What was found of several taps of one model, each line with its tap's name.

    Args:
        source: with all the taps.
        contract: of the whole, as run.json has it.
        taps: what was found of each alone, by name; at least one.
    """

    def named(tap: str, lines: tuple[Compared, ...]) -> tuple[Compared, ...]:
        return tuple(replace(line, name=f"{tap}: {line.name}") for line in lines)

    first = next(iter(taps.values()))
    alone = {tap: found.alone for tap, found in taps.items()}
    worst = max(alone, key=lambda tap: alone[tap].difference or 0.0)
    return replace(
        first,
        source=source,
        contract=contract,
        probes=tuple(line for tap, found in taps.items() for line in named(tap, found.probes)),
        alone=named(worst, (alone[worst],))[0],
        wrong=tuple(line for tap, found in taps.items() for line in named(tap, found.wrong)),
    )


def _plain(compared: Compared) -> dict[str, Any]:
    return {
        "name": compared.name,
        "difference": _finite(compared.difference),
        "cosine": compared.cosine,
        "note": compared.note or None,
    }


def _finite(value: float | None) -> float | None:
    """JSON knows no infinity: the greatest number there is stands for it."""
    return value if value is None or math.isfinite(value) else float(np.finfo(np.float64).max)
