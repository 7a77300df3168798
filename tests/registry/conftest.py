"""Installs plugins for a test: real entry points in a temporary folder on sys.path."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from zoo.registry import Registry

PLUGINS = Path(__file__).parents[1] / "fixtures" / "plugins"


@pytest.fixture
def install(monkeypatch, tmp_path):
    """`install(name="module:attribute")` installs plugins, each in a distribution of its own."""
    site = tmp_path / "site"
    site.mkdir()
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(PLUGINS))
    monkeypatch.syspath_prepend(str(site))

    def install(*, dist="", group="zoo", version="1.2", **plugins):
        for name, target in plugins.items():
            folder = site / f"{dist or f'dist_{name}'}-{version}.dist-info"
            folder.mkdir(exist_ok=True)
            (folder / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {dist or f'dist_{name}'}\nVersion: {version}\n"
            )
            with (folder / "entry_points.txt").open("a") as file:
                file.write(f"[{group}]\n{name} = {target}\n")
        importlib.invalidate_caches()
        return site

    yield install
    for name in set(sys.modules) - before:
        if name.startswith("zoo_"):
            del sys.modules[name]


@pytest.fixture
def warnings():
    """The lines that the registries of this test gave."""
    return []


@pytest.fixture
def registry(warnings):
    """`registry()` loads what is installed; nothing is disabled by the environment."""

    def registry(**options):
        return Registry(warnings.append, **{"disabled": frozenset(), **options})

    return registry
