"""Recordings become one channel of finite samples, or one clear error that names the file."""

from __future__ import annotations

import io
import os
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.errors import DataError
from zoo.plugin import Item
from zoo.preprocess.audio import MAX_SAMPLES
from zoo.preprocess.decode import decode

TESTS_OF_LINES = {
    "stereo, 5.1": "test_channels_are_averaged",
    "8 to 64 bits": "test_every_depth_comes_out_between_minus_one_and_one",
    "any rate": "test_audio.py: test_any_rate_becomes_the_backbones",
    "another suffix": "test_the_content_decides_and_not_the_name",
    "a rate outside": "test_a_rate_that_no_recording_has_is_refused",
    "a header that promises more": "test_a_header_that_promises_more_than_there_is_is_refused",
    "truncated": "test_a_recording_that_is_cut_short_is_refused_by_name",
    "no samples, zero bytes": "test_no_samples_no_recording_and_no_file_are_refused_by_name",
    "not finite": "test_samples_that_are_not_finite_are_refused",
    "no stated length": "test_a_length_that_memory_may_not_hold_or_that_is_not_stated_is_refused",
    "above 67 million samples": "test_bombs.py: test_a_bomb_is_refused_with_small_memory",
    "too short for the model": "providers/test_hf_audio.py: test_a_recording_too_short",
}


def encoded(samples, rate=16000, **options):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **{"format": "WAV", **options})
    return file.getvalue()


def noise(frames=16000, channels=1, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, channels)).astype(np.float32)


@pytest.fixture
def read(tmp_path):
    def decoded(content, name="a.wav"):
        path = tmp_path / name
        path.write_bytes(content)
        return decode(Item(name, path), "audio")

    return decoded


# 16 bits are rounded to one step of 2**-15; the others lose what is hard to hear.
@pytest.mark.parametrize(
    ("form", "tolerance"), [("WAV", 2**-14), ("FLAC", 2**-14), ("OGG", 0.05), ("MP3", 0.05)]
)
def test_every_format_is_read(read, form, tolerance):
    sound = np.sin(np.arange(16000) * 0.05).astype(np.float32) * 0.5
    got = read(encoded(sound, format=form), f"a.{form.lower()}")
    assert (got.rate, got.samples.dtype, got.samples.shape) == (16000, np.float32, (16000,))
    middle = slice(2000, -2000)
    np.testing.assert_allclose(got.samples[middle], sound[middle], atol=tolerance)


def test_the_content_decides_and_not_the_name(read):
    assert len(read(encoded(noise(), format="FLAC"), "a.mp3").samples) == 16000


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
def test_channels_are_averaged(read, channels):
    sound = noise(300_000 // channels, channels)
    got = read(encoded(sound, subtype="FLOAT"))
    np.testing.assert_allclose(got.samples, sound.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_depth_comes_out_between_minus_one_and_one(read, subtype):
    got = read(encoded(noise(), subtype=subtype))
    np.testing.assert_allclose(got.samples, noise()[:, 0], atol=2**-7)


@pytest.mark.parametrize("rate", [8000, 44100, 192000])
def test_the_rate_is_the_files(read, rate):
    assert read(encoded(noise(100), rate)).rate == rate


@pytest.mark.parametrize("rate", [1, 999, 800_000])
def test_a_rate_that_no_recording_has_is_refused(read, rate):
    content = bytearray(encoded(noise(100)))
    content[24:28] = struct.pack("<I", rate)
    with pytest.raises(DataError, match=rf"a\.wav.*rate of {rate}"):
        read(bytes(content))


@pytest.mark.parametrize("form", ["WAV", "FLAC", "MP3"])
@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.9])
def test_a_recording_that_is_cut_short_is_refused_by_name(read, form, part):
    whole = encoded(noise(), format=form)
    with pytest.raises(DataError, match=r"cut\.wav"):
        read(whole[: int(len(whole) * part)], "cut.wav")


def test_no_samples_no_recording_and_no_file_are_refused_by_name(read, tmp_path):
    for content in (encoded(noise(0)), b"", b"this is a text", b"RIFF\0\0\0\0WAVE", b"\0" * 4096):
        with pytest.raises(DataError, match=r"a\.wav"):
            read(content)
    with pytest.raises(DataError, match="No such file"):
        decode(Item("gone.wav", tmp_path / "gone.wav"), "audio")
    with pytest.raises(DataError, match="where a recording is needed"):
        decode(Item("t", "text"), "audio")


