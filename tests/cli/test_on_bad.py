"""``--on-bad``: one rule for transfer, extract and predict, by flag, variable, file and Python."""

from __future__ import annotations

import pytest

import zoo as front_door
from zoo.errors import DataError, UsageError

MODEL = ("--model", "builtin:tinyconv")
DATA = 4


@pytest.fixture
def spoiled(photos):
    """24 photos and two files that are none."""
    (photos / "dark" / "a.jpg").write_bytes(b"no image")
    (photos / "light" / "zero.png").write_bytes(b"")
    return photos


def train(zoo, *more, **place):
    return zoo("transfer", *MODEL, "--data", "photos", "--head", "prototype", *more, **place)


def test_bad_samples_are_skipped_counted_and_listed_by_name(spoiled, zoo):
    done = train(zoo, "--json")
    assert done.json["data"]["rows"] == 24
    bad = {one["item"]: one["reason"] for one in done.json["data"]["bad"]}
    assert set(bad) == {"dark/a.jpg", "light/zero.png"}
    assert all(name in reason for name, reason in bad.items())
    assert "2 samples could not be read: 'dark/a.jpg', 'light/zero.png'" in done.err
    assert train(zoo, "--on-bad", "skip", "--json").json["data"]["bad"] == done.json["data"]["bad"]
    assert "2 unreadable" in train(zoo).out


@pytest.mark.parametrize(
    ("verb", "rule", "complaint"),
    [
        ("extract", "fail", "'dark/a.jpg' is not an image"),
        ("transfer", "max=1", "2 of 26 samples could not be read, more than --on-bad max=1 allows"),
        ("extract", "max=7%", "2 of 26"),
    ],
)
def test_more_than_allowed_is_exit_4_and_keeps_what_was_made(spoiled, zoo, verb, rule, complaint):
    run = (verb, *MODEL, "--data", "photos", "--json")
    done = zoo(*run, "--on-bad", rule, "--batch-size", "4")
    assert done.code == DATA
    assert complaint in done.err
    assert "hint: " in done.err
    assert not done.out
    again = zoo(*run).json
    assert again["features"]["rows"] == 24
    assert zoo(*run).json["features"]["forwards"] == 0


@pytest.mark.parametrize("rule", ["max=2", "max=8%"])
def test_as_many_as_allowed_pass(spoiled, zoo, rule):
    assert len(train(zoo, "--on-bad", rule, "--json").json["data"]["bad"]) == 2


def test_predict_goes_by_the_same_rule(spoiled, zoo):
    run = train(zoo, "--json").json["run"]
    told = zoo("predict", run, "photos", "--json").json
    assert len(told["predictions"]) == 24
    assert [one["item"] for one in told["bad"]] == ["photos/dark/a.jpg", "photos/light/zero.png"]
    done = zoo("predict", run, "photos", "--on-bad", "fail", "--json")
    assert (done.code, done.out) == (DATA, "")
    assert "photos/dark/a.jpg" in done.err


def test_the_rule_can_stand_in_a_variable_and_in_zoo_toml(spoiled, zoo, tmp_path):
    assert train(zoo, env={"ZOO_ON_BAD": "fail"}).code == DATA
    (tmp_path / "zoo.toml").write_text('[transfer]\non-bad = "max=1"\n')
    assert train(zoo).code == DATA
    assert train(zoo, "--on-bad", "skip").code == 0
    assert train(zoo, "--on-bad", "some").code == 2


def test_the_rule_holds_in_python(spoiled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"dark/a\.jpg"):
        front_door.transfer("builtin:tinyconv", spoiled, on_bad="fail")
    with pytest.raises(UsageError, match="on-bad"):
        front_door.transfer("builtin:tinyconv", spoiled, on_bad=0.01)
    run = front_door.transfer("builtin:tinyconv", spoiled, head="prototype", on_bad="max=2")
    assert len(run.summary["data"]["bad"]) == 2
    with pytest.raises(DataError):
        run.predict(spoiled, on_bad="max=1")
    with pytest.raises(DataError):
        front_door.extract("builtin:tinyconv", spoiled, on_bad="fail")
