"""Real data, found through ZOO_TEST_ASSETS; what is absent is skipped by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

DEFAULT = Path(__file__).parents[2].parent / "shared" / "assets"


@pytest.fixture(scope="session")
def asset() -> Callable[[str], Path]:
    """The folder of a named asset."""
    root = Path(os.environ.get("ZOO_TEST_ASSETS") or DEFAULT)

    def find(name: str) -> Path:
        if not (root / name).exists():
            pytest.skip(f"asset {name} is not here")
        return root / name

    return find
