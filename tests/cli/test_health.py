"""What ``zoo transfer`` says of data before it trains: each thing once, in a few lines."""

from __future__ import annotations

import pytest


@pytest.fixture
def leaky(tmp_path):
    """Texts of which two rows of the test stand in train as well, one with another label."""
    lines = ["text,label,split"]
    for i in range(90):
        label = ("pos", "neg")[i % 2]
        lines.append(f"a {('good', 'bad')[i % 2]} film {i},{label},{'test' if i > 59 else 'train'}")
    lines += ["a good film 0,pos,test", "a bad film 1,pos,test", "odd,rare,train"]
    (tmp_path / "leaky.csv").write_text("\n".join(lines))
    return tmp_path / "leaky.csv"


def test_each_finding_is_said_once_and_kept_with_its_figures(zoo, tiny_bert, leaky):
    command = ("transfer", "--model", f"hf:{tiny_bert}", "--data", leaky, "--head", "knn", "--json")
    done = zoo(*command)
    said = done.err.splitlines()
    for start in (
        "warning: 2 of 32 test rows are byte-identical to train rows: what they score may",
        "warning: 1 samples occur more than once with different labels",
        "warning: 61 samples to train on, where several hundred are the rule of thumb",
        "warning: classes with fewer than 10 samples: 'rare' 1",
    ):
        assert [line.startswith(start) for line in said].count(True) == 1, done.err
    assert done.err.count("byte-identical") == done.err.count("different labels") == 1
    assert sum(line.startswith("warning: ") for line in said) <= 6
    health = done.json["health"]
    kinds = [finding["kind"] for finding in health]
    assert {"duplicates_across", "contradictions", "few_samples", "rare_classes"} <= set(kinds)
    assert health[0]["figures"] == {"split": "test", "of": "train", "rows": 2, "of_rows": 32}
    assert all(list(f) == ["kind", "level", "text", "figures"] for f in health)
    evaluation = done.json["evaluation"]
    assert (evaluation["rows"], evaluation["without_duplicates"]["rows"]) == (32, 30)
    own = evaluation["without_duplicates"]["metrics"]
    assert own.keys() < evaluation["metrics"].keys()
    shown = zoo(*command[:-1], "--quiet")
    assert shown.err == ""
    assert f"no twins  accuracy {own['accuracy']['value']:.3f}   95 % " in shown.out
    assert "on 30 rows that train lacks" in shown.out


def test_unreadable_samples_are_said_once(zoo, photos):
    (photos / "dark" / "bad.png").write_bytes(b"no picture")
    done = zoo("transfer", "--model", "builtin:tinyconv", "--data", photos, "--json")
    assert done.err.count("could not be read") == 1
    (bad,) = (f for f in done.json["health"] if f["kind"] == "unreadable")
    assert bad["text"] == "1 sample could not be read: 'dark/bad.png'"
