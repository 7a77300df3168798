"""Raw input: what it is made of, fitted on training rows alone, and as good as the wide form."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from zoo.baselines.raw import in_span, read_raw
from zoo.baselines.sound import log_mel_forms
from zoo.errors import DataError
from zoo.plugin import Item
from zoo.preprocess.audio import Waveform

FIT = np.arange(20)


def texts(n=30):
    words = "alpha beta gamma delta epsilon".split()
    rng = np.random.default_rng(0)
    return [Item(str(i), " ".join(rng.choice(words, 6)) + f" t{i % 4}") for i in range(n)]


def pictures(n=30, *, grey=False):
    rng = np.random.default_rng(0)
    shape = (12, 18) if grey else (12, 18, 3)
    return [Item(str(i), rng.integers(0, 256, shape, dtype=np.uint8)) for i in range(n)]


def test_pixels_come_in_two_sizes_centred_on_the_training_rows():
    forms = read_raw(pictures(), "image").forms(FIT)
    assert list(forms) == ["pixels 16x16", "pixels 32x32"]
    for rows in forms.values():
        assert rows.shape == (30, 20)  # wider than 20 training rows: in their span
        assert rows.dtype == np.float32
    wide = read_raw(pictures(), "image").forms(np.arange(30))["pixels 16x16"]
    assert wide.shape == (30, 30)


def test_the_coordinates_in_the_span_have_the_products_of_the_pixels():
    items = pictures(grey=True)
    from PIL import Image

    pixels = np.stack(
        [
            np.asarray(
                Image.fromarray(item.value).convert("RGB").resize((32, 32), 2), np.float64
            ).ravel()
            / 255
            for item in items
        ]
    )
    centred = pixels - pixels[FIT].mean(axis=0)
    rows = read_raw(items, "image").forms(FIT)["pixels 32x32"].astype(np.float64)
    want = centred @ centred[FIT].T / 3  # of grey images one channel of three is kept
    assert rows @ rows[FIT].T == pytest.approx(want, abs=1e-3 * np.abs(want).max())


def test_a_linear_head_is_the_same_in_the_span():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    wide, y = rng.normal(size=(30, 100)), rng.normal(size=20)
    rows = in_span(wide @ wide[FIT].T, FIT)
    want = Ridge(alpha=1.0).fit(wide[FIT], y).predict(wide)
    got = Ridge(alpha=1.0).fit(rows[FIT].astype(np.float64), y).predict(rows.astype(np.float64))
    assert got == pytest.approx(want, abs=1e-4)


def test_twins_and_constants_leave_a_span_finite():
    same = np.ones((30, 4))
    assert np.isfinite(in_span(same @ same[FIT].T, FIT)).all()
    assert np.isfinite(in_span(np.zeros((30, 20)), FIT)).all()


def test_texts_are_tf_idf_of_words_and_of_characters():
    from sklearn.feature_extraction.text import TfidfVectorizer

    items = texts()
    forms = read_raw(items, "text").forms(FIT)
    assert list(forms) == ["words", "words and characters"]
    said = [item.value for item in items]
    vectorizer = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b"
    ).fit(said[:20])
    rows = vectorizer.transform(said).toarray()
    got = forms["words"].astype(np.float64)
    assert got @ got[FIT].T == pytest.approx(rows @ rows[FIT].T, abs=1e-4)


def test_the_vocabulary_is_that_of_the_training_texts():
    one, other = texts(), texts()
    for i in range(20, 30):
        other[i] = Item(str(i), "zulu yankee xray")
    first, second = (read_raw(items, "text").forms(FIT)["words"] for items in (one, other))
    assert (first[FIT] == second[FIT]).all()
    assert np.abs(second[20:]).max() < 1e-3, "words that no training text has weigh nothing"


def test_texts_without_a_word_have_their_characters():
    items = [Item(str(i), "?!" * (1 + i % 3)) for i in range(30)]
    assert list(read_raw(items, "text").forms(FIT)) == ["words and characters"]


def test_recordings_differ_by_pitch_and_by_course():
    rate, told = 8000, []
    time = np.arange(rate) / rate
    for low, high in [(300, 300), (2000, 2000), (300, 2000), (2000, 300)]:
        tone = np.where(time < 0.5, np.sin(2 * np.pi * low * time), np.sin(2 * np.pi * high * time))
        told.append(log_mel_forms(Waveform((0.5 * tone).astype(np.float32), rate)))
    apart = {}
    for name in told[0]:
        rows = np.stack([one[name] for one in told]).astype(np.float64)
        apart[name] = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    # Up and down have the same statistics, and another course.
    assert apart["log-mel statistics"][2, 3] < 0.2 * apart["log-mel statistics"][0, 1]
    assert (
        apart["log-mel statistics and course"][2, 3]
        > 0.5 * apart["log-mel statistics and course"][0, 1]
    )


def test_files_of_recordings_become_rows(tmp_path):
    rng = np.random.default_rng(0)
    items = [Item(str(i), tmp_path / f"{i}.wav") for i in range(4)]
    for item in items:
        soundfile.write(item.value, 0.1 * rng.normal(size=9000), 8000)
    forms = read_raw(items, "audio", threads=2).forms(np.arange(3))
    assert {name: rows.shape for name, rows in forms.items()} == {
        "log-mel statistics": (4, 3),
        "log-mel statistics and course": (4, 3),
    }


def test_silence_and_a_recording_too_short_are_finite():
    items = [Item(str(i), np.zeros(n, np.float32)) for i, n in enumerate((1, 100, 50_000, 16_000))]
    for rows in read_raw(items, "audio").forms(np.arange(3)).values():
        assert np.isfinite(rows).all()


def test_of_vectors_the_columns_are_raw():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 5)).astype(np.float32) * (1, 10, 100, 1000, 0)
    items = [Item(str(i), row) for i, row in enumerate(values)]
    rows = read_raw(items, "vector").forms(FIT)["columns"]
    assert rows[FIT].std(axis=0) == pytest.approx([1, 1, 1, 1, 0], abs=1e-3)
    with pytest.raises(DataError, match="differ in length"):
        read_raw([*items, Item("x", np.zeros(4))], "vector")
