"""Plugins as strangers have them: built as wheels, installed into an empty folder, found there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"


def pip(*words):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The folder into which a plugin's wheel is installed, by the plugin's name."""
    sites = {}

    def install(name):
        if name not in sites:
            wheels = tmp_path_factory.mktemp("wheels")
            offline = ("--no-index", "--no-deps")
            folder = str(PLUGINS / name)
            pip("wheel", *offline, "--no-build-isolation", "--wheel-dir", str(wheels), folder)
            (wheel,) = wheels.glob("*.whl")
            sites[name] = tmp_path_factory.mktemp("site")
            pip("install", *offline, "--target", str(sites[name]), str(wheel))
        return sites[name]

    return install


@pytest.fixture
def registry_of(installed, monkeypatch):
    """A registry that finds a plugin by its entry point, by the plugin's name."""
    from zoo.registry import Registry

    warnings = []

    def make(name):
        monkeypatch.syspath_prepend(str(installed(name)))
        return Registry(warnings.append, disabled=frozenset())

    yield make
    assert warnings == []


@pytest.fixture
def environment_of(installed):
    """What a process needs to find a plugin, by the plugin's name."""

    def make(name):
        paths = [str(installed(name)), os.environ.get("PYTHONPATH", "")]
        return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}

    return make
