"""What the packages under plugins/ import of zoo is public: a folder lists it, or it is the API."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
MODULES = {"zoo.errors", "zoo.settings"}  # single files, public as they are
FILES = sorted(PLUGINS.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_plugins_import_public_names_alone(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("zoo.") for alias in node.names)
        if not isinstance(node, ast.ImportFrom) or (node.module or "").partition(".")[0] != "zoo":
            continue
        assert node.level == 0
        for alias in node.names:
            if node.module in MODULES or f"{node.module}.{alias.name}" in MODULES:
                continue
            assert alias.name in importlib.import_module(node.module).__all__, alias.name
