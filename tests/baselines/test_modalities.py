"""Texts and recordings from scratch: what becomes of a sample, and patterns that must be learnt."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.baselines import learn_scratch
from zoo.baselines.images import Images
from zoo.baselines.recordings import Recordings
from zoo.baselines.sound import log_mel_forms
from zoo.baselines.spectrogram import BANDS, RATE, log_mel
from zoo.baselines.texts import MAX_TOKENS, Texts
from zoo.baselines.training import start
from zoo.plugin import Item, Target
from zoo.preprocess import Waveform


def learn(items, codes, modality, names=("a", "b")):
    n = len(items)
    judge = np.arange(3 * n // 4, n)
    target = Target("class", np.asarray(codes, np.int64), names)
    learned = learn_scratch(
        items,
        target,
        modality=modality,
        train=np.arange(n // 2),
        validation=np.arange(n // 2, 3 * n // 4),
        judge=judge,
        seed=0,
        threads=2,
        budget=60.0,
    )
    return learned, float((learned.scores.argmax(axis=1) == target.values[judge]).mean())


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr("zoo.baselines.learner.Learner.work", lambda self, rows: 12)
    monkeypatch.setattr("zoo.baselines.convolutions.WIDTH", 8)


def test_an_order_of_words_is_learnt_that_their_counts_do_not_tell():
    rng = np.random.default_rng(0)
    codes = np.arange(480) % 2
    fillers = [f"word{i}" for i in range(30)]
    items = []
    for i, code in enumerate(codes):
        words = rng.choice(fillers, 12).tolist()
        at = rng.integers(0, 10)
        words[at : at + 2] = ["not", "good"] if code else ["good", "not"]
        items.append(Item(str(i), " ".join(words)))
    learned, right = learn(items, codes, "text")
    assert right > 0.9
    assert learned.configuration["pooling"] == "convolutions"


def test_words_that_training_never_saw_are_known_by_their_spelling():
    rng = np.random.default_rng(0)
    letters = list("bcdfgklmprst")

    def word(ending):
        return "".join(rng.choice(letters, 5)) + ending

    codes = np.arange(320) % 2
    items = [
        Item(str(i), f"{word('xx')} {word('yy')} {word('zation' if code else 'ingly')}")
        for i, code in enumerate(codes)
    ]
    _, right = learn(items, codes, "text")
    assert right > 0.9


def test_pitch_is_learnt_at_any_volume_and_time():
    rng = np.random.default_rng(0)
    codes = np.arange(160) % 2
    items = []
    for i, code in enumerate(codes):
        sound = np.zeros(8000)
        first = rng.integers(0, 4000)
        time = np.arange(3000) / RATE
        sound[first : first + 3000] = np.sin(2 * np.pi * (900 if code else 600) * time)
        sound = sound * rng.uniform(0.1, 0.9) + rng.normal(0, 0.01, 8000)
        items.append(Item(str(i), sound.astype(np.float32)))
    learned, right = learn(items, codes, "audio")
    assert right > 0.9
    assert learned.configuration["columns"] == 50
    assert learned.configuration["column_seconds"] == 0.01


def test_no_count_is_made_of_words_outside_the_training_rows():
    def held(judged):
        texts = Texts()
        texts.hold([texts.prepare(text) for text in ["a b a b", "a c", judged]], np.arange(2))
        return texts

    one, other = held("q q q q"), held("zebra a")
    assert one._known == other._known == 2
    configuration = one.grid[0]

    class Objective:
        outputs = 2

        def start(self):
            import torch

            return torch.zeros(2)

    networks = [start(texts, Objective(), configuration, 0).eval() for texts in (one, other)]
    for network in networks:
        network["output"].weight.data.fill_(0.1)
    ours = [
        texts.scores(network, np.array(places), configuration, augment=False).detach().numpy()
        for texts, network, places in zip((one, other), networks, ([0, 1], [1, 0]), strict=True)
    ]
    np.testing.assert_allclose(ours[0], ours[1][::-1], atol=1e-6)


def test_texts_alone_and_beside_longer_ones_have_equal_scores():
    texts = Texts()
    many = ["good film", "", "word " * 400, "日本語のテキスト", "😀 !"]
    texts.hold([texts.prepare(text) for text in many], np.arange(5))
    for configuration in texts.grid:
        network = texts.network(configuration, 3).eval()
        together = texts.scores(network, np.arange(5), configuration, augment=False)
        for place in range(5):
            alone = texts.scores(network, np.array([place]), configuration, augment=False)
            np.testing.assert_allclose(
                alone.detach().numpy()[0], together.detach().numpy()[place], atol=1e-5
            )


def test_long_texts_keep_their_start_and_their_end():
    words = Texts().prepare("Start " + "middle " * 500 + "end")
    assert len(words) == MAX_TOKENS
    assert (words[0], words[-1]) == ("start", "end")
    assert Texts().prepare("東京 is 大きい!").tolist() == [*"東京", "is", *"大きい!"]


def test_a_tone_lies_in_the_band_of_its_pitch():
    time = np.arange(RATE) / RATE
    bands = [log_mel(np.sin(2 * np.pi * pitch * time)).mean(axis=0) for pitch in (300, 3000)]
    assert bands[0].shape == (BANDS,)
    # Corners even in mel: 300 Hz is 402 of 2840 mel, 3000 Hz 1876.
    assert [int(band.argmax()) for band in bands] == [
        round(402 / 2840 * (BANDS + 1)) - 1,
        round(1876 / 2840 * (BANDS + 1)) - 1,
    ]
    assert max(bands[0]) == pytest.approx(0.0, abs=1.0)
    assert log_mel(np.ones(1)).shape == (1, BANDS)
    assert log_mel(np.zeros(1601)).shape == (11, BANDS)


def test_spectrograms_are_what_they_were():
    """Of half a second of 440 Hz, when each log-mel had code of its own."""
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / RATE)).astype(np.float32)
    told = log_mel(tone)[25, [5, 12, 13, 40]]
    np.testing.assert_allclose(told, [-13.8155107, -1.4803255, -3.3816249, -13.8155107], rtol=1e-5)
    forms = log_mel_forms(Waveform(tone, RATE))
    statistics, both = forms["log-mel statistics"], forms["log-mel statistics and course"]
    told = statistics[[3, 7, 8, 30]]
    np.testing.assert_allclose(told, [-4.105998, 7.8636704, 3.4184511, -13.8128109], rtol=1e-5)
    told = both[[120 + 16 * 40 + 7, 120 + 16 * 40 + 30]]  # at the sixteenth of 32 moments
    np.testing.assert_allclose(told, [2.8881755, -0.6732087], rtol=1e-5)


def test_recordings_of_any_length_and_rate_have_one_size():
    recordings = Recordings()
    noise = np.random.default_rng(0).normal(0, 0.1, 1 << 18).astype(np.float32)
    long = [Waveform(noise, 8000)] * 3
    recordings.settle(long)
    sizes = {
        recordings.prepare(Waveform(noise[:count], rate)).shape
        for count, rate in ((1, 16_000), (1, 0), (700, 44_100), (200_000, 48_000), (1 << 18, 8000))
    }
    (size,) = sizes
    assert size[0] == BANDS
    assert size[1] <= 128
    assert 30 < size[1] * recordings.describe()["column_seconds"] < 36
    short = Recordings()
    short.settle([Waveform(noise[:100], 16_000)])
    assert short.prepare(Waveform(noise[:100], 16_000)).shape == (BANDS, 16)


@pytest.mark.parametrize(("side", "size"), [(28, 32), (40, 32), (41, 64), (900, 64)])
def test_images_are_small_squares(side, size):
    from PIL import Image

    images = Images()
    sample = Image.new("RGB", (side, side // 2 + 1), (9, 8, 7))
    images.settle([sample])
    pixels = images.prepare(sample)
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == (9, 8, 7)).all()
