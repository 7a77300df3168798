"""Pooling counts what the mask counts, and refuses to guess."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.backbones.pooling import POOLINGS, pool, positions, width
from zoo.errors import SourceError


def run(values, mask=None, *, pooling="mean", layout="channels_first"):
    return pool(values, mask, pooling=pooling, layout=layout, tap="t")


def test_masked_mean_equals_the_mean_over_each_rows_own_tokens():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((3, 5, 4)).astype(np.float32)
    lengths = [1, 3, 5]
    mask = np.arange(5)[None] < np.array(lengths)[:, None]
    want = np.stack(
        [v[:n].astype(np.float64).mean(0) for v, n in zip(values, lengths, strict=True)]
    )
    np.testing.assert_allclose(run(values, mask), want.astype(np.float32), rtol=1e-6)


def test_padding_on_the_left_is_found_by_the_mask():
    values = np.arange(8, dtype=np.float32).reshape(1, 4, 2)
    mask = np.array([[False, True, True, False]])
    assert run(values, mask, pooling="cls").tolist() == [[2.0, 3.0]]
    assert run(values, mask, pooling="last").tolist() == [[4.0, 5.0]]


def test_spatial_maps_are_averaged_in_either_layout():
    values = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    want = values.mean(axis=(2, 3))
    np.testing.assert_allclose(run(values), want, rtol=1e-5)
    last = run(values.transpose(0, 2, 3, 1), layout="channels_last")
    np.testing.assert_allclose(last, want, rtol=1e-5)


def test_one_position_needs_no_pooling():
    values = np.ones((2, 3, 1, 1), np.float32)
    assert run(values, pooling="none").shape == (2, 3)
    assert run(np.ones((2, 3)), pooling="none").dtype == np.float32


def test_several_positions_without_pooling_are_refused_with_a_hint():
    with pytest.raises(SourceError, match="5 positions") as caught:
        run(np.ones((2, 5, 3)), pooling="none")
    assert "mean" in caught.value.hint


def test_a_mask_that_does_not_fit_is_refused():
    with pytest.raises(SourceError, match="mask"):
        run(np.ones((2, 5, 3)), np.ones((2, 4), bool))


@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("shape", [(4,), (5, 4), (1, 4), (4, 2, 3), (2, 3, 4), (4, 1, 1)])
def test_width_foretells_what_pooling_gives(shape, pooling, layout):
    try:
        want = run(np.zeros((2, *shape)), pooling=pooling, layout=layout).shape[1]
    except SourceError:
        want = None
    assert width(shape, pooling=pooling, layout=layout) == want


def test_an_axis_that_nobody_knows_has_no_width():
    assert width((), pooling="none", layout="channels_last") is None
    assert width((-1, 4), pooling="mean", layout="channels_last") == 4
    assert width((4, -1), pooling="mean", layout="channels_last") is None


@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_positions_of_maps_are_read_row_by_row(layout):
    maps = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    last = np.moveaxis(maps, 1, -1) if layout == "channels_first" else maps
    vectors, offsets = positions(maps, None, layout=layout, tap="t")
    np.testing.assert_array_equal(vectors, last.reshape(-1, last.shape[-1]))
    np.testing.assert_array_equal(offsets, [0, len(vectors) // 2, len(vectors)])


def test_positions_that_do_not_count_are_left_out():
    values = np.arange(2 * 3 * 2, dtype=np.float16).reshape(2, 3, 2)
    mask = np.array([[True, False, True], [False, True, False]])
    vectors, offsets = positions(values, mask, layout="channels_first", tap="t")
    np.testing.assert_array_equal(vectors, [values[0, 0], values[0, 2], values[1, 1]])
    assert vectors.dtype == np.float32
    assert offsets.tolist() == [0, 2, 3]
    with pytest.raises(SourceError, match="does not fit"):
        positions(values, mask[:, :2], layout="channels_first", tap="t")


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 1, 1)])
def test_one_vector_a_sample_has_no_positions(shape):
    with pytest.raises(SourceError, match="one vector a sample"):
        positions(np.ones(shape, np.float32), None, layout="channels_first", tap="t")
