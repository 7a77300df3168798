"""What reaches a backbone is described as the contract prepares it, computed or cached."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.features.inputs import SAMPLES, see, spec_of
from zoo.plugin import Item
from zoo.preprocess import AudioSpec, ImageSpec

SPEC = ImageSpec((4, 4), (4, 4), crop=False, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5))


def pictures(count, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Item(f"p{i}", pixels)
        for i, pixels in enumerate(rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8))
    ]


def test_statistics_are_those_of_the_prepared_arrays():
    items = pictures(7)
    got = see(items, "image", SPEC.as_dict()).summary()
    levels = np.stack([item.value for item in items]).astype(np.float64).reshape(-1, 3)
    values = (levels / 255 - SPEC.mean) / SPEC.std
    for name, want in {
        "mean": values.mean(0),
        "std": values.std(0),
        "min": values.min(0),
        "max": values.max(0),
    }.items():
        np.testing.assert_allclose(got[name], want, rtol=1e-5)
    np.testing.assert_allclose(got["quantiles"]["0.5"], np.quantile(values, 0.5, axis=0), rtol=1e-5)
    assert got["samples"] == 7


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_channels_are_found_in_either_layout_and_order(layout):
    blue = [Item("b", np.full((3, 3, 3), (10, 20, 250), np.uint8))]
    spec = ImageSpec((3, 3), None, crop=False, layout=layout, color="bgr", scale=1.0)
    got = see(blue, "image", spec.as_dict()).summary()
    assert got["mean"] == [250.0, 20.0, 10.0]
    assert got["warmth"] == [-240.0] * 3


def test_a_plugins_own_preprocessing_is_described_by_grey_levels():
    assert spec_of({"input": "image", "own": 1}) is None
    got = see(pictures(3), "image", {}).summary()
    assert 0 <= got["min"][0] < got["max"][0] <= 255


def test_a_few_samples_stand_for_many_and_bad_ones_are_left_out():
    seen = see(pictures(SAMPLES * 3), "image", SPEC.as_dict())
    assert (len(seen.items), seen.items[0], seen.items[-1]) == (
        SAMPLES,
        "p0",
        f"p{SAMPLES * 3 - 1}",
    )
    bad = Item("bad", np.zeros((2, 2, 7), np.uint8))
    assert see([bad, *pictures(2)], "image", SPEC.as_dict()).items == ["p0", "p1"]
    assert see([bad], "image", SPEC.as_dict()).summary() == {}
    assert see([Item("t", "words")], "text", {}).summary() == {}


def test_a_recordings_spectrum_is_where_its_tone_is():
    rate = 16000
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32) / 2
    got = see([Item("t", tone)], "audio", AudioSpec(rate).as_dict()).summary()
    top = int(np.argmax(got["spectrum"]))
    low, high = (rate / 2 * 2.0 ** ((top + k - 48) / 8) for k in (0, 1))
    assert low * 0.97 <= 1000 <= high * 1.03
    assert got["peak"] == pytest.approx(0.5, abs=1e-3)
    assert got["decibels"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)


def test_the_shortest_recording_has_a_spectrum():
    got = see([Item("t", np.ones(1, np.float32))], "audio", AudioSpec(8000).as_dict()).summary()
    assert np.isfinite(got["spectrum"]).all()
