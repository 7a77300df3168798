from __future__ import annotations

import time

import numpy as np
import pytest

from zoo.data import plan_splits
from zoo.features.bad import BadItem
from zoo.features.extract import Extracted
from zoo.plugin import Dataset, Item, Target
from zoo.runs.health import SAID, Finding, examine, sayings, slice_findings


def keys_of(samples):
    """(n, 16) digests, equal where the numbers are."""
    digests = np.random.default_rng(0).integers(0, 256, (max(samples) + 1, 16), dtype=np.uint8)
    return digests[np.asarray(samples)]


def case(n=400, d=16, *, labels=None, split=None, samples=None, bad=(), groups=None, target=None):
    rng = np.random.default_rng(1)
    samples = range(n) if samples is None else samples
    features = rng.normal(size=(max(samples) + 1, d)).astype(np.float32)[np.asarray(samples)]
    labels = [f"c{i % 3}" for i in range(n)] if labels is None else labels
    items = tuple(Item(f"t.csv:{i + 1}", f"text {s}") for i, s in enumerate(samples))
    target = target or Target.from_labels(labels)
    groups = None if groups is None else np.array(groups, dtype=np.str_)
    dataset = Dataset("t", "text", items, target, split, groups)
    distinct = len(set(samples))
    return Extracted(features, keys_of(samples), dataset, tuple(bad), 0, distinct, 0.0)


def findings(extracted):
    plan = plan_splits(extracted.dataset, extracted.keys, 0)
    return examine(extracted, plan, seed=0, threads=1)


def found(extracted, kind):
    return [f for f in findings(extracted) if f.kind == kind]


def thirds(n):
    return tuple("test" if i % 3 == 2 else "train" for i in range(n))


def test_sound_data_has_no_warning():
    assert [f.level for f in findings(case(1200))] == ["note"]  # the weights of a linear head


def test_few_samples_are_a_warning_below_several_hundred():
    (few,) = found(case(299), "few_samples")
    assert few.text == "299 samples to train on, where several hundred are the rule of thumb"
    assert few.figures == {"rows": 299, "rule": 300}
    assert found(case(300), "few_samples") == []
    (few,) = found(case(420, split=thirds(420)), "few_samples")
    assert few.figures["rows"] == 280


def test_rare_classes_are_named_in_one_line_the_rarest_first():
    labels = ["big"] * 386 + [f"r{i}" for i in range(7) for _ in range(2)]
    (rare,) = found(case(labels=labels), "rare_classes")
    shown = ", ".join(f"'r{i}' 2" for i in range(5))
    assert rare.text == f"classes with fewer than 10 samples: {shown} and 2 more"
    assert rare.figures["count"] == 7
    assert found(case(labels=["a"] * 10 + ["b"] * 390), "rare_classes") == []


def test_imbalance_is_told_by_share_and_by_ratio():
    (most,) = found(case(labels=["ham"] * 320 + ["spam"] * 80), "imbalance")
    assert most.figures == {"commonest": "ham", "share": 0.8, "times_the_rarest": 4}
    (times,) = found(case(labels=["a"] * 200 + ["b"] * 180 + ["c"] * 20), "imbalance")
    assert times.figures["times_the_rarest"] == 10
    assert found(case(labels=["a"] * 280 + ["b"] * 120), "imbalance") == []


def test_duplicates_across_given_splits_and_contradictions_are_counted():
    samples = list(range(400))
    samples[398], samples[395], samples[4] = 0, 1, 3
    labels = ["a", "b"] * 200
    extracted = case(samples=samples, labels=labels, split=thirds(400))
    (across,) = found(extracted, "duplicates_across")
    assert across.text.startswith("2 of 133 test rows are byte-identical to train rows")
    assert across.figures == {"split": "test", "of": "train", "rows": 2, "of_rows": 133}
    (torn,) = found(extracted, "contradictions")
    assert (torn.text, torn.level) == (
        "1 samples occur more than once with different labels",
        "warning",
    )
    (again,) = found(extracted, "duplicates")
    assert (again.level, again.figures) == ("note", {"rows": 3, "of_rows": 400})


def test_what_a_finding_says_anew_begins_as_the_note_that_it_replaces():
    samples = list(range(400))
    samples[398], samples[5] = 0, 6
    labels = ["a", "b"] * 200
    labels[2] = labels[5] = "c"
    extracted = case(samples=samples, labels=labels, split=thirds(400))
    plan = plan_splits(extracted.dataset, extracted.keys, 0)
    assert len(plan.notes) == 3
    texts = [f.text for f in examine(extracted, plan, seed=0, threads=1)]
    for note in plan.notes:
        assert sum(text.startswith(note) for text in texts) == 1, note


