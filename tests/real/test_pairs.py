"""Pairs of real models and data, through the command line: the accuracies of pairs.csv hold.

Every model and every data set meets one other here; ``ZOO_TEST_LONG=1`` runs all 106 pairs.
"""

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
SHORT = """
    torchhub-resnet20-cartoon torchhub-resnet32-mnist onnx-resnet8-hymenoptera
    onnx-resnet8-flowers5 onnx-resnet8-cifar10 onnx-resnet8-usps onnx-resnet8-photo
    onnx-mobilenet-v1-cartoon->photo onnx-mobilenet-v1-mnist->usps onnx-mobilenet-v1-usps->mnist
    onnx-mobilenet-v2-photo->cartoon onnx-mobilenet-v2-int8-hymenoptera
    onnx-squeezenet-fp16-photo->cartoon hf-mobilenet-v1-photo hf-mobilenet-v2-hymenoptera
    st-minilm-books->kitchen st-minilm-kitchen->books st-static-books st-static-kitchen
    st-glove-sms-spam hf-random-bert-trec6 hf-minilm-trec50 st-glove-sst2 onnx-speech-fsdd
    onnx-speech-fsdd-speakers
""".split()
NAMED = {f"{pair.model}-{pair.data}": pair for pair in PAIRS}
MEASURED = NAMED if os.environ.get("ZOO_TEST_LONG") else {name: NAMED[name] for name in SHORT}


@pytest.fixture(scope="module")
def bench(asset, minilm, tmp_path_factory, installed, commands):
    def plugin():
        if importlib.util.find_spec("sentence_transformers") is None:
            pytest.skip("sentence_transformers is not installed")
        site = installed("zoo-sentence-transformers")
        return {"PYTHONPATH": os.pathsep.join((str(site), os.environ["PYTHONPATH"]))}

    def run(words, folder, environment):
        return commands.run(words, folder, environment, timeout=1800).json

    assets = Assets(asset, lambda: minilm, tmp_path_factory.mktemp("pairs"))
    return pairs.Bench(assets, plugin, run)


@pytest.mark.parametrize("pair", MEASURED.values(), ids=MEASURED)
def test_a_pair_has_its_accuracy(bench, pair):
    found = bench.measure(pair)
    assert found.rows == pair.rows
    # Other processors and versions round features otherwise: three rows, or half a point.
    near = max(3 / pair.rows, 0.005)
    assert found.zoo == pytest.approx(pair.zoo, abs=near)
    assert found.recipe == (None if pair.figure is None else pytest.approx(pair.recipe, abs=near))


@pytest.mark.parametrize("pair", PAIRS, ids=NAMED)
def test_a_gap_is_explained_and_nothing_else_is(pair):
    assert bool(pair.why) == (pair.gap > pairs.GAP + 1e-9)


def test_every_model_and_data_set_takes_part():
    models, data = ({getattr(pair, part) for pair in PAIRS} for part in ("model", "data"))
    some = [NAMED[name] for name in SHORT]
    assert {pair.model for pair in some} == models
    assert {pair.data for pair in some} == data
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
