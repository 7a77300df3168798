"""Checks of a head: it fits, scores, searches, and comes back from its state as it was."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UsageError
from zoo.plugin import ArrayRows, Head, Rows, SearchResult, Target
from zoo.testing.check import Check, checks_of, expect, made, refused

if TYPE_CHECKING:
    from zoo.plugin import Entry, Fold

_TASKS = frozenset(("class", "multilabel", "regression", "tokens", "spans"))
_FOLDS = 3
_UNHELD = 5  # rows at the end that no fold of the checks holds
_CLOSE = 1e-6  # of scores by other sums: heads may read float32 rows in blocks of any size
_LEARNT = 0.8  # accuracy on rows that an ignorant head gets right a third of the time


def head_checks(
    entry: Entry, *, rows: np.ndarray | None = None, target: Target | None = None
) -> list[Check]:
    """The contract of a head; each check may be run alone.

    Args:
        entry: what the plugin registers.
        rows: (n, d) features with n at least 30, in no order; three classes in 6 dimensions where
            not given.
        target: n values for them; needed for heads that do not predict classes.

    Raises:
        UsageError: only one of `rows` and `target` is given, or too few rows.
    """
    if (rows is None) != (target is None):
        raise UsageError("give rows and target, or neither")
    if rows is not None and len(rows) < 30:
        raise UsageError(f"checks of folds need at least 30 rows, not {len(rows)}")
    given = None if rows is None or target is None else (np.asarray(rows, np.float32), target)
    return checks_of(_Case(entry, given))


class _Case:
    """One head on one set of rows."""

    def __init__(self, entry: Entry, given: tuple[np.ndarray, Target] | None) -> None:
        self._entry, self._given = entry, given

    def is_made_without_arguments(self) -> None:
        """The factory gives an untrained head that says what it predicts."""
        head = self._make()
        expect(
            head.tasks and head.tasks <= _TASKS, f"tasks {set(head.tasks)} are not all of {_TASKS}"
        )
        expect(
            head.strength is None or isinstance(head.strength, float | int),
            f"strength is a {type(head.strength).__name__}",
        )

    def gives_finite_scores_for_each_row(self) -> None:
        """(n, k) float64, one column a class."""
        scores = self._fitted().scores(ArrayRows(self._rows))
        expect(scores.dtype == np.float64, f"scores are {scores.dtype}, not float64")
        expect(scores.ndim == 2, f"scores have shape {scores.shape}")
        columns = len(self._target.names) if self._target.task == "class" else scores.shape[1]
        wanted = len(self._rows), columns
        expect(scores.shape == wanted, f"scores have shape {scores.shape}, not {wanted}")
        expect(np.isfinite(scores).all(), "scores hold values that are not finite")

    def no_rows_have_no_scores(self) -> None:
        """(0, d) rows give (0, k) scores."""
        head = self._fitted()
        wanted = 0, head.scores(ArrayRows(self._rows[:2])).shape[1]
        shape = head.scores(ArrayRows(self._rows[:0])).shape
        expect(shape == wanted, f"no rows give scores of shape {shape}, not {wanted}")

    def scores_of_a_row_do_not_depend_on_others(self) -> None:
        """Alone, in another order or beside others: the same but for rounding."""
        head = self._fitted()
        scores = head.scores(ArrayRows(self._rows))
        turned = head.scores(ArrayRows(self._rows[::-1]))[::-1]
        alone = np.concatenate([head.scores(ArrayRows(row[None])) for row in self._rows[:8]])
        expect(_close(turned, scores), "rows in another order have other scores")
        expect(_close(alone, scores[:8]), "a row alone has other scores than beside others")

    def takes_any_kind_of_rows(self) -> None:
        """Rows may come from a file a block at a time: only what `Rows` has may be used."""
        head, other = self._make(), self._make()
        head.fit(ArrayRows(self._rows), self._target)
        other.fit(_Blocks(self._rows), self._target)
        wanted = head.scores(ArrayRows(self._rows))
        expect(_close(other.scores(_Blocks(self._rows)), wanted), "rows in blocks score otherwise")

    def learns(self) -> None:
        """On the checks' own rows it is far better than chance."""
        if self._given is None:
            right = self._accuracy(self._fitted())
            expect(right > _LEARNT, f"{right:.0%} of easy rows are right, chance is 33 %")

    def weightless_rows_teach_nothing(self) -> None:
        """`sample_weight` 0 leaves a row out: wrong labels on such rows do no harm."""
        if self._given is not None:
            return
        wrong = (self._target.values + 1) % len(self._target.names)
        values = np.concatenate([self._target.values, wrong, wrong])
        weight = np.repeat([1.0, 0.0], [len(wrong), 2 * len(wrong)])
        head = self._make()
        rows = ArrayRows(np.concatenate([self._rows] * 3))
        target = Target("class", values, self._target.names)
        head.fit(rows, target, sample_weight=weight)
        right = self._accuracy(head)
        expect(right > _LEARNT, f"rows of weight 0 count: {right:.0%} of easy rows are right")

    def leaves_its_rows_alone(self) -> None:
        """Neither fit nor search nor scores write to what they are given."""
        rows, values = self._rows.copy(), self._target.values.copy()
        head = self._make()
        head.search(ArrayRows(self._rows), self._target, self._folds)
        head.fit(ArrayRows(self._rows), self._target)
        head.scores(ArrayRows(self._rows))
        same = np.array_equal(rows, self._rows) and np.array_equal(values, self._target.values)
        expect(same, "rows or targets were written to")

    def fits_the_same_twice(self) -> None:
        """Rows, target and seed decide the state, to the last bit; NumPy's own state is left."""
        before = np.random.get_state()  # noqa: NPY002 - that nobody else uses it is the point
        one, two = self._fitted().state(), self._fitted().state()
        after = np.random.get_state()  # noqa: NPY002
        expect(one.keys() == two.keys(), f"states have {sorted(one)} and {sorted(two)}")
        for name in one:
            same = np.asarray(one[name]).tobytes() == np.asarray(two[name]).tobytes()
            expect(same, f"'{name}' differs between two fits of the same rows and seed")
        left = str(before) == str(after)
        expect(left, "a fit draws from NumPy's global generator: use `seed`")

    def comes_back_from_its_state(self) -> None:
        """Through a safetensors file, with the same scores to the last bit."""
        from safetensors.numpy import load, save

        head = self._fitted()
        state = {name: np.asarray(array, order="C") for name, array in head.state().items()}
        foreign = [name for name in state if name.startswith("calibration/")]
        expect(not foreign, f"names that start with calibration/ are the run's: {foreign}")
        objects = [name for name, array in state.items() if array.dtype.kind not in "biuf"]
        expect(not objects, f"{objects} are no arrays of numbers")
        again = type(head).from_state(load(save(state)))
        scores = head.scores(ArrayRows(self._rows)), again.scores(ArrayRows(self._rows))
        expect(np.array_equal(*scores), "a head from its state scores otherwise")
        expect(again.strength == head.strength, f"strength {head.strength} became {again.strength}")

    def refuses_the_state_of_another(self) -> None:
        """Arrays of another head are an error in one line."""
        cls = type(self._make())
        refused("an empty state", lambda: cls.from_state({}))
        stranger = {"nothing.of.the.kind": np.zeros((2, 3))}
        refused("the state of another head", lambda: cls.from_state(stranger))

    def search_chooses_one_of_its_strengths(self) -> None:
        """The result fits itself, and the head is left at the strength it names."""
        head = self._make()
        found = head.search(ArrayRows(self._rows), self._target, self._folds)
        expect(isinstance(found, SearchResult), f"search gives a {type(found).__name__}")
        expect(head.strength == found.best or not found.strengths, "strength is not left at best")
        if found.strengths:
            losses = None if found.losses is None else np.shape(found.losses)
            wanted = (len(found.strengths),)
            expect(losses == wanted, f"losses have shape {losses}, not {wanted}")
            each = None if found.fold_losses is None else np.shape(found.fold_losses)
            by_fold = (len(self._folds), *wanted)
            expect(each in {None, by_fold}, f"fold_losses have shape {each}, not {by_fold}")
            expect(found.best in found.strengths, f"best {found.best} is none of its strengths")
            distinct = len(set(found.strengths)) == len(found.strengths)
            expect(distinct, f"strengths repeat: {found.strengths}")
        head.fit(ArrayRows(self._rows), self._target)

    def search_keeps_scores_of_held_rows(self) -> None:
        """`held_scores`, where kept: a row for each, NaN for rows that no fold held."""
        found = self._make().search(ArrayRows(self._rows), self._target, self._folds)
        if found.held_scores is None:
            return
        columns = self._fitted().scores(ArrayRows(self._rows[:1])).shape[1]
        shape, wanted = found.held_scores.shape, (len(self._rows), columns)
        expect(shape == wanted, f"held scores have shape {shape}, not {wanted}")
        finite = np.isfinite(found.held_scores).all(axis=1)
        expect(finite[:-_UNHELD].all(), "held rows have scores that are not finite")
        unheld = np.isnan(found.held_scores[-_UNHELD:])
        expect(unheld.all(), "rows that no fold held have scores")

    def _make(self) -> Head:
        head: Head = made("head", self._entry, Head)
        if self._given is None and "class" not in head.tasks:
            raise UsageError(
                f"head '{self._entry.name}' predicts {sorted(head.tasks)}",
                hint="give head_checks rows and a target of that kind",
            )
        return head

    def _fitted(self) -> Head:
        head = self._make()
        head.fit(ArrayRows(self._rows), self._target, seed=1)
        return head

    def _accuracy(self, head: Head) -> float:
        labels = head.scores(ArrayRows(self._rows)).argmax(axis=1)
        return float((labels == self._target.values).mean())

    @property
    def _rows(self) -> np.ndarray:
        return self._data[0]

    @property
    def _target(self) -> Target:
        return self._data[1]

    @cached_property
    def _data(self) -> tuple[np.ndarray, Target]:
        if self._given is not None:
            return self._given
        rng = np.random.default_rng(0)
        codes = rng.permutation(np.repeat(np.arange(3), 32))
        rows = 3.0 * np.eye(3, 6)[codes] + rng.standard_normal((96, 6))
        return rows.astype(np.float32), Target("class", codes, ("a", "b", "c"))

    @cached_property
    def _folds(self) -> list[Fold]:
        everyone = np.arange(len(self._rows))
        parts = np.array_split(everyone[:-_UNHELD], _FOLDS)
        return [(np.setdiff1d(everyone, held), held) for held in parts]


class _Blocks(Rows):
    """Rows that are no array until somebody asks for them all."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values
        self.shape = (values.shape[0], values.shape[1])
        self.dtype = values.dtype

    def blocks(self, size: int = 4096) -> Iterator[np.ndarray]:
        """At most 7 rows at a time: fewer than asked for, as the last block always may be."""
        for start in range(0, self.shape[0], min(size, 7)):
            yield self._values[start : start + min(size, 7)].copy()

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """A copy of some rows."""
        return np.take(self._values, rows, axis=0)


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=_CLOSE, atol=_CLOSE))