def test_arrays_are_recordings_at_the_backbones_own_rate():
    from zoo.preprocess import AudioSpec

    sound = noise(50)[:, 0]
    for rate in (8000, 48000):
        got = AudioSpec(rate).apply(decode(Item("a", sound.astype(np.float64)), "audio"))
        assert np.array_equal(got, sound)
    for wrong in (noise(5, 2), np.zeros(0), np.array([np.nan]), np.zeros(9, np.int16)):
        with pytest.raises(DataError, match="'a'"):
            decode(Item("a", wrong), "audio")


def test_a_name_in_any_encoding_is_opened(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff\xfe \xe7\x8c\xab.wav")
    path.write_bytes(encoded(noise(10)))
    assert len(decode(Item("a", path), "audio").samples) == 10


def test_both_infinities_in_one_frame_are_no_warning(read):
    with pytest.raises(DataError, match="not finite"):
        read(encoded(np.array([[np.inf, -np.inf]]), subtype="FLOAT"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(read, value):
    sound = noise()
    sound[777] = value
    with pytest.raises(DataError, match=r"a\.wav.*not finite"):
        read(encoded(sound, subtype="FLOAT"))


@pytest.mark.parametrize("claim", [33_000, 1 << 30, 0x7FFFFFFE, 0xFFFFFFFF])
def test_a_header_that_promises_more_than_there_is_is_refused(read, claim):
    content = bytearray(encoded(noise()))
    content[40:44] = struct.pack("<I", claim)
    with pytest.raises(DataError, match="promises") as caught:
        read(bytes(content))
    assert "ffmpeg" in caught.value.hint


def flac_of(content, total):
    """A FLAC stream whose header states another number of samples; 0 is unknown."""
    edited = bytearray(content)
    (packed,) = struct.unpack(">Q", edited[18:26])
    edited[18:26] = struct.pack(">Q", packed >> 36 << 36 | total)
    return bytes(edited)


def test_a_length_that_memory_may_not_hold_or_that_is_not_stated_is_refused(read):
    content = encoded(noise(), format="FLAC")
    with pytest.raises(DataError, match=f"more than {MAX_SAMPLES} samples"):
        read(flac_of(content, (1 << 36) - 1))
    with pytest.raises(DataError, match="states no length") as caught:
        read(flac_of(content, 0))
    assert "ffmpeg" in caught.value.hint


def test_other_chunks_before_the_samples_are_skipped(read):
    content = encoded(noise(100))
    extra = b"LIST" + struct.pack("<I", 5) + b"INFOx\0"  # an odd length is followed by a zero
    got = read(content[:36] + extra + content[36:])
    np.testing.assert_allclose(got.samples, noise(100)[:, 0], atol=1e-4)


def test_samples_beyond_one_are_kept(read):
    got = read(encoded(np.full(10, 1.5), subtype="FLOAT"))
    assert got.samples.tolist() == [1.5] * 10


def test_an_ogg_stream_that_ends_early_is_read_as_far_as_it_goes(read):
    whole = encoded(noise(200_000), format="OGG")
    assert 50_000 < len(read(whole[: len(whole) // 2], "a.ogg").samples) < 150_000


def test_every_line_of_the_readme_about_recordings_has_its_test(lines_of_readme):
    assert set(lines_of_readme("Recordings")) == set(TESTS_OF_LINES)
    assert all(callable(globals()[name]) for name in TESTS_OF_LINES.values() if "." not in name)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_damage_anywhere_gives_a_recording_or_a_data_error(tmp_path_factory, capfd, data):
    form = data.draw(st.sampled_from(["WAV", "FLAC", "OGG", "AIFF"]))
    content = bytearray(encoded(noise(400, channels=2), format=form))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(200, len(content) - 1)))] = data.draw(
            st.integers(0, 255)
        )
    path = tmp_path_factory.mktemp("damaged") / "a.wav"
    path.write_bytes(bytes(content))
    try:
        got = decode(Item("a.wav", path), "audio")
    except DataError as error:
        assert "a.wav" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert np.isfinite(got.samples).all()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_bytes_are_heard_as_the_file_they_were(tmp_path, capfd, kind):
    content = encoded(noise(), format=kind)
    (tmp_path / "a").write_bytes(content)
    heard = decode(Item("cell", content), "audio")
    there = decode(Item("a", tmp_path / "a"), "audio")
    assert heard.rate == there.rate
    assert np.array_equal(heard.samples, there.samples)
    for end in range(0, len(content), 997):  # as damaged as the file, and as quiet
        (tmp_path / "a").write_bytes(content[:end])
        said = []
        for item in (Item("x", content[:end]), Item("x", tmp_path / "a")):
            try:
                said.append(len(decode(item, "audio").samples))
            except DataError as error:
                said.append(str(error))
        assert said[0] == said[1]
    assert "cffi" not in capfd.readouterr().err
