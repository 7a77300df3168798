"""What the room's README promises, for the tests that hold it to that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "zoo" / "preprocess" / "README.md"


@pytest.fixture
def lines_of_readme() -> Callable[[str], list[str]]:
    """First cells of the table under a heading."""

    def lines(heading: str) -> list[str]:
        part = README.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
        rows = [line for line in part.splitlines() if line.startswith("|")][2:]
        return [row.split("|")[1].strip() for row in rows]

    return lines
