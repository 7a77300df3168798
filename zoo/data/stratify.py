"""Deals rows into parts with even classes or strata, without ever tearing a unit apart.

A unit is what must stay together: byte-identical duplicates and rows of one group, taken
transitively. Units are numbered by their lowest digest, so that the outcome depends on the
samples and the seed alone, never on the order of rows or files. Within a class the parts of
units of one row are within one row of the exact share; larger units are dealt greedily by the
least squares of what each class still lacks. A class that lives in a single unit cannot be in
two parts: it stays where heads are fitted. Strata of numbers and of labels (`numbers_in_strata`,
`labels_in_strata`) are dealt as classes are, but nothing has to be in every part: there any unit
may be held out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_BINS = 10  # of numbers
_PER_BIN = 5  # rows, one for each fold


def units_of(digests: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """(n,) int64 unit numbers, contiguous from 0, for (n, 16) uint8 digests and (n,) groups.

    An empty group is no group.
    """
    words = np.ascontiguousarray(digests).view(">u8").reshape(len(digests), 2)
    order = np.lexsort((words[:, 1], words[:, 0]))
    new = np.any(words[order][1:] != words[order][:-1], axis=1)
    sample = np.empty(len(digests), dtype=np.int64)
    sample[order] = np.concatenate(([0], np.cumsum(new)))[: len(order)]
    if groups is None:
        return sample
    parent = list(range(int(sample.max(initial=-1)) + 1))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for group, i in zip(groups.tolist(), sample.tolist(), strict=True):
        if group:
            low, high = sorted((root(first.setdefault(group, i)), root(i)))
            parent[high] = low
    roots = np.array([root(i) for i in range(len(parent))], dtype=np.int64)
    return np.unique(roots[sample], return_inverse=True)[1].astype(np.int64)


def numbers_in_strata(values: np.ndarray) -> np.ndarray:
    """(n,) int64 codes of at most 10 quantile bins of (n, t) finite numbers, 5 rows or more each.

    Several numbers are ordered by the sum of their ranks: numbers that rise together are in the
    same bins, whatever their units. Equal numbers share a bin.
    """
    ranks = np.zeros(len(values), dtype=np.int64)
    for column in values.T:
        ranks += np.searchsorted(np.sort(column), column)
    bins = max(1, min(_BINS, len(values) // _PER_BIN))
    edges = np.sort(ranks)[np.arange(1, bins) * len(values) // bins]
    return np.unique(np.searchsorted(edges, ranks, side="right"), return_inverse=True)[1]


def labels_in_strata(marks: np.ndarray) -> np.ndarray:
    """(n,) int64 codes of (n, l) marks of 0 and 1: each row's rarest label, or that it has none.

    What iterative stratification begins with (Sechidis, Tsoumakas, Vlahavas 2011): the rarest
    labels are the ones that chance would deal unevenly.
    """
    order = np.argsort(marks.sum(axis=0, dtype=np.int64), kind="stable")
    rarest_first = marks[:, order] == 1
    first = np.where(rarest_first.any(axis=1), rarest_first.argmax(axis=1), marks.shape[1])
    return np.unique(first, return_inverse=True)[1]


def hold_out(
    units: np.ndarray,
    codes: np.ndarray,
    share: float,
    rng: np.random.Generator,
    *,
    pin: bool = True,
) -> np.ndarray:
    """(n,) bool: the rows held out, about `share` of all and, within a row, of each class.

    With `pin` a class's only unit is never held out, and a class is in both parts if it can be.
    """
    table = _Table.of(units, codes, pin=pin)
    parts = table.deal_large(np.array([1 - share, share]), rng, pinned=0)
    held = table.per_class(parts == 1)
    singles = table.singles(parts, rng)
    want = np.clip(share * table.per_class() - held, 0, [len(chosen) for chosen in singles])
    count = np.floor(want + 1e-9).astype(np.int64)
    # Floors fall short of the share of all rows: the classes with the greatest rest give one more.
    short = round(share * len(units)) - int(held.sum() + count.sum())
    rest = np.round(want - count, 9)
    order = rng.permutation(table.classes)
    order = order[np.argsort(-rest[order], kind="stable")]
    count[order[rest[order] > 0][: max(0, short)]] += 1
    for chosen, m in zip(singles, count.tolist(), strict=True):
        parts[chosen[:m]] = 1
        parts[chosen[m:]] = 0
    if pin:
        table.spread(parts, crowded=[1], others=[0])
    free = np.flatnonzero(~table.pinned)
    if len(free) and not (parts == 1).any():
        parts[free[np.argmin(table.sizes[free])]] = 1
    return np.asarray(parts[units] == 1)


def fold(
    units: np.ndarray, codes: np.ndarray, k: int, rng: np.random.Generator, *, pin: bool = True
) -> np.ndarray:
    """(n,) int64 fold numbers below `k`; -1 for rows that are in no fold, only fitted on.

    There are fewer folds where there are fewer units, and none where each class is one unit;
    without `pin` only where there is but one unit.
    """
    table = _Table.of(units, codes, pin=pin)
    k = min(k, int((~table.pinned).sum()))
    if not k:
        return np.full(len(units), -1, dtype=np.int64)
    shares = np.full(k, 1 / k)
    parts = table.deal_large(shares, rng, pinned=-1)
    goal = np.outer(table.per_class(parts != -1), shares)
    have = np.stack([table.per_class(parts == f) for f in range(k)], axis=1)
    for c, chosen in enumerate(table.singles(parts, rng)):
        if not len(chosen):
            continue
        need = np.maximum(goal[c] - have[c], 0)
        quota = need * (len(chosen) / need.sum())
        count = np.floor(quota + 1e-9).astype(np.int64)
        behind = (goal - have).sum(axis=0) - count
        most = np.lexsort((-behind, -np.round(quota - count, 9)))
        count[most[: len(chosen) - int(count.sum())]] += 1
        parts[chosen] = np.repeat(np.arange(k), count)
        have[c] += count
    if pin:
        table.spread(parts, crowded=list(range(k)), others=list(range(k)))
    used = np.unique(parts[parts >= 0])
    return np.asarray(np.where(parts >= 0, np.searchsorted(used, parts), -1)[units])


@dataclass(frozen=True)
class _Table:
    """Units by class: `rows` of a class are in a unit, for every pair that occurs."""

    unit: np.ndarray  # (p,) ascending
    code: np.ndarray  # (p,)
    rows: np.ndarray  # (p,)
    sizes: np.ndarray  # (u,) rows of each unit
    pinned: (
        np.ndarray
    )  # (u,) whether a unit is never held out: the only one of some class, or of all
    classes: int

    @classmethod
    def of(cls, units: np.ndarray, codes: np.ndarray, *, pin: bool = True) -> _Table:
        classes = int(codes.max(initial=-1)) + 1
        pairs, rows = np.unique(units * max(classes, 1) + codes, return_counts=True)
        unit, code = np.divmod(pairs, max(classes, 1))
        homes = np.bincount(code, minlength=classes)
        sizes = np.bincount(units)
        pinned = np.full(len(sizes), len(sizes) == 1)
        if pin:
            pinned[unit[homes[code] == 1]] = True
        return cls(unit, code, rows, sizes, pinned, classes)

    def per_class(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """(classes,) float64 rows of each class in the chosen units, or in all."""
        rows = self.rows if chosen is None else self.rows * chosen[self.unit]
        return np.bincount(self.code, weights=rows, minlength=self.classes)

    def deal_large(
        self, shares: np.ndarray, rng: np.random.Generator, *, pinned: int
    ) -> np.ndarray:
        """(u,) part numbers of pinned units and of units of several rows; -2 for the rest."""
        parts = np.full(len(self.sizes), -2, dtype=np.int64)
        parts[self.pinned] = pinned
        counted = self.per_class(None if pinned >= 0 else ~self.pinned)
        lack = np.outer(counted, shares)
        if pinned >= 0:
            lack[:, pinned] -= self.per_class(self.pinned)
        order = rng.permutation(len(self.sizes))
        order = order[(self.sizes[order] > 1) & ~self.pinned[order]]
        order = order[np.argsort(-self.sizes[order], kind="stable")]
        starts = np.searchsorted(self.unit, np.arange(len(self.sizes) + 1))
        for u in order.tolist():
            own = slice(starts[u], starts[u + 1])
            code, rows = self.code[own], self.rows[own]
            gain = np.round((rows / counted[code]) @ lack[code], 9)
            part = int(np.lexsort((-lack.sum(axis=0), -gain))[0])
            parts[u] = part
            lack[code, part] -= rows
        return parts

    def singles(self, parts: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """For each class, its units of one row that are not dealt yet, shuffled."""
        order = rng.permutation(len(self.unit))
        order = order[parts[self.unit[order]] == -2]
        order = order[np.argsort(self.code[order], kind="stable")]
        ends = np.searchsorted(self.code[order], np.arange(self.classes + 1))
        return [self.unit[order[a:b]] for a, b in pairwise(ends.tolist())]

    def spread(self, parts: np.ndarray, *, crowded: list[int], others: list[int]) -> None:
        """Move a unit of each class that is wholly in one crowded part, if that harms none."""
        least = np.full(self.classes, np.iinfo(np.int64).max)
        most = np.full(self.classes, np.iinfo(np.int64).min)
        np.minimum.at(least, self.code, parts[self.unit])
        np.maximum.at(most, self.code, parts[self.unit])
        for c in np.flatnonzero((least == most) & np.isin(least, crowded)).tolist():
            here = self.unit[self.code == c]
            if len(set(parts[here].tolist())) > 1:
                continue  # an earlier move has mended it
            for u in here[np.argsort(self.sizes[here], kind="stable")].tolist():
                load = [(int(self.sizes[parts == f].sum()), f) for f in others if f != parts[u]]
                goal = next(
                    (f for _, f in sorted(load) if self._harmless(parts, u, f, crowded)), -1
                )
                if goal >= 0:
                    parts[u] = goal
                    break

    def _harmless(self, parts: np.ndarray, unit: int, goal: int, crowded: list[int]) -> bool:
        if goal not in crowded:
            return True
        for c in self.code[self.unit == unit].tolist():
            rest = self.unit[(self.code == c) & (self.unit != unit)]
            if (parts[rest] == goal).all():
                return False
        return True
