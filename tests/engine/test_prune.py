"""Pruning removes what it was told to, in an order that loses nothing else, beside live writers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from zoo.engine import FeatureStore, list_stores, mark_used, prune_stores, row_keys
from zoo.errors import StoreError

DAY = 86400


def keys_of(numbers):
    return row_keys([hashlib.sha256(str(n).encode()).digest()[:16] for n in numbers])


def append(store, numbers):
    values = np.asarray(list(numbers), np.float32)[:, None] + np.zeros(256, np.float32)
    store.append(keys_of(numbers), {"x": values})


def make(root, name, *, shards=1, days=0.0):
    """A store of some shards of 10 rows (about 11 KB) each, last used so many days ago."""
    with FeatureStore.create(root, {"name": name}) as store:
        for number in range(shards):
            append(store, range(10 * number, 10 * number + 10))
            store.flush()
    age(store.folder, days)
    return store.folder


def age(folder, days):
    then = time.time() - days * DAY
    for path in folder.iterdir():
        os.utime(path, (then, then))


def die_with_rows(root, name):
    """A writer that dies before it seals its rows: they stay in its journal."""
    code = (
        "import os, sys, numpy as np\nfrom zoo.engine import FeatureStore\n"
        "store = FeatureStore.create(sys.argv[1], {'name': sys.argv[2]})\n"
        "store.append(np.zeros((1, 16), np.uint8), {'x': np.ones((1, 2), np.float32)})\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(root), name], check=True)
    (journal,) = root.glob("*/*.journal")
    return journal.parent


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_named_key_goes_and_the_others_stay(tmp_path):
    one, other = make(tmp_path, "one", shards=2), make(tmp_path, "other")
    size = sum(path.stat().st_size for path in one.iterdir())
    (done,) = prune_stores(tmp_path, keys=[one.name])
    assert (done.folder, done.whole, done.bytes, done.left) == (one, True, size, ())
    assert len(done.files) == 3
    assert not one.exists()
    assert [info.folder for info in list_stores(tmp_path)] == [other]


def test_nothing_is_removed_unless_it_is_asked_for(tmp_path):
    make(tmp_path, "one", days=1000)
    before = files(tmp_path)
    assert prune_stores(tmp_path) == []
    assert prune_stores(tmp_path, keys=["0" * 32], older_than=2000 * DAY, max_bytes=1 << 40) == []
    assert files(tmp_path) == before
    assert prune_stores(tmp_path / "none", max_bytes=0) == []


def test_keys_not_used_for_so_long_go(tmp_path):
    old, new = make(tmp_path, "old", days=31), make(tmp_path, "new", days=29)
    done = prune_stores(tmp_path, older_than=30 * DAY)
    assert [each.folder for each in done] == [old]
    assert new.exists()


def test_a_key_is_as_old_as_its_last_use(tmp_path):
    read, written = make(tmp_path, "read", days=31), make(tmp_path, "written", days=31)
    mark_used(read)
    with FeatureStore.at(written) as store:
        append(store, [1000])
    assert prune_stores(tmp_path, older_than=30 * DAY) == []


def test_a_use_that_cannot_be_noted_is_no_error(tmp_path):
    mark_used(tmp_path / "none")


def test_beyond_a_size_the_least_recently_used_keys_go_whole(tmp_path):
    folders = [make(tmp_path, f"{days}", days=days) for days in (1, 3, 2)]
    size = sum(path.stat().st_size for path in folders[0].iterdir())
    done = prune_stores(tmp_path, max_bytes=size)
    assert [each.folder for each in done] == [folders[1], folders[2]]
    assert all(each.whole for each in done)
    assert folders[0].exists()


def test_of_the_last_key_only_its_oldest_shards_go(tmp_path):
    old = make(tmp_path, "old", days=9)
    new = make(tmp_path, "new", shards=4, days=1)
    shards = sorted(path.name for path in new.glob("*.safetensors"))
    each = (new / shards[0]).stat().st_size
    rest = sum(path.stat().st_size for path in new.iterdir())
    done = prune_stores(tmp_path, max_bytes=rest - each - 1)
    assert [(d.folder, d.whole) for d in done] == [(old, True), (new, False)]
    assert done[1].files == (shards[0], shards[1])
    with FeatureStore.at(new) as store:
        assert store.contains(keys_of(range(40)), "x").tolist() == [False] * 20 + [True] * 20
        assert store.verify().damaged == ()


def test_a_key_without_shards_left_goes_with_its_name(tmp_path):
    folder = make(tmp_path, "one")
    (done,) = prune_stores(tmp_path, max_bytes=100)
    assert done.whole
    assert not folder.exists()


def test_a_dry_run_tells_what_would_go_and_removes_nothing(tmp_path):
    for name in "ab":
        make(tmp_path, name, shards=2, days=ord(name))
    before = files(tmp_path)
    for asked in ({"older_than": 97.5 * DAY}, {"max_bytes": 18_000}):
        told = prune_stores(tmp_path, **asked, dry_run=True)
        assert files(tmp_path) == before
    assert len(told) == 2
    assert prune_stores(tmp_path, max_bytes=18_000) == told
    gone = sorted(f"{each.folder.name}/{name}" for each in told for name in each.files)
    assert gone == sorted(set(before) - set(files(tmp_path)))


def test_a_key_with_a_live_writer_is_left_and_named(tmp_path):
    folder = make(tmp_path, "live", days=99)
    make(tmp_path, "dead", days=98)
    with FeatureStore.at(folder) as store:
        append(store, [5000])
        (journal,) = folder.glob("*.journal")
        age(folder, 99)
        before = files(folder)
        for asked in ({"keys": [folder.name]}, {"older_than": DAY}, {"max_bytes": 0}):
            done = {each.folder: each for each in prune_stores(tmp_path, **asked)}
            assert done[folder].busy == journal.name
            assert (done[folder].files, done[folder].bytes) == ((), 0)
            assert files(folder) == before
        assert not done.keys() - {folder}  # the other went the time before
    assert prune_stores(tmp_path, keys=[folder.name])[0].busy == ""


def test_what_a_dead_writer_left_goes_with_its_key(tmp_path):
    folder = die_with_rows(tmp_path, "dead")
    (journal,) = folder.glob("*.journal")
    journal.with_suffix(".recover").write_bytes(b"half read")
    for name in (f"{journal.stem}.safetensors.tmp", "key.json.77-0123456789abcdef.tmp"):
        (folder / name).write_bytes(b"half")
    (folder / "vouched-0123456789ab.json").write_text("{}")
    age(folder, 1)
    (done,) = prune_stores(tmp_path, older_than=DAY / 2)
    assert len(done.files) == 6
    assert done.files[-1] == "key.json"
    assert not folder.exists()


def test_a_temporary_file_that_was_written_just_now_is_somebody_s(tmp_path):
    folder = make(tmp_path, "merged")
    name = "0" * 16 + "-" + "0" * 8 + "-" + "0" * 16 + ".safetensors.tmp"
    (folder / name).write_bytes(b"half")
    (done,) = prune_stores(tmp_path, keys=[folder.name])
    assert done.busy == name
    assert len(files(folder)) == 3


def test_files_that_are_not_the_store_s_stay_and_are_named(tmp_path):
    folder = make(tmp_path, "one")
    (folder / "notes.txt").write_text("mine")
    (folder / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    (folder / "sub").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "key.json").write_text("{}")
    (done,) = prune_stores(tmp_path, max_bytes=0)
    assert done.left == ("model.safetensors", "notes.txt", "sub")
    left = ["elsewhere/key.json", *(f"{folder.name}/{name}" for name in done.left[:2])]
    assert files(tmp_path) == sorted(left)
    assert prune_stores(tmp_path, max_bytes=0) == []


def test_a_shard_that_was_copied_under_another_name_is_one(tmp_path):
    folder = make(tmp_path, "one")
    (shard,) = folder.glob("*.safetensors")
    shard.rename(folder / "copied.safetensors")
    (done,) = prune_stores(tmp_path, keys=[folder.name])
    assert done.files == ("copied.safetensors", "key.json")


def test_of_a_link_the_link_goes_and_not_what_it_leads_to(tmp_path):
    folder = make(tmp_path / "store", "one")
    (shard,) = folder.glob("*.safetensors")
    kept = shard.rename(tmp_path / shard.name)
    shard.symlink_to(kept)
    prune_stores(tmp_path / "store", max_bytes=0)
    assert kept.exists()
    assert not folder.exists()


def test_a_key_whose_key_json_is_damaged_or_gone_can_be_removed(tmp_path):
    damaged, gone = make(tmp_path, "damaged"), make(tmp_path, "gone")
    (damaged / "key.json").write_text("{")
    (gone / "key.json").unlink()
    prune_stores(tmp_path, keys=[damaged.name, gone.name])
    assert list(tmp_path.iterdir()) == []


def test_key_json_goes_last_so_that_a_crash_leaves_a_store(tmp_path, monkeypatch):
    folder = make(tmp_path, "one", shards=3)
    removed = []
    unlink = Path.unlink

    def stopping(self, **options):
        if len(removed) == 2:
            raise KeyboardInterrupt
        removed.append(self.name)
        unlink(self, **options)

    monkeypatch.setattr(Path, "unlink", stopping)
    with pytest.raises(KeyboardInterrupt):
        prune_stores(tmp_path, keys=[folder.name])
    monkeypatch.undo()
    (info,) = list_stores(tmp_path)
    assert (info.shards, info.rows, info.damaged) == (1, 10, ())
    assert prune_stores(tmp_path, keys=[folder.name])[0].whole


@pytest.mark.parametrize("moment", [0, 1])
def test_a_writer_that_comes_meanwhile_keeps_its_rows(tmp_path, monkeypatch, moment):
    folder = make(tmp_path, "one")
    writers = []
    unlink = Path.unlink

    def writing(self, **options):
        ours = self.parent == folder and len(writers) == 0
        if ours and (self.name == "key.json") == bool(moment):
            writers.append(FeatureStore.at(folder))
            append(writers[0], [5000])
        unlink(self, **options)

    monkeypatch.setattr(Path, "unlink", writing)
    (done,) = prune_stores(tmp_path, keys=[folder.name])
    monkeypatch.undo()
    assert (done.whole, done.busy.endswith(".journal")) == (False, True)
    del writers[:]  # without a close: what was committed is recovered
    with FeatureStore.at(folder) as store:
        assert store.contains(keys_of([5000, 1]), "x").tolist() == [True, False]


def test_who_reads_reads_on(tmp_path):
    folder = make(tmp_path, "one")
    with FeatureStore.at(folder) as store:
        blocks = store.stream("x", block_rows=3)
        next(blocks)
        views = store.views("x")
        prune_stores(tmp_path, keys=[folder.name])
        assert sum(len(keys) for keys, _ in blocks) == 7
        assert views[0].values[9, 0] == 9.0


def test_a_writer_whose_store_was_pruned_makes_it_again(tmp_path):
    with FeatureStore.create(tmp_path, {"name": "one"}) as store:
        append(store, range(10))
        store.flush()
        assert prune_stores(tmp_path, keys=[store.folder.name])[0].whole
        append(store, range(20, 30))
    with FeatureStore.open(tmp_path, {"name": "one"}) as store:
        assert store.columns()["x"][2] == 10


def test_several_may_prune_at_once(tmp_path):
    for name in range(12):
        make(tmp_path, f"{name}")
    failures = []

    def run():
        try:
            prune_stores(tmp_path, max_bytes=0)
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert files(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove anything")
def test_what_may_not_be_removed_is_an_error_that_names_the_folder(tmp_path):
    folder = make(tmp_path, "one")
    folder.chmod(0o555)
    try:
        with pytest.raises(StoreError, match=folder.name):
            prune_stores(tmp_path, keys=[folder.name])
    finally:
        folder.chmod(0o755)
