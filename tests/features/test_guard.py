"""Inputs of another scale, order or rate are refused by name; odd ones are only told of."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.errors import DataError, SourceError, UsageError
from zoo.features.guard import check_prepared, guard
from zoo.features.model import Model
from zoo.plugin import Backbone, Contract, Item, LoadOptions, Provider, Source
from zoo.preprocess import AudioSpec, ImageSpec

SPEC = ImageSpec((8, 8), (8, 8), crop=False, mean=(0.5,) * 3, std=(0.25,) * 3)
RATE = 16000


class Stating(Provider):
    """States a preprocessing; `prepare` may do another."""

    def __init__(self, spec, does=None):
        self.spec, self.does = spec, does or spec

    def describe(self, source, options):
        own = {**self.spec.as_dict(), **options.preprocess}
        modality = "audio" if isinstance(self.spec, AudioSpec) else "image"
        return Contract(modality, own, {}, "w" * 64, "t")

    def load(self, source, options):
        return Doing(self.describe(source, options), self.does)


class Doing(Backbone):
    def __init__(self, contract, spec):
        self.contract, self.spec = contract, spec

    def prepare(self, sample):
        return self.spec.apply(sample)

    def collate(self, prepared):
        return prepared

    def forward(self, batch):
        raise NotImplementedError


def model(spec=SPEC, does=None, provider="plugin", **preprocess):
    options = LoadOptions(preprocess=preprocess)
    return Model(Source(provider, "m"), Stating(spec, does), options)


def items(arrays):
    return [Item(f"i{n}", array) for n, array in enumerate(arrays)]


def scenes(count, seed=0):
    """Warm below and blue above, as photos are; (count, 12, 12, 3) uint8."""
    rng = np.random.default_rng(seed)
    base = rng.normal(110, 30, (count, 1, 1, 1)) + rng.normal(0, 40, (count, 12, 12, 1))
    warmth = np.linspace(-10, 40, 12)[:, None, None] * np.array([0.5, 0, -0.5])
    return np.clip(base + warmth + rng.normal(0, 8, (count, 1, 1, 3)), 0, 255).astype(np.uint8)


def said(arrays, trained=None, spec=SPEC):
    """Lines that the guard says, and what it found."""
    lines = []
    found = guard(model(spec), items(arrays), trained or {}, lines.append)
    return lines, found


def test_pictures_of_0_to_1_in_whole_numbers_are_refused():
    scaled = (scenes(6) / 255).round().astype(np.uint8)
    with pytest.raises(DataError, match="0 and 1 alone where") as caught:
        said(scaled)
    assert "255" in caught.value.hint
    with pytest.raises(DataError, match="look scaled to"):
        said(scaled[:1])  # one picture of structure is enough


def test_normalised_pictures_cut_to_bytes_are_refused():
    normalised = ((scenes(6) / 255 - 0.45) / 0.225).astype(np.int64).astype(np.uint8)
    with pytest.raises(DataError, match="look normalised"):
        said(normalised)


@pytest.mark.parametrize(
    "arrays",
    [
        np.zeros((6, 12, 12, 3), np.uint8),
        np.full((6, 12, 12), 255, np.uint8),
        np.eye(12, dtype=np.uint8)[None].repeat(6, 0) * 255,
        scenes(6) // 50,
        255 - scenes(6) // 50,
        np.array([np.full((3, 3), n, np.uint8) for n in range(5)]),
    ],
    ids=["black", "white", "line art", "dark", "bright", "plain"],
)
def test_odd_pictures_are_not_refused(arrays):
    assert said(arrays)[0] == []


def test_served_in_another_order_than_trained_is_refused_or_told_of():
    _, trained = said(scenes(64))
    assert said(scenes(64, seed=1), trained)[0] == []
    with pytest.raises(DataError, match=r"swapped \(BGR\)"):
        said(scenes(64, seed=1)[..., ::-1], trained)
    lines, _ = said(scenes(6, seed=1)[..., ::-1], trained)
    assert len(lines) == 1
    assert "BGR?" in lines[0]


def test_files_are_never_refused_for_their_colours(tmp_path):
    _, trained = said(scenes(64))
    for n, picture in enumerate(scenes(64, seed=1)[..., ::-1]):
        Image.fromarray(picture).save(tmp_path / f"{n}.png")
    files = [Item(path.name, path) for path in sorted(tmp_path.iterdir())]
    lines = []
    guard(model(), files, trained, lines.append)
    assert "or these show other things" in lines[0]


def test_a_mere_shift_is_told_of():
    _, trained = said(scenes(64))
    lines, _ = said(scenes(64, seed=1) // 8, trained)
    assert "differ from those the head was trained on: mean" in lines[0]


@pytest.mark.parametrize(
    "damage", [{"mean": 3}, {"mean": ["a"] * 3}, {"warmth": [float("nan")] * 3}]
)
def test_statistics_that_a_file_garbles_are_passed_over(damage):
    _, trained = said(scenes(8))
    assert said(scenes(8) // 8, {**trained, **damage})[0] == []


def voices(count, seed=0, stretch=1.0):
    """Noise with a hump at 500 Hz and a tail, at `stretch` times the rate; (RATE,) float32 each."""
    rng = np.random.default_rng(seed)
    n = int(RATE * stretch)
    frequency = np.fft.rfftfreq(n, 1 / (RATE * stretch))
    shape = 1 / (1 + (np.log2(np.maximum(frequency, 1) / 500)) ** 4) + 1e-3
    shape[frequency > 7500] *= 1e-2
    noise = np.fft.irfft(shape * np.fft.rfft(rng.normal(size=(count, n))), n)
    return (noise / np.abs(noise).max() / 2).astype(np.float32)


def test_recordings_of_16_bit_integers_are_refused():
    with pytest.raises(DataError, match="16-bit integers") as caught:
        said(voices(5) * 32768, spec=AudioSpec(RATE))
    assert "32768" in caught.value.hint


def test_recordings_scaled_down_twice_are_refused_and_silence_is_not():
    with pytest.raises(DataError, match="scaled down twice"):
        said(voices(5) / 32768, spec=AudioSpec(RATE))
    rng = np.random.default_rng(0)
    hiss = (rng.integers(-1, 2, (5, RATE)) / 65536).astype(np.float32)  # of two channels' average
    assert said(hiss, spec=AudioSpec(RATE))[0] == []
    assert said(np.zeros((5, RATE), np.float32), spec=AudioSpec(RATE))[0] == []


def test_arrays_at_another_rate_than_the_models_are_refused():
    spec = AudioSpec(RATE)
    _, trained = said(voices(20), spec=spec)
    assert said(voices(20, seed=1), trained, spec)[0] == []
    with pytest.raises(DataError, match=r"at about 4[48]\d+ Hz, and the model takes 16000 Hz"):
        said(voices(20, seed=1, stretch=3.0), trained, spec)


def test_much_quieter_recordings_are_told_of():
    spec = AudioSpec(RATE)
    _, trained = said(voices(20), spec=spec)
    lines, _ = said(voices(20, seed=1) / 100, trained, spec)
    assert "41 dB quieter" in lines[0]


def test_an_override_that_contradicts_itself_or_the_model_is_refused():
    with pytest.raises(UsageError, match=r"--preprocess: .* std is in units of 0\.\.1"):
        guard(model(scale=1.0, mean=[0.485] * 3, std=[0.229] * 3), [], {}, None)
    with pytest.raises(UsageError, match=r"makes inputs of 0\.\.255 where the model's own"):
        guard(model(scale=1.0, mean=[0.0] * 3, std=[1.0] * 3), [], {}, None)
    guard(model(mean=[0.48] * 3, std=[0.27] * 3), [], {}, None)


def test_a_models_own_odd_configuration_is_told_of():
    odd = ImageSpec((8, 8), 8, crop=True, mean=(120.0,) * 3, std=(58.0,) * 3)
    lines = []
    guard(model(odd), [], {}, lines.append)
    assert "is odd: scale 0.00392157, mean 120;120;120" in lines[0]


PLAIN = {"mean": (0.0,) * 3, "std": (1.0,) * 3}


@pytest.mark.parametrize(
    ("does", "named"),
    [
        (ImageSpec((8, 8), (8, 8), crop=False, **PLAIN), "without mean and std"),
        (ImageSpec((8, 8), (8, 8), crop=False, scale=1.0, **PLAIN), "raw, as 0..255"),
        (replace(SPEC, color="bgr"), "as bgr"),
    ],
)
def test_a_provider_that_prepares_otherwise_than_it_states_is_refused(does, named):
    (item,) = items(scenes(1))
    with pytest.raises(SourceError, match=named):
        check_prepared(model(does=does), item)


def test_a_provider_with_another_crop_of_its_own_is_not():
    (item,) = items(scenes(1))
    crop = ImageSpec((8, 8), 9, crop=True, mean=SPEC.mean, std=SPEC.std)
    check_prepared(model(), item)
    check_prepared(model(does=crop), item)


def test_a_run_keeps_the_statistics_and_predict_checks_against_them(tmp_path):
    pictures = scenes(40)
    pictures[:20] //= 2
    labels = ["dark"] * 20 + ["bright"] * 20
    run = zoo.transfer("builtin:tinyconv", pictures, labels, out=tmp_path / "run")
    plan = json.loads((tmp_path / "run" / "run.json").read_text())
    assert plan["inputs"]["samples"] == 40
    assert plan["inputs"]["modality"] == "image"
    cached = zoo.transfer("builtin:tinyconv", pictures, labels, head="ridge", out=tmp_path / "two")
    assert cached.summary["features"]["forwards"] == 0
    assert cached.plan["inputs"] == plan["inputs"]
    with pytest.raises(DataError, match="0 and 1 alone"):
        run.predict((pictures / 255).round().astype(np.uint8))
    with pytest.raises(DataError) as caught:
        run.predict([picture / 255 for picture in pictures])
    assert "these lie in 0..1" in caught.value.hint
    lines = []
    run.predict(pictures // 16, say=lines.append)
    assert any("differ from those the head was trained on" in line for line in lines)


def test_the_command_line_refuses_an_override_with_one_line_and_a_hint(photos, zoo):
    command = ("extract", "--model", "builtin:tinyconv", "--data", photos)
    done = zoo(*command, "--preprocess", "scale=1")
    assert done.code == 2
    message, hint = done.err.strip().splitlines()
    assert "mean is in units of 0..1" in message
    assert hint.startswith("hint: ")
