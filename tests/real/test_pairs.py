"""Every pair of real model and data, through the command line: the accuracies of pairs.csv hold."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

sys.path.insert(0, str(Path(__file__).parent))
import pairs  # noqa: E402
from pair_assets import DOMAINS, GIVEN, MODELS, Assets  # noqa: E402

PAIRS = pairs.read()


@pytest.fixture(scope="module")
def bench(asset, minilm, tmp_path_factory, installed):
    def plugin():
        if importlib.util.find_spec("sentence_transformers") is None:
            pytest.skip("sentence_transformers is not installed")
        site = installed("zoo-sentence-transformers")
        return {"PYTHONPATH": os.pathsep.join((str(site), os.environ["PYTHONPATH"]))}

    return pairs.Bench(Assets(asset, lambda: minilm, tmp_path_factory.mktemp("pairs")), plugin)


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{pair.model}-{pair.data}" for pair in PAIRS])
def test_a_pair_has_its_accuracy(bench, pair):
    found = bench.measure(pair)
    assert found.rows == pair.rows
    # Other processors and versions round features otherwise: three rows, or half a point.
    near = max(3 / pair.rows, 0.005)
    assert found.zoo == pytest.approx(pair.zoo, abs=near)
    assert found.recipe == (None if pair.figure is None else pytest.approx(pair.recipe, abs=near))


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{pair.model}-{pair.data}" for pair in PAIRS])
def test_a_gap_is_explained_and_nothing_else_is(pair):
    assert bool(pair.why) == (pair.gap > pairs.GAP + 1e-9)


def test_every_model_and_data_set_takes_part():
    models, data = {pair.model for pair in PAIRS}, {pair.data for pair in PAIRS}
    assert models == set(MODELS)
    assert data - {"fsdd-speakers"} == set(GIVEN) | {name for name in data if "->" in name}
    assert {part for name in data if "->" in name for part in name.split("->")} == set(DOMAINS)


def test_every_asset_takes_part(asset):
    folders = {path.name for path in asset("README.md").parent.iterdir() if path.is_dir()}
    used = set(MODELS.values()) | {path.partition("/")[0] for path, *_ in GIVEN.values()}
    assert folders - used == {
        "text-stsb",  # scores of two texts together: no target of zoo's yet
        "ner-wnut17",  # labels of tokens: no target of zoo's yet
    }
