from __future__ import annotations

from pathlib import Path

import pytest

from zoo.data.shards import expanded, holds, shards
from zoo.errors import DataError

TAR = (".tar",)


def make(root: Path, *names: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def found(reference) -> list[tuple[str, str]]:
    return [(shard.name, shard.split) for shard in shards(str(reference), TAR)[0]]


def test_a_pattern_counts_with_leading_zeros():
    assert expanded("s-{008..010}.tar") == ["s-008.tar", "s-009.tar", "s-010.tar"]
    assert expanded("{1..2}-{0..1}") == ["1-0", "1-1", "2-0", "2-1"]
    assert expanded("plain{a..b}") == ["plain{a..b}"]


def test_a_file_that_is_called_like_a_pattern_is_that_file(tmp_path):
    make(tmp_path, "s-{0..1}.tar")
    assert expanded(f"{tmp_path}/s-{{0..1}}.tar") == [f"{tmp_path}/s-{{0..1}}.tar"]


@pytest.mark.parametrize("pattern", ["{3..1}", "{0..999999999}", "{0..999}{0..999}"])
def test_patterns_that_nobody_means_are_refused(pattern):
    with pytest.raises(DataError, match="counts"):
        expanded(pattern)


def test_a_file_of_a_pattern_that_is_absent_is_named(tmp_path):
    make(tmp_path, "s-0.tar", "s-2.tar")
    with pytest.raises(DataError, match=r"s-1\.tar"):
        shards(f"{tmp_path}/s-{{0..2}}.tar", TAR)
    assert found(f"{tmp_path}/s-{{2..2}}.tar") == [("s-2.tar", "")]


def test_shards_are_ordered_by_number_and_train_comes_first(tmp_path):
    make(tmp_path, "val-1.tar", "train-10.tar", "train-9.tar", "val-0.tar")
    assert found(tmp_path) == [
        ("train-9.tar", "train"),
        ("train-10.tar", "train"),
        ("val-0.tar", "val"),
        ("val-1.tar", "val"),
    ]


def test_folders_may_be_the_splits(tmp_path):
    make(tmp_path, "default/train/0000.tar", "default/train/0001.tar", "default/test/0000.tar")
    assert [split for _, split in found(tmp_path)] == ["train", "train", "test"]


@pytest.mark.parametrize("name", ["set-{}-0000.tar", "{}_images.tar", "a.b.{}.tar"])
def test_a_split_may_stand_at_an_end_of_the_name(tmp_path, name):
    make(tmp_path, name.format("validation"), name.format("train"))
    assert [split for _, split in found(tmp_path)] == ["train", "val"]


def test_hashes_at_the_end_and_other_splits_do_not_matter(tmp_path):
    make(tmp_path, "train-00000-of-00001-f17553292686b6e2.tar", "extra-0.tar", ".hidden.tar")
    assert found(tmp_path) == [("train-00000-of-00001-f17553292686b6e2.tar", "train")]
    assert "ignored 1 files of no split, such as 'extra-0.tar'" in shards(str(tmp_path), TAR)[1]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ((), "holds no .tar files"),
        (("a.tar", "b.tar"), "'a.tar', 'b.tar'"),
        (("train-0.tar", "training-0.tar"), "are all the train split"),
        (("s-00000-of-00003.tar", "s-00002-of-00003.tar"), "number 00001 is missing"),
        (("s-00000-of-00001.tar", "s-00001-of-00001.tar"), "more files than that"),
    ],
)
def test_unclear_and_incomplete_series_are_refused(tmp_path, names, says):
    with pytest.raises(DataError, match=says) as caught:
        shards(str(make(tmp_path / "d", *names)), TAR)
    assert caught.value.hint


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    make(tmp_path, "secret.tar", "d/train-0.tar")
    (tmp_path / "d" / "test-0.tar").symlink_to("../secret.tar")
    with pytest.raises(DataError, match="leads out"):
        shards(str(tmp_path / "d"), TAR)


def test_names_alone_say_whether_a_folder_holds_shards(tmp_path):
    assert holds(make(tmp_path / "a", "x.tar", "train/y.tar"), TAR)
    assert holds(make(tmp_path / "b", "data/train/y.tar"), TAR)
    assert not holds(make(tmp_path / "c", "x.tar", "cat/1.png"), TAR)
    assert holds(make(tmp_path / "d", "plain/train-0.tar", "short/train-0.tar"), TAR)
    assert not holds(make(tmp_path / "f", "plain/train-0.tar", "cat/1.png"), TAR)
    assert not holds(make(tmp_path / "e"), TAR)
