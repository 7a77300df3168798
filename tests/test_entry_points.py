"""What is installed is found without importing it, and without pluggy."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from zoo.entry_points import distribution, installed, plugin_commands, release


@pytest.fixture
def site(monkeypatch, tmp_path):
    """Installs distributions: name -> text of entry_points.txt."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def site(metadata=True, **dists):  # noqa: FBT002 - reads best so
        for name, text in dists.items():
            folder = tmp_path / f"{name}-1.0.dist-info"
            folder.mkdir()
            (folder / "entry_points.txt").write_text(text)
            if metadata:
                (folder / "METADATA").write_text(
                    f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
                )
        importlib.invalidate_caches()

    return site


def test_entry_points_come_sorted_by_name_then_distribution(site):
    site(
        bbb="[zoo_test]\nsame = m2\nalpha = m\n",
        aaa="[zoo_test]\nzulu = m\nsame = m1\n[other]\nx = m\n",
    )
    found = [(e.name, distribution(e), e.value) for e in installed("zoo_test")]
    assert found == [
        ("alpha", "bbb", "m"),
        ("same", "aaa", "m1"),
        ("same", "bbb", "m2"),
        ("zulu", "aaa", "m"),
    ]


def test_a_malformed_distribution_hides_no_other(site):
    site(broken="[zoo_test]\nno equals sign\n", sound="[zoo_test]\nsound = m\n")
    assert "sound" in [e.name for e in installed("zoo_test")]


def test_a_distribution_without_metadata_has_no_name_and_no_version(site):
    site(metadata=False, bare="[zoo_test]\nbare = m\n")
    (found,) = installed("zoo_test")
    assert (found.name, distribution(found), release(found)) == ("bare", "", "")


def test_commands_come_sorted_and_unloaded(site):
    site(two="[zoo.commands]\nzap = nowhere:zap\nadd = nowhere:add\n")
    commands = plugin_commands(frozenset())
    assert list(commands) == ["add", "zap"]
    assert commands["zap"].value == "nowhere:zap"
    assert "nowhere" not in sys.modules


def test_of_two_commands_the_first_distribution_wins(site):
    site(bbb="[zoo.commands]\nzap = b:zap\n", aaa="[zoo.commands]\nzap = a:zap\n")
    assert plugin_commands(frozenset())["zap"].value == "a:zap"


@pytest.mark.parametrize("name", ["plug", "dist", "all", "zap"])
def test_a_command_goes_with_its_disabled_plugin(site, name):
    site(
        dist="[zoo]\nplug = m\n[zoo.commands]\nzap = m:zap\n",
        other="[zoo.commands]\nstay = m:stay\n",
    )
    left = plugin_commands(frozenset({name}))
    assert list(left) == ([] if name == "all" else ["stay"])


def test_it_loads_the_standard_library_alone():
    code = (
        "import sys; before = set(sys.modules); from zoo.entry_points import plugin_commands;"
        "plugin_commands(frozenset());"
        "print(sorted({m.partition('.')[0] for m in set(sys.modules) - before}"
        " - set(sys.stdlib_module_names)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "['zoo']\n"
