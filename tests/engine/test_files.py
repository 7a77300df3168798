"""Small files written whole or not at all."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zoo.engine import FeatureStore
from zoo.engine.files import write_file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_first_of_two_writers_stays_unless_replaced(tmp_path):
    path = tmp_path / "a.json"
    write_file(path, b"1", replace=False)
    write_file(path, b"2", replace=False)
    assert path.read_bytes() == b"1"
    write_file(path, b"3", replace=True)
    assert path.read_bytes() == b"3"
    assert names(tmp_path) == ["a.json"]


def test_a_file_system_without_hard_links_serves_too(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = tmp_path / "a.json"
    write_file(path, b"1", replace=False)
    write_file(path, b"2", replace=False)
    assert path.read_bytes() == b"1"
    assert names(tmp_path) == ["a.json"]


def test_a_failed_write_leaves_no_temporary_file(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_file(tmp_path / "a.json", b"1", replace=True)
    assert names(tmp_path) == ["a.json"]


def test_of_many_creators_of_a_store_one_writes_its_provenance(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(lambda n: FeatureStore.create(tmp_path, {"k": 1}, {"n": n}), range(32))
        )
    assert len({store.provenance["n"] for store in made}) == 1
