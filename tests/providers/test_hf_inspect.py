"""What is told of a Hugging Face model without its weights is what loading it shows."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from zoo.backbones.pooling import pool
from zoo.plugin import LoadOptions, Source
from zoo.providers.hf import HuggingFaceProvider

PROVIDER = HuggingFaceProvider()


def inspected(text):
    return PROVIDER.inspect(Source.parse(text), LoadOptions())


def features(text, sample):
    backbone = PROVIDER.load(Source.parse(text), LoadOptions())
    contract = backbone.contract
    outputs = backbone.forward(backbone.collate([backbone.prepare(sample)]))
    values, mask = outputs[contract.tap].numpy()
    rows = pool(values, mask, pooling=contract.pooling, layout=contract.layout, tap=contract.tap)
    return values.shape[1:], rows.shape[1], backbone.parameters


def test_every_tap_of_an_image_model_can_be_taken_and_has_the_shape_told(tiny_vit):
    from PIL import Image

    image = Image.fromarray(np.zeros((40, 50, 3), np.uint8))
    taps = inspected(f"hf:{tiny_vit}").taps
    assert len(taps) > 20
    for tap, shape in taps.items():
        source = f"hf:{tiny_vit}#{tap}/mean"
        told = inspected(source)
        assert told.taps == taps
        assert features(source, image) == (shape, told.dim, told.parameters), tap


def test_the_free_axis_of_a_text_model_is_its_tokens(tiny_bert):
    told = inspected(f"hf:{tiny_bert}")
    assert told.taps["last_hidden_state"] == (-1, 16)
    assert told.taps["pooler_output"] == (16,)
    shape, dim, parameters = features(f"hf:{tiny_bert}", "the film was good")
    assert (shape, dim, parameters) == ((6, 16), told.dim, told.parameters)


def test_no_weights_are_read_for_it(tiny_vit, tmp_path):
    folder = shutil.copytree(tiny_vit, tmp_path / "vit")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])  # loading would fail
    assert inspected(f"hf:{folder}").dim == 16


def test_several_positions_without_a_pooling_have_no_width(tiny_vit):
    assert inspected(f"hf:{tiny_vit}#encoder/none").dim is None


@pytest.mark.parametrize(
    ("card", "config", "file", "told"),
    [
        ("---\nlicense: mit\n---\n", {"license": "apache-2.0"}, "LICENSE", "mit"),
        ("---\nlicense: [mit, gpl]\n---\n", {}, "", "mit, gpl"),
        ("# no metadata", {"license": "apache-2.0"}, "LICENSE", "apache-2.0"),
        ("---\n: [broken\n---\n", {}, "LICENSE", "see LICENSE"),
        ("", {}, "LICENCE.txt", "see LICENCE.txt"),
        ("", {}, "", ""),
    ],
)
def test_the_licence_is_the_cards_the_configs_or_a_files(
    tiny_vit, tmp_path, card, config, file, told
):
    folder = shutil.copytree(tiny_vit, tmp_path / "vit")
    stated = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**stated, **config}))
    if card:
        (folder / "README.md").write_text(card)
    if file:
        (folder / file).write_text("terms")
    assert inspected(f"hf:{folder}").licence == told


def test_a_module_that_looks_at_values_has_parameters_and_no_shapes():
    import torch

    from zoo.backbones.torch_shapes import trace

    class Looks(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum().item() > 0 else x

    parameters, shapes = trace(lambda: Looks(3, 2), {"x": ((1, 3), "float32")})
    assert (parameters, shapes) == (8, {})
