"""Digests of samples and of weights files."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest

from zoo.engine import FileDigests, sample_digest
from zoo.errors import DataError


def sha(content):
    return hashlib.sha256(content).digest()[:16]


def test_a_file_is_named_by_its_bytes_and_a_text_by_its_utf8(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"content")
    assert sample_digest(path) == sha(b"content")
    assert sample_digest(b"content") == sample_digest(path)
    assert sample_digest("grüße") == sha("grüße".encode())


def test_an_array_is_named_by_dtype_shape_and_values():
    array = np.arange(6, dtype="<f4").reshape(2, 3)
    assert sample_digest(array) == sha(b"array\0<f4(2, 3)" + array.tobytes())
    assert sample_digest(np.asfortranarray(array)) == sample_digest(array)
    others = [array.reshape(3, 2), array.astype("<f8"), array.view("<i4"), array[:0], array[0, 0:1]]
    assert len({sample_digest(each) for each in [array, *others, np.array(1.0)]}) == 7


def test_what_is_no_sample_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        sample_digest(tmp_path / "none")
    with pytest.raises(DataError, match="not int"):
        sample_digest(3)
    with pytest.raises(DataError, match="object"):
        sample_digest(np.array([object()]))
    with pytest.raises(DataError, match="not valid Unicode"):
        sample_digest("\ud800")


def test_a_file_is_read_once_and_again_when_it_changed(tmp_path, monkeypatch):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"one")
    digests = FileDigests(tmp_path / "home")
    reads = []
    whole = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *a: (reads.append(1), whole(*a))[1])
    for _ in range(3):
        assert digests.sha256(path) == hashlib.sha256(b"one").hexdigest()
    assert FileDigests(tmp_path / "home").sha256(str(path)) == hashlib.sha256(b"one").hexdigest()
    assert len(reads) == 1
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))  # whatever the clock's steps, the time of change is another
    assert digests.sha256(path) == hashlib.sha256(b"two").hexdigest()


def test_a_blob_of_the_hubs_cache_is_not_read(tmp_path):
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    name = "ab" * 32
    (blobs / name).write_bytes(b"not what the name says, so reading it would show")
    (tmp_path / "model.safetensors").symlink_to(blobs / name)
    assert FileDigests(tmp_path).sha256(tmp_path / "model.safetensors") == name
    git_blob = blobs / ("cd" * 20)
    git_blob.write_bytes(b"x")
    assert FileDigests(tmp_path).sha256(git_blob) == hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize("content", ["", "[]", '{"1:2:3:4": 5}', "\x00", "[" * 100_000])
def test_a_damaged_memory_is_begun_anew(tmp_path, content):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"one")
    memo = tmp_path / "file-digests.json"
    memo.write_text(content)
    assert FileDigests(tmp_path).sha256(path) == hashlib.sha256(b"one").hexdigest()
    assert list(json.loads(memo.read_text()).values()) == [hashlib.sha256(b"one").hexdigest()]


def test_a_home_that_cannot_be_written_is_no_error(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"one")
    (tmp_path / "home").write_text("a file where the folder should be")
    assert FileDigests(tmp_path / "home").sha256(path) == hashlib.sha256(b"one").hexdigest()


def test_weights_that_are_not_there_are_a_data_error(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        FileDigests(tmp_path).sha256(tmp_path / "none")


def test_a_dry_run_remembers_nothing_but_reads_what_is_known(tmp_path):
    from zoo.engine.digests import nothing_remembered

    file = tmp_path / "weights"
    file.write_bytes(b"w")
    with nothing_remembered():
        digest = FileDigests(tmp_path / "home").sha256(file)
        assert FileDigests(tmp_path / "home").derived(file, "kind", lambda _: "told") == "told"
    assert not (tmp_path / "home").exists()
    assert FileDigests(tmp_path / "home").sha256(file) == digest
    assert (tmp_path / "home").exists()
