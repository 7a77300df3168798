"""Real checkpoints: a sample's features do not depend on its batch."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.backbones.pooling import pool
from zoo.plugin import LoadOptions, Source
from zoo.providers.hf import HuggingFaceProvider

pytestmark = pytest.mark.real
INVARIANCE = 1e-5  # of a row's length: matrix products of other shapes sum in other orders


def rows(backbone, samples):
    contract = backbone.contract
    batch = backbone.collate([backbone.prepare(sample) for sample in samples])
    values, mask = backbone.forward(batch)[contract.tap].numpy()
    return pool(values, mask, pooling=contract.pooling, layout=contract.layout, tap=contract.tap)


def assert_invariant(folder, samples):
    backbone = HuggingFaceProvider().load(Source.parse(f"hf:{folder}"), LoadOptions())
    together = rows(backbone, samples).astype(np.float64)
    alone = np.concatenate([rows(backbone, [sample]) for sample in samples])
    apart = np.linalg.norm(alone - together, axis=1) / np.linalg.norm(together, axis=1)
    assert apart.max() < INVARIANCE


@pytest.mark.parametrize(
    "name", ["model-hf-mobilenet-v1-0.25-128", "model-hf-mobilenet-v2-1.0-224"]
)
def test_photos_of_all_sizes(asset, name):
    from PIL import Image

    files = sorted(asset("img-hymenoptera").rglob("*.jpg"))[::20]
    assert_invariant(asset(name), [Image.open(file).convert("RGB") for file in files])


@pytest.mark.parametrize("which", ["minilm", "random"])
def test_texts_of_all_lengths(asset, request, which):
    folder = (
        request.getfixturevalue("minilm")
        if which == "minilm"
        else asset("model-hf-random-tiny-bert")
    )
    words = "a film so good that nobody of those who saw it could say why".split()
    texts = [" ".join(words[:n] * 3) for n in range(1, len(words), 2)]
    assert_invariant(folder, [*texts, "", "été 😀"])
