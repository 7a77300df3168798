"""Stated preprocessing is read strictly: unknown keys and wrong values are named."""

from __future__ import annotations

import pytest

from zoo.errors import UsageError
from zoo.preprocess import parse_overrides, read_beside, read_toml


def test_key_value_pairs_are_parsed_with_lists_by_semicolon():
    got = parse_overrides("size=224,resize=256,mean=0.485;0.456;0.406,std=1,crop=center,tap=a/b_1")
    assert got == {
        "size": 224,
        "resize": 256,
        "mean": [0.485, 0.456, 0.406],
        "std": [1.0],
        "crop": "center",
        "tap": "a/b_1",
    }


def test_nothing_stated_is_nothing():
    assert parse_overrides("") == {}


def test_a_toml_file_gives_the_same_keys(tmp_path):
    path = tmp_path / "preprocess.toml"
    path.write_text('input = "image"\nsize = [10, 20]\nresize = "exact"\nmean = [1, 2, 3]\n')
    assert parse_overrides(str(path)) == {
        "input": "image",
        "size": [10, 20],
        "resize": "exact",
        "mean": [1.0, 2.0, 3.0],
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sizes=224", "unknown key 'sizes'"),
        ("size=224,mean", "'mean' is not key=value"),
        ("size=-3", "size = -3"),
        ("size=1.5", "size = 1.5"),
        ("crop=left", "crop = 'left'"),
        ("color=gbr", "color = 'gbr'"),
        ("filter=magic", "filter = 'magic'"),
        ("mean=a;b;c", "not a list of numbers"),
        ("scale=big", "scale = 'big'"),
        ("batch=0", "batch = 0"),
        ("input=video", "input = 'video'"),
        ("input=audio,mean=1", "unknown key 'mean' for audio"),
        ("pool=max", "pool = 'max'"),
    ],
)
def test_what_is_wrong_is_named(text, complaint):
    with pytest.raises(UsageError, match=complaint):
        parse_overrides(text)


def test_a_missing_file_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere\.toml") as caught:
        parse_overrides(str(tmp_path / "nowhere.toml"))
    assert caught.value.hint


def test_broken_toml_is_named(tmp_path):
    path = tmp_path / "preprocess.toml"
    path.write_text("size = [")
    with pytest.raises(UsageError, match="not valid TOML"):
        read_toml(path)


def test_a_folder_states_what_its_file_says_and_nothing_without_one(tmp_path):
    assert read_beside(tmp_path) == {}
    (tmp_path / "preprocess.toml").write_text("size = 10\n")
    assert read_beside(tmp_path) == {"size": 10}
