"""``zoo doctor`` names what is amiss and what to do, and never shows a secret."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path

import pytest

from zoo.cli import doctor_checks

ROOT = Path(__file__).parents[2]


def test_a_sound_installation_is_described(zoo, tmp_path):
    got = zoo("doctor", "--json").json
    assert got["core"]["version"]
    assert got["core"]["isa"]
    assert got["versions"]["torch"] == got["torch"]["version"]
    assert (got["writable"], got["hub"]["offline"]) == (True, True)
    assert got["free_bytes"] > 0
    shown = zoo("doctor").out
    assert "home" in shown
    assert "offline" in shown


def test_a_token_is_told_and_never_shown(zoo, tmp_path):
    env = {"HF_TOKEN": "hf_secretsecretsecret", "HF_HUB_OFFLINE": "0"}
    done = zoo("doctor", "--json", env=env)
    assert done.json["hub"]["token"] is True
    assert done.json["hub"]["offline"] is False
    assert "secret" not in done.out + done.err + zoo("doctor", env=env).out
    bare = zoo("doctor", "--json", env={"HF_TOKEN": "", "HF_HOME": str(tmp_path)})
    assert bare.json["hub"]["token"] is False


def test_a_home_that_cannot_be_written_has_a_remedy(zoo, tmp_path):
    (tmp_path / "file").write_text("")
    got = zoo("doctor", "--json", env={"ZOO_HOME": str(tmp_path / "file" / "x")}).json
    assert got["writable"] is False
    assert any("ZOO_HOME" in finding["do"] for finding in got["findings"])
    assert any("cannot be written" in problem for problem in got["problems"])


def test_looking_changes_nothing(zoo, tmp_path):
    home = tmp_path / "home"
    assert zoo("doctor", env={"ZOO_HOME": str(home)}).code == 0
    assert not home.exists()


def test_a_torchvision_that_does_not_import_beside_torch_is_named(zoo, tmp_path):
    (tmp_path / "site" / "torchvision").mkdir(parents=True)
    (tmp_path / "site" / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')\n"
    )
    paths = [str(tmp_path / "site"), os.environ["PYTHONPATH"]]
    done = zoo("doctor", env={"PYTHONPATH": os.pathsep.join(paths)})
    assert "nms does not exist" in done.out
    assert "pip uninstall torchvision" in done.out


def test_a_broken_plugin_is_named_with_a_remedy(zoo, tmp_path):
    site = tmp_path / "site"
    info = site / "zoo_broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo-broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[zoo]\nbroken = zoo_no_such_module\n")
    paths = [str(site), os.environ["PYTHONPATH"]]
    got = zoo("doctor", "--json", env={"PYTHONPATH": os.pathsep.join(paths)}).json
    (finding,) = [f for f in got["findings"] if "plugin 'broken'" in f["problem"]]
    assert "ZOO_DISABLE_PLUGINS=broken" in finding["do"]


def found(**changes):
    sound = {
        "home": "home",
        "writable": True,
        "free_bytes": 10**12,
        "versions": {"torch": "2.13.0+cpu", "onnxruntime": "1.31"},
        "torch": {"version": "2.13.0+cpu", "cuda": None, "cuda_devices": 0},
    }
    return {**sound, **changes}


@pytest.mark.parametrize(
    ("versions", "named"),
    [
        ({"torch": "2.9.1+cpu"}, "torch 2.9.1"),
        ({"transformers": "5.4.9"}, "transformers 5.4.9"),
        ({"onnxruntime": "1", "onnxruntime-gpu": "1"}, "own the same module"),
        ({"torch": "2.10.0", "transformers": "5.5.0", "onnx": "1.21.0"}, None),
    ],
)
def test_versions_with_known_faults_are_named(versions, named):
    told = [problem for problem, _ in doctor_checks._amiss_versions(found(versions=versions))]
    assert (told == []) if named is None else (named in told[0])


def test_a_full_disk_is_named_with_a_remedy():
    (told,) = doctor_checks._amiss_home(found(free_bytes=10**6))
    assert "1 MB left" in told[0]
    assert "prune" in told[1]


def test_a_driver_that_torch_cannot_use_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert list(doctor_checks._amiss_devices(found())) == []
    (tmp_path / "version").write_text("")
    monkeypatch.setattr(doctor_checks, "_DRIVER", tmp_path / "version")
    (told,) = doctor_checks._amiss_devices(found())
    assert "built for the CPU" in told[0]
    blind = {"version": "2.13.0", "cuda": "13.0", "cuda_devices": 0}
    (told,) = doctor_checks._amiss_devices(found(torch=blind))
    assert "sees no device" in told[0]
    assert list(doctor_checks._amiss_devices(found(torch={**blind, "cuda_devices": 1}))) == []


def test_the_safe_versions_are_those_that_the_package_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["onnx"]]
    floors = dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", line).groups() for line in asked)
    for name, least in doctor_checks.SAFE_FROM.items():
        assert tuple(map(int, floors[name].split("."))) == least, json.dumps(floors)
