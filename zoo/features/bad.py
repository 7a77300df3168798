"""What becomes of samples that can't be read: all are listed, and a rule says how many may be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from zoo.errors import DataError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from zoo.plugin import Item

_MOST = re.compile(r"max=(\d+(?:\.\d+)?)(%?)", re.ASCII)
_SHOWN = 3  # names in one line


@dataclass(frozen=True)
class BadItem:
    """A sample that could not be read, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class OnBad:
    """How many samples may be bad.

    Attributes:
        text: as the user said it: ``fail``, ``skip``, ``max=N`` or ``max=P%``.
    """

    text: str = "skip"

    def __post_init__(self) -> None:
        """Raise UsageError where it is none of these."""
        if self.text in {"fail", "skip"}:
            return
        stated = _MOST.fullmatch(str(self.text))
        if stated is None or (not stated[2] and "." in stated[1]) or self._share(stated) > 1:
            raise UsageError(
                f"--on-bad '{self.text}'", hint="fail, skip, or at most so many: max=10, max=1%"
            )

    @staticmethod
    def _share(stated: re.Match[str]) -> Fraction:
        return Fraction(stated[1]) / 100 if stated[2] else Fraction(0)

    def allowed(self, total: int) -> int:
        """How many of `total` samples may be bad; of a share the whole samples in it."""
        if self.text == "skip":
            return total
        stated = _MOST.fullmatch(self.text)
        if stated is None:
            return 0
        return int(self._share(stated) * total) if stated[2] else int(stated[1])

    def check(self, bad: Iterable[BadItem], total: int) -> None:
        """Raise DataError where there are more than allowed."""
        found = list(bad)
        if len(found) <= self.allowed(total):
            return
        if self.text == "fail":
            first = found[0]
            named = first.reason.startswith(f"'{first.name}'")
            raise DataError(
                first.reason if named else f"'{first.name}': {first.reason}",
                hint="mend or remove it; --on-bad skip leaves such samples out and lists them",
            )
        raise DataError(
            f"{len(found)} of {total} samples could not be read, more than --on-bad {self.text} "
            f"allows: {listed(found)}",
            hint="mend or remove them, or allow more: features that were made are kept",
        )


@dataclass
class Unreadable:
    """Samples found bad while features are made, by number; too many are an error at once.

    Attributes:
        rule: how many may be.
        items: the samples whose bytes could be digested.
        known: those that could not.
        reasons: of the others, by number in `items`, each content once.
    """

    rule: OnBad
    items: list[Item]
    known: tuple[BadItem, ...] = ()
    reasons: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise DataError where there are too many already."""
        self.rule.check(self.known, self.total)

    @property
    def total(self) -> int:
        """Samples in all."""
        return len(self.items) + len(self.known)

    def add(self, number: int, reason: str) -> None:
        """One more; raises DataError where that is one too many."""
        self.reasons[number] = reason
        if len(self.known) + len(self.reasons) <= self.rule.allowed(self.total):
            return  # of each one: no list is made
        found = [BadItem(self.items[i].name, reason) for i, reason in self.reasons.items()]
        self.rule.check([*self.known, *found], self.total)

    def sorted_out(self, keys: np.ndarray) -> tuple[list[int], tuple[BadItem, ...]]:
        """Numbers of the good items, and every bad one with those of the same bytes.

        Args:
            keys: (n, 16) uint8, of the items.

        Raises:
            DataError: too many are bad.
        """
        first_of = {keys[i].tobytes(): i for i in self.reasons}
        good, bad = [], list(self.known)
        for i, item in enumerate(self.items):
            first = first_of.get(keys[i].tobytes())
            if first is None:
                good.append(i)
                continue
            same = "" if first == i else f"the same bytes as '{self.items[first].name}': "
            bad.append(BadItem(item.name, same + self.reasons[first]))
        self.rule.check(bad, self.total)
        return good, tuple(bad)


def listed(bad: Iterable[BadItem]) -> str:
    """The first few names, in one line."""
    names = [f"'{item.name}'" for item in bad]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def bad_warning(bad: tuple[BadItem, ...]) -> str:
    """What to say of them."""
    what = "sample" if len(bad) == 1 else "samples"
    return f"warning: {len(bad)} {what} could not be read: {listed(bad)}"
