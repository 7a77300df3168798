"""What every file of rows answers once it is open for importing, whatever its format."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.engine.exchange.columns import Block, Column

BLOCK_BYTES = 32 << 20  # of rows that are in memory at a time


class RowsFile(ABC):
    """A file of rows, open.

    Attributes:
        rows: how many.
        columns: those that are to be imported.
        key: of the store it was exported from, None where it names none.
        provenance: of that store.
    """

    rows: int
    columns: Mapping[str, Column]
    key: dict[str, Any] | None = None
    provenance: Mapping[str, Any] = {}

    @abstractmethod
    def keys(self) -> NDArray[np.uint8]:
        """All keys, (n, 16)."""

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """The rows, in the order of the file; it may be read several times."""


def chosen(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The wanted of a file's columns, all where none is wanted."""
    if not names:
        raise DataError("it has keys and no column")
    for name in wanted:
        if name not in names:
            raise UsageError(f"it has no column '{name}'", hint=f"it has: {', '.join(names)}")
    return list(dict.fromkeys(wanted)) or list(names)


def json_object(metadata: Mapping[str, str], name: str) -> dict[str, Any] | None:
    """The JSON object under a name, None where there is none; DataError for anything else."""
    if name not in metadata:
        return None
    try:
        return strict_object(metadata[name])
    except (ValueError, RecursionError) as error:
        raise DataError(f"its {name} is no JSON object: {error}") from error


def strict_object(text: str) -> dict[str, Any]:
    """A JSON object that can be written again as it is; ValueError or RecursionError if not."""
    found = json.loads(text)
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    if not isinstance(found, dict):
        raise ValueError(f"{type(found).__name__} is none")  # noqa: TRY004 - as json raises
    return found
