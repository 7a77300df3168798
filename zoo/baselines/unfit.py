"""Why an arm of a verdict cannot be, for good: nothing outside of its data and model decides it."""

from __future__ import annotations

from zoo.errors import DataError


class UnfitError(DataError):
    """There is no such arm, and none needs to be tried again."""
