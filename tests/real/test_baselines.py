"""Real data learnt from scratch, and a real architecture without its weights."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from zoo.baselines import learn_scratch, random_rows
from zoo.features import open_model
from zoo.plugin import Item, LoadOptions, Target
from zoo.preprocess.decode import decode
from zoo.registry import Registry

pytestmark = pytest.mark.real


def pictures(folder, suffix, every=1):
    paths = sorted(folder.rglob(f"*{suffix}"))[::every]
    return [Item(str(p), p) for p in paths], [p.parent.name for p in paths]


def parts(train, rest, seed=0):
    """A fifth of the first rows chooses; the rest are judged."""
    mixed = np.random.default_rng(seed).permutation(train)
    names = ("train", "validation", "judge")
    rows = (mixed[train // 5 :], mixed[: train // 5], np.arange(train, train + rest))
    return dict(zip(names, rows, strict=True))


def linear(x, codes, rows):
    from sklearn.linear_model import LogisticRegression

    seen = np.concatenate([rows["train"], rows["validation"]])
    head = LogisticRegression(C=0.1, max_iter=500).fit(x[seen], codes[seen])
    return head.score(x[rows["judge"]], codes[rows["judge"]])


def test_digits_are_learnt_better_than_by_pixels(asset, monkeypatch):
    monkeypatch.setattr("zoo.baselines.learner.Learner.work", lambda self, rows: 32)
    folder = asset("img-digits-mnist-usps") / "mnist"
    train, labels = pictures(folder / "train", ".png", every=2)
    test, more = pictures(folder / "test", ".png", every=2)
    items, target = train + test, Target.from_labels(labels + more)
    rows = parts(len(train), len(test))
    learned = learn_scratch(items, target, modality="image", seed=0, threads=2, budget=3600, **rows)
    right = (learned.scores.argmax(axis=1) == target.values[rows["judge"]]).mean()
    pixels = np.stack([np.asarray(decode(item, "image"))[..., 0].ravel() for item in items])
    assert not learned.configuration["cut"]
    assert learned.configuration["augmentation"] == "shifts"
    assert right > linear(pixels / 255, target.values, rows) + 0.03
    assert right > 0.93


def test_questions_are_learnt_from_a_thousand(asset):
    with (asset("text-trec6") / "train.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))[:1300]
    items = [Item(str(i), row["text"]) for i, row in enumerate(table)]
    target = Target.from_labels([row["label"] for row in table])
    rows = parts(1000, 300)
    learned = learn_scratch(items, target, modality="text", seed=0, threads=2, budget=3600, **rows)
    right = (learned.scores.argmax(axis=1) == target.values[rows["judge"]]).mean()
    assert right > 0.7  # the commonest of the six is a quarter


def test_weights_are_what_makes_a_deep_network_see_flowers(asset):
    source = f"hf:{asset('model-hf-mobilenet-v1-0.25-128')}"
    items, labels = pictures(asset("img-flowers5") / "train", ".jpg", every=2)
    order = np.random.default_rng(0).permutation(len(items))
    items, codes = [items[i] for i in order], Target.from_labels(labels).values[order]
    rows = parts(150, len(items) - 150)
    registry = Registry(lambda line: None, disabled=frozenset())
    model = open_model(registry, source, LoadOptions(dtype="float32"))
    drawn = random_rows(model, items, seed=0, threads=2, batch_size=25)
    shallow = open_model(registry, "builtin:tinyconv", LoadOptions())
    seen = random_rows(shallow, items, seed=1, threads=2, batch_size=25)
    backbone = model.backbone
    prepared = [backbone.prepare(decode(item, "image")) for item in items]
    tap = backbone.contract.tap
    own = np.concatenate(
        [
            backbone.forward(backbone.collate(prepared[i : i + 25]))[tap].numpy()[0]
            for i in range(0, len(items), 25)
        ]
    ).reshape(len(items), -1)
    assert drawn.shape == own.shape
    scaled = [(x - x.mean(axis=0)) / (x.std(axis=0) + 1e-6) for x in (drawn, own, seen)]
    random, pretrained, few_layers = (linear(x, codes, rows) for x in scaled)
    assert pretrained > 0.6
    assert random < pretrained - 0.3  # 27 layers without shortcuts: random ones tell nothing apart
    assert few_layers > 0.35  # three do: a fifth would be chance
