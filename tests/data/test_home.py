from __future__ import annotations

import pytest

from zoo.data.folder import FolderReader
from zoo.data.home import Home
from zoo.data.shards import shards
from zoo.errors import DataError
from zoo.plugin import DataOptions


def test_what_lies_or_leads_outside_is_not_held(tmp_path):
    root = tmp_path / "data"
    (root / "a").mkdir(parents=True)
    (tmp_path / "data2").mkdir()
    (root / "out").symlink_to("../data2")
    (root / "in").symlink_to("a")
    (tmp_path / "link").symlink_to("data")
    home = Home(tmp_path / "link")
    assert all(map(home.holds, (root, root / "a", root / "in" / "x", tmp_path / "link" / "x")))
    assert not any(map(home.holds, (tmp_path, tmp_path / "data2", root / "out" / "x")))


def test_a_snapshot_of_the_hub_may_link_to_its_own_blobs_alone(tmp_path):
    repository = tmp_path / "datasets--org--name"
    snapshot = repository / "snapshots" / "0123abc"
    (repository / "blobs").mkdir(parents=True)
    for folder in ("train/cat", "train/dog", "shards"):
        (snapshot / folder).mkdir(parents=True)
    (repository / "blobs" / "5e88").write_bytes(b"x")
    (tmp_path / "secret").write_bytes(b"x")
    up = "../../../blobs/5e88"
    (snapshot / "train/cat/1.png").symlink_to("../" + up)
    (snapshot / "train/dog/2.png").symlink_to("../" + up)
    (snapshot / "shards/train-0.tar").symlink_to(up)
    read = FolderReader().read(str(snapshot), DataOptions())
    assert [item.value.read_bytes() for item in read.items] == [b"x", b"x"]
    assert len(shards(str(snapshot / "shards"), [".tar"])[0]) == 1
    (snapshot / "train/dog/3.png").symlink_to("../../../../../secret")
    with pytest.raises(DataError, match="leads out"):
        FolderReader().read(str(snapshot), DataOptions())
