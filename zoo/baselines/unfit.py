"""Why an arm of a verdict cannot be: for good, or within the time that it was given."""

from __future__ import annotations

from zoo.errors import DataError


class UnfitError(DataError):
    """There is no such arm, and none needs to be tried again: its data and model decide that."""


class OverBudgetError(DataError):
    """It takes longer than its budget, by a clock that may run otherwise the next time."""
