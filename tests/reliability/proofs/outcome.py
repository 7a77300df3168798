"""What a proof found: counts, and every fault in words."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

MOST = 20  # faults told in words; all are counted


@dataclass
class Outcome:
    """A proof's result; it holds if nothing was called a fault.

    Attributes:
        name: of the proof.
        seed: what its random numbers came from.
        counts: what was done and seen.
        faults: what must not be, in words.
    """

    name: str
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    notes: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0

    def fault(self, what: str) -> None:
        """Note something that must not be."""
        self.fault_count += 1
        if len(self.faults) < MOST:
            self.faults.append(what)

    def line(self) -> str:
        """One line of JSON."""
        content = {"proof": self.name, "seed": self.seed, **self.counts, **self.notes}
        content |= {"faults": self.fault_count, "first_faults": self.faults}
        return json.dumps(content)