def test_classes_that_a_split_lacks_are_named():
    labels = ["a", "b", "a"] * 133 + ["b"]
    labels[0], labels[2] = "only", "new"
    absent = found(case(labels=labels, split=thirds(400)), "absent_classes")
    assert [f.text for f in absent] == [
        "classes that judge but have no row in train: 'new'",
        "classes in train have no row that judges: 'b', 'only'",
    ]


def test_near_duplicates_name_a_pair_and_differing_labels():
    extracted = case(400)
    extracted.features[101] = extracted.features[7] + 1e-3
    extracted.features[200] = extracted.features[8] + 1e-3
    (near,) = found(extracted, "near_duplicates")
    assert near.level == "warning"
    assert near.figures["rows"] == 4
    assert near.figures["with_different_labels"] == 2  # 8 and 200 alone are of one class
    assert {frozenset(pair) for pair in near.figures["pairs"]} == {
        frozenset(("t.csv:8", "t.csv:102")),
        frozenset(("t.csv:9", "t.csv:201")),
    }
    groups = [""] * 400
    groups[101] = groups[7] = groups[200] = groups[8] = "g"
    grouped = case(400, groups=groups)
    grouped.features[:] = extracted.features
    assert found(grouped, "near_duplicates") == []


def test_weights_of_a_linear_head_are_held_against_the_rows():
    (some,) = found(case(400, 200), "parameters")
    assert (some.level, some.figures["weights"], some.figures["weights_per_row"]) == (
        "note",
        600,
        1.5,
    )
    (many,) = found(case(60, 1000), "parameters")
    assert many.level == "warning"
    assert many.text == "a linear head has 3000 weights for 60 rows, 50 for each"


def test_features_that_never_vary_and_samples_that_look_alike_are_counted():
    extracted = case(400, 8)
    extracted.features[:, :3] = 2
    extracted.features[:, 4] = extracted.features[:, 5]
    extracted.features[300:320] = extracted.features[299]
    (dull,) = found(extracted, "features")
    assert dull.figures == {"constant": 3, "identical": 1, "features": 8, "rows": 400}
    assert dull.level == "note"
    (alike,) = found(extracted, "equal_features")
    assert (alike.level, alike.figures) == ("warning", {"rows": 20, "of_rows": 400})
    extracted.features[:, 6] = 1
    (dull,) = found(extracted, "features")
    assert dull.level == "warning"


def test_numbers_and_labels_have_findings_too():
    values = np.arange(100.0)[:, None]
    numbers = case(100, target=Target("regression", values, ("y",)))
    assert {f.kind for f in findings(numbers)} == {"few_samples", "parameters"}
    marks = np.stack([np.arange(100) % 2, np.arange(100) < 4], axis=1).astype(np.int8)
    labels = case(100, target=Target("multilabel", marks, ("even", "first")))
    (rare,) = found(labels, "rare_classes")
    assert rare.text == "labels with fewer than 10 samples: 'first' 4"


def test_warnings_come_first_and_the_first_five_are_said_but_none_twice():
    extracted = case(60, 2000, bad=[BadItem("x.png", "empty")])
    every = findings(extracted)
    levels = [f.level for f in every]
    assert levels == sorted(levels, reverse=True)
    assert any(f.kind == "unreadable" for f in every)
    assert not any("could not be read" in line for line in sayings(every))
    many = [Finding("k", "warning", f"t{i}") for i in range(SAID + 3)]
    said = sayings([*many, Finding("k", "note", "quiet")])
    assert said[0] == "warning: t0"
    assert said[SAID:] == ["warning: and 3 more: `health` in the run's metrics.json"]
    assert Finding("k", "note", "t", {"n": 1}).as_dict() == {
        "kind": "k",
        "level": "note",
        "text": "t",
        "figures": {"n": 1},
    }


def test_a_slice_that_is_worse_is_a_warning():
    metric = {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}}
    values = [
        {"value": v, "rows": 90, "metrics": metric, "p": p, "worse": p < 0.05}
        for v, p in (("Oslo\n", 0.001), ("Rom", 0.2))
    ]
    column = {"column": "town", "values": values, "left_out": []}
    (one,) = slice_findings([column], {"accuracy": {"value": 0.8}}, "accuracy")
    assert one.text == (
        "where 'town' is 'Oslo\\n' the head is worse than elsewhere: accuracy 0.500 "
        "(0.400 to 0.600) on 90 rows, 0.800 on all"
    )
    assert (one.kind, one.figures["p"]) == ("slice", 0.001)


def test_a_thousand_rows_are_examined_in_a_moment():
    extracted = case(1000, 1280)
    plan = plan_splits(extracted.dataset, extracted.keys, 0)
    start = time.process_time()
    examine(extracted, plan, seed=0, threads=1)
    assert time.process_time() - start < 2  # 0.1 s where the machine is quiet


@pytest.mark.parametrize("n", [5, 12])
def test_a_handful_of_rows_is_examined(n):
    few = found(case(n, labels=(["a", "b"] * n)[:n]), "few_samples")
    assert few[0].figures["rows"] == n
