"""Recordings are resampled, padded and scaled as stated, and never beyond what memory may hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import DataError, SourceError
from zoo.preprocess import AudioSpec, Waveform
from zoo.preprocess.audio import MAX_SAMPLES


def spec(**changes):
    return AudioSpec.from_stated({"rate": 16000, **changes}, "test")


def tone(rate, seconds=1, hertz=440.0):
    return Waveform(np.sin(2 * np.pi * hertz * np.arange(rate * seconds) / rate).astype("f4"), rate)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000, 192000])
def test_any_rate_becomes_the_backbones(rate):
    got = spec().apply(tone(rate))
    assert len(got) == 16000
    inner = slice(400, -400)  # filters ring at the ends
    np.testing.assert_allclose(got[inner], tone(16000).samples[inner], atol=2e-3)


def test_resampling_is_soxrs_and_the_own_rate_is_left_alone():
    import soxr

    wave = tone(8000)
    assert np.array_equal(spec().apply(wave), soxr.resample(wave.samples, 8000, 16000))
    assert np.array_equal(spec(rate=8000).apply(wave), wave.samples)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 50), least=st.integers(0, 50), pad=st.sampled_from(["center", "end"]))
def test_short_ones_are_padded_with_zeros_where_stated(n, least, pad):
    wave = Waveform(np.ones(n, np.float32), 16000)
    got = spec(min_samples=least, pad=pad, scale=3.0).apply(wave)
    assert len(got) == max(n, least)
    before = (len(got) - n) // 2 if pad == "center" else 0
    assert np.array_equal(np.flatnonzero(got), np.arange(before, before + n))
    assert set(got[got != 0]) == {3.0}


def test_scale_and_dtype_are_as_stated():
    wave = Waveform(np.array([0.5, -1.0], np.float32), 16000)
    assert spec(scale=32768.0).apply(wave).tolist() == [16384.0, -32768.0]
    assert spec(dtype="float16").apply(wave).dtype == np.float16


def test_what_is_not_stated_or_cannot_be_is_named():
    with pytest.raises(SourceError, match="not stated: rate") as caught:
        AudioSpec.from_stated({"input": "audio"}, "model.onnx")
    assert "preprocess.toml" in caught.value.hint
    with pytest.raises(SourceError, match="uint8"):
        spec(dtype="uint8")
    with pytest.raises(SourceError, match="min_samples"):
        spec(min_samples=MAX_SAMPLES + 1)


def test_resampling_that_would_explode_is_refused():
    with pytest.raises(DataError, match="more than"):
        spec(rate=768_000).apply(Waveform(np.zeros(100_000, np.float32), 1000))


def test_the_dictionary_of_a_spec_tells_every_difference():
    changes = [{"rate": 8000}, {"scale": 2.0}, {"min_samples": 9}, {"pad": "end"}]
    told = [spec(**change).as_dict() for change in ({}, *changes, {"dtype": "float16"})]
    assert all(a != b for i, a in enumerate(told) for b in told[:i])
