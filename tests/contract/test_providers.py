"""Every built-in provider keeps the contract that plugins are held to."""

from __future__ import annotations

import shutil

import pytest

import zoo.builtins
from zoo.plugin import LoadOptions
from zoo.testing import provider_checks

ENTRIES = {entry.name: entry for entry in zoo.builtins.zoo_register_providers()}
STATED = {"size": 8, "resize": "exact", "mean": [0.0], "std": [1.0]}
HUBCONF = """
dependencies = ["torch"]

def net(pretrained=False):
    import torch

    torch.manual_seed(0)
    parts = torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.AdaptiveAvgPool2d(1)
    return torch.nn.Sequential(*parts, torch.nn.Flatten(1), torch.nn.Linear(4, 2))
"""
PREPROCESS = 'size = 8\nresize = "exact"\nmean = [0.5]\nstd = [0.5]\n'
# A case is a model of a provider; a new provider brings one.
CASES = {
    "builtin": "builtin:formulanet",
    "builtin random": "builtin:tinyconv",
    "hf images": "hf:./vit",
    "hf images inside": "hf:./vit#layers.0/mean",
    "hf texts": "hf:./bert",
    "torchhub": "torchhub:./repository/net",
    "onnx": "onnx:./model.onnx",
    "onnx inside": "onnx:./model.onnx#maps/mean",
}


def checks(name, options=None):
    source = CASES[name]
    return provider_checks(ENTRIES[source.partition(":")[0]], source, options=options)


@pytest.fixture
def models(tmp_path, monkeypatch, tiny_vit, tiny_bert, make_onnx):
    """The models of the cases in the working folder."""
    shutil.copytree(tiny_vit, tmp_path / "vit")
    shutil.copytree(tiny_bert, tmp_path / "bert")
    make_onnx()
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "hubconf.py").write_text(HUBCONF)
    (tmp_path / "repository" / "preprocess.toml").write_text(PREPROCESS)
    monkeypatch.chdir(tmp_path)


def test_every_provider_has_a_case():
    assert {source.partition(":")[0] for source in CASES.values()} == set(ENTRIES)


@pytest.mark.parametrize("name", CASES)
def test_a_built_in_provider_keeps_the_contract(models, name):
    stated = STATED if name.startswith("onnx") else {}
    options = LoadOptions(device="cpu", offline=True, preprocess=stated, trust_repo=True)
    for check in checks(name, options):
        check()
