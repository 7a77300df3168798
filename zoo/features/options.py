"""How an extraction runs, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.features.bad import OnBad

Progress = Callable[[int, int], None]  # samples done, samples to do


@dataclass(frozen=True)
class ExtractOptions:
    """How to run: samples a batch, threads that decode, who hears of progress and what is said.

    Of texts and recordings a batch has as many as cost what `batch_size` of mean length would.
    `on_bad` says how many samples may be unreadable; `trained_on` is `Extracted.inputs` of the data
    that a head was trained on.
    """

    store_root: Path
    batch_size: int = 32
    threads: int = 1
    progress: Progress | None = None
    say: Callable[[str], None] | None = None
    on_bad: OnBad = field(default_factory=OnBad)
    trained_on: Mapping[str, Any] = field(default_factory=dict)

    def tell(self, line: str) -> None:
        """One line worth a user's notice."""
        if self.say is not None:
            self.say(line)

    def report(self, done: int, total: int) -> None:
        """So many samples are done."""
        if self.progress is not None:
            self.progress(done, total)
