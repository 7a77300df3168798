"""Features of zoo, and of a model's own library, for small models whose weights are random."""

from __future__ import annotations

import numpy as np
import pytest

TOLERANCE = 1e-4  # of a row's length: both sides compute in float32, in other orders
# Between a sample alone and in a batch: matrix products of other shapes sum in other orders.
INVARIANCE = 1e-5


@pytest.fixture(scope="session")
def saved():
    """Writes a model and what prepares its samples to a folder."""

    def save(folder, model, *parts, seen=None, **options):
        """Batch norms get the statistics of `seen`: they keep samples apart, in whatever depth."""
        import torch

        with torch.no_grad():  # layers that begin as identities would hide what is mixed up
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
            if seen is not None:
                for layer in model.modules():
                    if isinstance(layer, torch.nn.BatchNorm2d):
                        layer.momentum = 1.0
                model.train()(seen)
        model.eval()
        model.save_pretrained(folder, **options)
        for part in parts:
            part.save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def backbone_of():
    """Loads the backbone of a folder through the provider."""
    from zoo.plugin import LoadOptions, Source
    from zoo.providers.hf import HuggingFaceProvider

    def load(folder, tap="", **options):
        source = Source.parse(f"hf:{folder}{tap}")
        return HuggingFaceProvider().load(source, LoadOptions(**options))

    return load


@pytest.fixture(scope="session")
def rows_of():
    """The rows that a backbone gives for samples, in one batch."""
    from zoo.backbones.pooling import pool

    def rows(backbone, samples):
        contract = backbone.contract
        batch = backbone.collate([backbone.prepare(sample) for sample in samples])
        values, mask = backbone.forward(batch)[contract.tap].numpy()
        return pool(
            values, mask, pooling=contract.pooling, layout=contract.layout, tap=contract.tap
        )

    return rows


@pytest.fixture(scope="session")
def assert_golden(rows_of):
    """A backbone's rows are the reference's, in one batch and one by one."""

    def check(backbone, samples, want):
        want = np.asarray(want)
        together = rows_of(backbone, samples)
        alone = np.concatenate([rows_of(backbone, [sample]) for sample in samples])
        assert together.shape == want.shape
        assert apart(together, want) < TOLERANCE
        assert apart(alone, together) < INVARIANCE
        # Samples differ by far more than the tolerance, so that equality says something.
        assert apart(want[1:], want[:-1]) > 100 * TOLERANCE

    return check


def apart(rows, others):
    """The greatest distance of a row from its other, over that one's length."""
    rows, others = np.asarray(rows, np.float64), np.asarray(others, np.float64)
    return (np.linalg.norm(rows - others, axis=1) / np.linalg.norm(others, axis=1)).max()
