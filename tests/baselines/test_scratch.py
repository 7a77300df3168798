"""Learners from scratch: what they learn, in how much time, and what they refuse."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
import torch

from zoo.baselines import learn_scratch, scratch
from zoo.errors import DataError, MissingExtraError, UsageError
from zoo.plugin import Item, Target


def spots(count, seed=0):
    """Images with a dark spot below a bright one, or beside it, anywhere: no pixel alone tells."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(128, 10, (count, 24, 24, 3))
    codes = np.arange(count) % 2
    for i, code in enumerate(codes):
        drawn = np.zeros((24, 24, 1))
        drawn[:4, :4] = 120
        drawn[(slice(6, 10), slice(4)) if code else (slice(4), slice(6, 10))] = -120
        pixels[i] += np.roll(drawn, rng.integers(0, 24, 2), axis=(0, 1))
    items = [Item(f"{i}.png", np.clip(p, 0, 255).astype(np.uint8)) for i, p in enumerate(pixels)]
    return items, Target("class", codes.astype(np.int64), ("row", "column")), pixels


def learn(items, target, budget=60.0, **changes):
    n = len(items)
    parts = {
        "modality": "image",
        "train": np.arange(0, n // 2),
        "validation": np.arange(n // 2, 5 * n // 8),
        "judge": np.arange(5 * n // 8, n),
        "seed": 0,
        "threads": 2,
    }
    return learn_scratch(items, target, budget=budget, **(parts | changes)), parts["judge"]


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Few epochs of a slim network: the plan for real data takes a minute."""
    monkeypatch.setattr("zoo.baselines.convolutions.WIDTH", 8)
    monkeypatch.setattr("zoo.baselines.learner.Learner.work", lambda self, rows: 12)


def test_a_pattern_is_learnt_that_no_pixel_tells():
    from sklearn.linear_model import LogisticRegression

    items, target, pixels = spots(400)
    learned, judge = learn(items, target)
    flat = pixels.reshape(len(pixels), -1) / 255
    linear = LogisticRegression(C=0.01).fit(flat[:200], target.values[:200])
    assert linear.score(flat[judge], target.values[judge]) < 0.7
    assert (learned.scores.argmax(axis=1) == target.values[judge]).mean() > 0.9
    assert learned.validation > 0.9
    assert not learned.configuration["cut"]
    assert len(learned.configuration["grid"]) == 3
    assert learned.curve[0].keys() == {"epoch", "train_loss", "validation"}


def test_equal_seeds_give_equal_scores_on_any_number_of_threads():
    items, target, _ = spots(96)
    torch.manual_seed(1)
    one, _ = learn(items, target, threads=1)
    torch.manual_seed(2)
    before = torch.get_rng_state(), torch.get_num_threads()
    other, _ = learn(items, target, threads=4)
    assert np.array_equal(one.scores, other.scores)
    assert one.curve == other.curve
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]
    seeded, _ = learn(items, target, seed=1)
    assert not np.array_equal(one.scores, seeded.scores)


def test_a_budget_cuts_and_says_so(monkeypatch):
    monkeypatch.setattr("zoo.baselines.learner.Learner.work", lambda self, rows: 4000)
    monkeypatch.setattr("time.perf_counter", time.process_time)  # others' load is not counted
    items, target, _ = spots(96)
    learn(items, target, budget=0.1)  # imports and first calls
    said = []
    start = time.process_time()
    learned, _ = learn(items, target, budget=4.0, say=said.append)
    spent = time.process_time() - start
    assert 3.0 < spent < 4.4
    assert learned.configuration["cut"]
    assert len(said) == 1
    assert "4 s" in said[0]


def test_no_time_at_all_gives_the_shares_of_the_classes():
    items, target, _ = spots(96)
    values = np.where(np.arange(96) % 4, 1, 0)
    learned, _ = learn(items, Target("class", values, target.names), budget=0.0)
    chances = np.exp(learned.scores) / np.exp(learned.scores).sum(axis=1, keepdims=True)
    assert chances[:, 1] == pytest.approx(0.75, abs=0.02)
    assert learned.configuration["cut"]
    assert learned.curve == []


def test_an_interrupt_passes_through(monkeypatch):
    items, target, _ = spots(96)
    threads = torch.get_num_threads()

    def pressed(done, planned):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(items, target, progress=pressed)
    assert torch.get_num_threads() == threads


def test_progress_ends_at_what_was_planned():
    items, target, _ = spots(96)
    told = []
    learn(items, target, progress=lambda done, planned: told.append((done, planned)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] == 3 * 6 + 2 * 12


def test_numbers_are_told_in_their_own_units():
    rng = np.random.default_rng(0)
    light = rng.integers(30, 220, 320)
    items = [
        Item(str(i), np.clip(rng.normal(level, 8, (20, 20, 3)), 0, 255).astype(np.uint8))
        for i, level in enumerate(light)
    ]
    values = np.stack([1000.0 + 2.0 * light, np.full(320, 7.0)], axis=1)
    learned, judge = learn(items, Target("regression", values, ("light", "constant")))
    wrong = np.abs(learned.scores[:, 0] - values[judge, 0])
    assert wrong.mean() < 40  # of a spread of 110; brightness is varied in one configuration
    assert learned.scores[:, 1] == pytest.approx(7.0, abs=0.2)


def test_labels_are_told_each_by_its_log_odds():
    rng = np.random.default_rng(0)
    marks = rng.integers(0, 2, (320, 2))
    pixels = rng.normal(60, 15, (320, 20, 20, 3))
    pixels[marks[:, 0] == 1, ::4] += 80
    pixels[marks[:, 1] == 1, :, :, 0] += 80
    items = [Item(str(i), np.clip(p, 0, 255).astype(np.uint8)) for i, p in enumerate(pixels)]
    learned, judge = learn(items, Target("multilabel", marks.astype(np.int8), ("striped", "red")))
    assert ((learned.scores > 0) == marks[judge]).mean() > 0.9


def test_a_sample_that_cannot_be_read_is_named():
    items, target, _ = spots(96)
    items[70] = Item("broken.png", b"not an image")
    with pytest.raises(DataError, match=r"broken\.png"):
        learn(items, target)


def test_rows_that_teach_nothing_are_refused():
    items, target, _ = spots(96)
    with pytest.raises(DataError, match="fewer than two classes"):
        learn(items, target, train=np.arange(0, 96, 2))
    with pytest.raises(UsageError, match="needs validation rows"):
        learn(items, target, validation=np.empty(0, np.int64))
    without = Target("class", np.where(np.arange(96) == 3, -1, target.values), target.names)
    with pytest.raises(UsageError, match="without a label"):
        learn(items, without)
    with pytest.raises(UsageError, match="tokens"):
        learn(items, Target("tokens", target.values))
    with pytest.raises(UsageError, match="smells"):
        learn(items, target, modality="smells")
    with pytest.raises(UsageError, match="budget"):
        learn(items, target, budget=float("nan"))


def test_without_torch_it_says_what_to_install(monkeypatch):
    items, target, _ = spots(96)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match="torch"):
        learn(items, target)
    assert set(scratch.LEARNERS) >= {"image"}
