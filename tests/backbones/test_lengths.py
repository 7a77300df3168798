"""Recordings of any lengths come out as if each had been alone, in their own order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.backbones.lengths import by_length
from zoo.backbones.pooling import pool

LENGTHS = st.lists(st.integers(4, 9), min_size=1, max_size=12)


def arrays(lengths):
    rng = np.random.default_rng(len(lengths))
    return [rng.normal(size=n).astype(np.float32) for n in lengths]


def frames(batch):
    """(k, n) to (k, n // 2, 3), as a tap."""
    pairs = batch[:, : batch.shape[1] // 2 * 2].reshape(len(batch), -1, 2)
    return {"t": np.concatenate([pairs, pairs.sum(axis=2, keepdims=True)], axis=2)}


@given(lengths=LENGTHS, pooling=st.sampled_from(["mean", "cls", "last"]))
def test_outputs_of_several_positions_pool_as_if_alone(lengths, pooling):
    batch = arrays(lengths)

    def pooled(part):
        values, mask = by_length(part, frames)["t"].numpy()
        return pool(values, mask, pooling=pooling, layout="channels_last", tap="t")

    alone = np.concatenate([pooled([one]) for one in batch])
    np.testing.assert_allclose(pooled(batch), alone, rtol=1e-6)


@given(lengths=LENGTHS, most=st.none() | st.integers(1, 3))
def test_rows_keep_their_order_and_no_pass_is_greater_than_allowed(lengths, most):
    sizes = []

    def run(batch):
        sizes.append(len(batch))
        return {"t": np.stack([batch.sum(axis=1), batch[:, 0]], axis=1)}

    batch = arrays(lengths)
    got = by_length(batch, run, most=most)["t"]
    assert got.mask is None
    np.testing.assert_allclose(got.values, [[x.sum(), x[0]] for x in batch], rtol=1e-5)
    assert sum(sizes) == len(batch)
    assert max(sizes) <= (most or len(batch))


def test_equal_lengths_need_no_mask():
    assert by_length(arrays([6, 6]), frames)["t"].mask is None
    with pytest.raises(ValueError, match="zip"):
        by_length(arrays([6, 6]), lambda batch: {"t": frames(batch)["t"][:1]})


def test_every_tap_has_its_own_mask():
    def run(batch):
        return {**frames(batch), "row": batch[:, :2]}

    got = by_length(arrays([6, 9, 6]), run)
    assert got["row"].mask is None
    np.testing.assert_array_equal(got["t"].mask.sum(axis=1), [3, 4, 3])
