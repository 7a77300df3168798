"""The guard on real pictures and recordings: no false alarm, and how much of the wrong it finds."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zoo.errors import DataError
from zoo.features.guard import guard
from zoo.features.model import Model
from zoo.plugin import Contract, Item, LoadOptions, Provider, Source
from zoo.preprocess import AudioSpec, ImageSpec
from zoo.preprocess.decode_audio import decode_audio

pytestmark = pytest.mark.real

IMAGES = ("img-cifar10-jpeg", "img-flowers5", "img-hymenoptera", "img-pacs-photo-cartoon")
GREY = "img-digits-mnist-usps"
SPEC = ImageSpec((32, 32), 32, crop=True, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
RATE = 16000


class Stating(Provider):
    def __init__(self, spec):
        self.spec = spec

    def describe(self, source, options):
        modality = "audio" if isinstance(self.spec, AudioSpec) else "image"
        return Contract(modality, self.spec.as_dict(), {}, "w" * 64, "t")

    def load(self, source, options):
        raise NotImplementedError


def judged(items, trained=None, spec=SPEC):
    """What is found, and the lines said; a DataError's text is the last of them."""
    lines = []
    model = Model(Source("plugin", "m"), Stating(spec), LoadOptions())
    try:
        found = guard(model, items, trained or {}, lines.append)
    except DataError as error:
        return {}, [*lines, f"error: {error}"]
    return found, lines


def errors(outcomes):
    return [line for _, lines in outcomes for line in lines if line.startswith("error")]


def folders(root):
    """Class folders with their pictures as arrays, small: the guard looks at statistics alone."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"}:
            image = Image.open(path).convert("RGB")
            image.thumbnail((64, 64))
            found.setdefault(path.parent, []).append(Item(path.name, np.asarray(image)))
    return found


def drawn(items, count, seed):
    rng = np.random.default_rng(seed)
    picked = rng.choice(len(items), min(count, len(items)), replace=False)
    return [items[i] for i in np.sort(picked)]


@pytest.fixture(scope="module")
def pictures(asset):
    return {name: folders(asset(name)) for name in (*IMAGES, GREY)}


def test_no_class_folder_is_refused_against_any_data_set(pictures):
    """Arrays, which are the only ones that colours can get refused: 5, 16 and all of a class."""
    outcomes = []
    for trained in pictures.values():
        reference, _ = judged([one for items in trained.values() for one in items])
        for classes in pictures.values():
            for seed, items in enumerate(classes.values()):
                outcomes += [judged(drawn(items, n, seed), reference) for n in (5, 16, len(items))]
    assert len(outcomes) > 800
    assert errors(outcomes) == []


def test_own_classes_are_hardly_ever_told_of(pictures):
    """Warnings: what a class of the very data set draws, of 5 samples upward."""
    outcomes = []
    for name in IMAGES:
        reference, _ = judged([one for items in pictures[name].values() for one in items])
        for items in pictures[name].values():
            for seed, count in enumerate((5, 8, 16, 32, 64)):
                outcomes.append(judged(drawn(items, count, seed), reference))
    warned = sum(bool(lines) for _, lines in outcomes)
    assert warned <= 0.02 * len(outcomes), [lines for _, lines in outcomes if lines]


@pytest.mark.parametrize("made", ["black", "white", "dark", "bright", "half dark"])
def test_dark_and_bright_real_pictures_are_not_refused(pictures, made):
    change = {
        "black": lambda x: x * 0,
        "white": lambda x: x * 0 + 255,
        "dark": lambda x: x // 40,
        "bright": lambda x: 255 - x // 40,
        "half dark": lambda x: x // 2,
    }[made]
    outcomes = []
    for name, classes in pictures.items():
        reference, _ = judged([one for items in classes.values() for one in items])
        for seed, items in enumerate(classes.values()):
            some = [Item(one.name, change(one.value)) for one in drawn(items, 5, seed)]
            outcomes.append(judged(some, reference if name != GREY else None))
    assert errors(outcomes) == []


def test_pictures_of_0_to_1_are_always_refused(pictures):
    for classes in pictures.values():
        for seed, items in enumerate(classes.values()):
            some = [
                Item(one.name, (one.value / 255).round().astype(np.uint8))
                for one in drawn(items, 5, seed)
            ]
            assert "0 and 1 alone" in errors([judged(some)])[0]


def test_normalised_pictures_cut_to_bytes_are_always_refused(pictures):
    for name in IMAGES:
        for seed, items in enumerate(pictures[name].values()):
            some = [
                Item(one.name, ((one.value / 255 - 0.45) / 0.225).astype(np.int64).astype(np.uint8))
                for one in drawn(items, 5, seed)
            ]
            assert "look normalised" in errors([judged(some)])[0]


@pytest.mark.parametrize("name", IMAGES)
def test_swapped_colours_of_64_pictures_are_found(pictures, name):
    everything = [one for items in pictures[name].values() for one in items]
    reference, _ = judged(everything)
    found = 0
    for seed in range(20):
        right = drawn(everything, 64, seed)
        assert not any("BGR" in line for line in judged(right, reference)[1])
        wrong = [Item(one.name, one.value[..., ::-1]) for one in right]
        found += any("BGR" in line for line in judged(wrong, reference)[1])
    assert found == 20


@pytest.fixture(scope="module")
def spoken(asset):
    """Every third recording: speaker, digit and samples at 8 kHz."""
    files = sorted(asset("audio-fsdd").rglob("*.wav"))[::3]
    waves = [decode_audio(path, path.name) for path in files]
    parts = [path.stem.split("_") for path in files]
    return [(p[1], p[0], wave) for p, wave in zip(parts, waves, strict=True)]


def as_items(waves, rate):
    """Arrays at the model's rate, had they been recorded at `rate`."""
    spec = AudioSpec(rate)
    return [Item(str(i), spec.apply(wave)) for i, wave in enumerate(waves)]


def test_speakers_and_digits_are_never_refused_and_other_rates_mostly(spoken):
    spec = AudioSpec(RATE)
    right, wrong = [], []
    for name in sorted({s for s, _, _ in spoken} | {d for _, d, _ in spoken}):
        own = [wave for s, d, wave in spoken if name in {s, d}]
        others = [wave for s, d, wave in spoken if name not in {s, d}]
        reference, _ = judged(as_items(others, RATE), None, spec)
        for seed, count in enumerate((5, 16, 64)):
            some = drawn(own, count, seed)
            right.append(judged(as_items(some, RATE), reference, spec))
            wrong.append(judged(as_items(some, 8000), reference, spec))
    assert errors(right) == []
    assert not any("Hz" in line for _, lines in right for line in lines)
    named = [lines for _, lines in wrong if any("about 8000 Hz" in line for line in lines)]
    assert len(named) >= 0.95 * len(wrong)
    assert len(errors(wrong)) >= 0.75 * len(wrong)


def test_recordings_of_another_scale_are_always_refused(spoken):
    spec = AudioSpec(RATE)
    for start in range(0, len(spoken) - 5, 50):
        items = as_items([wave for _, _, wave in spoken[start : start + 5]], RATE)
        for factor, said in ((32768, "16-bit integers"), (1 / 32768, "scaled down twice")):
            scaled = [Item(one.name, one.value * np.float32(factor)) for one in items]
            assert said in errors([judged(scaled, None, spec)])[0]
