"""The feature store's Python face: what is appended is found again, or an error says why not."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from zoo import _core
from zoo.engine import FeatureStore, Ragged, Scaled, VerifyReport, list_stores, row_keys
from zoo.engine.native_errors import translated
from zoo.errors import StoreError

KEY = {"weights": "ab" * 32, "contract": {"size": 224, "mean": [0.5, 0.25]}, "numerics": 1}


def keys_of(numbers):
    return row_keys([hashlib.sha256(str(n).encode()).digest()[:16] for n in numbers])


def values_of(numbers, dim=3, dtype=np.float32):
    return (np.asarray(list(numbers))[:, None] + np.arange(dim) / 8).astype(dtype)


def shards(store):
    return sorted(store.folder.glob("*.safetensors"))


@pytest.fixture
def store(tmp_path):
    with FeatureStore.create(tmp_path, KEY, {"zoo": "0.1"}) as store:
        yield store


def test_rows_come_back_in_the_order_asked(store):
    store.append(keys_of(range(50)), {"x": values_of(range(50))})
    order = [7, 3, 49, 0, 7]
    for _ in range(2):
        assert np.array_equal(store.rows(keys_of(order), "x"), values_of(order))
        store.flush()


def test_a_shard_is_a_safetensors_file_of_the_documented_parts(store):
    rows = [values_of([i], 2) for i in range(3)]
    ragged = Ragged.from_rows([rows[0], np.concatenate(rows), rows[2][:0], rows[1], rows[2]])
    small = Scaled(np.arange(10, dtype=np.int8).reshape(5, 2), np.full(5, 0.5, np.float32))
    keys = keys_of(range(5))
    store.append(keys, {"x": values_of(range(5)), "t": ragged, "q": small})
    store.flush()
    (path,) = shards(store)
    tensors = load_file(path)
    parts = {name: tensor for name, tensor in tensors.items() if not name.startswith("pad:")}
    expected = "key order x crc:x offsets:t t crc:t q scale:q crc:q seal"
    assert set(parts) == set(expected.split())
    assert np.array_equal(parts["key"], keys)
    assert np.array_equal(parts["x"], values_of(range(5)))
    assert np.array_equal(parts["t"], ragged.values)
    assert parts["offsets:t"].tolist() == ragged.offsets.tolist() == [0, 1, 4, 4, 5, 6]
    assert np.array_equal(parts["q"], small.values)
    assert np.array_equal(parts["scale:q"], small.scales)
    assert parts["order"].tolist() == sorted(range(5), key=lambda i: keys[i].tobytes())
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    sums = b"".join(parts[f"crc:{name}"].tobytes() for name in ("x", "t", "q"))
    seal = hashlib.sha256(content[:end] + sums).digest()
    assert parts["seal"].tobytes() == seal == content[-32:]


def test_the_header_in_the_format_description_is_the_one_written(tmp_path, store):
    store.append(keys_of(range(2)), {"x": values_of(range(2))})
    store.flush()
    content = shards(store)[0].read_bytes()
    header = content[8 : 8 + int.from_bytes(content[:8], "little")].rstrip(b" ").decode()
    readme = Path(__file__).parents[2] / "csrc" / "README.md"
    assert f"`{header}`" in readme.read_text()


def test_a_later_forward_adds_the_missing_column(store):
    store.append(keys_of(range(4)), {"x": values_of(range(4))})
    added = store.append(
        keys_of(range(6)),
        {"x": values_of(range(6)), "cls/none": values_of(range(6), 2, np.float16)},
    )
    assert added == 2 + 6
    store.flush()
    assert store.columns() == {"cls/none": ("float16", 2, 6), "x": ("float32", 3, 6)}
    assert store.contains(keys_of([5, 6]), "cls/none").tolist() == [True, False]
    assert store.contains(keys_of([5, 6]), "unknown").tolist() == [False, False]


def test_a_row_once_written_is_never_replaced(store):
    store.append(keys_of([1]), {"x": values_of([1])})
    store.flush()
    assert store.append(keys_of([1]), {"x": values_of([2])}) == 0
    assert np.array_equal(store.rows(keys_of([1]), "x"), values_of([1]))


def test_missing_rows_are_an_error_that_counts_them(store):
    store.append(keys_of(range(3)), {"x": values_of(range(3))})
    with pytest.raises(StoreError, match="2 of 5 rows are missing from column 'x'"):
        store.rows(keys_of(range(5)), "x")
    with pytest.raises(StoreError, match=r"column 'y' is not in .*; it has: x"):
        store.rows(keys_of([0]), "y")


def test_no_rows_are_rows_too(store):
    assert store.append(keys_of([]), {"x": values_of([])}) == 0
    assert store.columns() == {}
    store.append(keys_of([1]), {"x": values_of([1])})
    assert store.rows(keys_of([]), "x").shape == (0, 3)


@pytest.mark.parametrize(
    ("keys", "columns", "why"),
    [
        (keys_of([1]), {"x": values_of([1], 4)}, "holds F32 x 3, not F32 x 4"),
        (keys_of([1]), {"x": values_of([1], 3, np.float16)}, "holds F32 x 3, not F16 x 3"),
        (keys_of([1]), {"x": values_of([1, 2])}, "needs a row a key"),
        (keys_of([1]), {"y": np.zeros(3, np.float32)}, r"\(n, d\)"),
        (keys_of([1]), {"y": np.zeros((1, 0), np.float32)}, "rows of 0 values"),
        (keys_of([1]), {"y": np.zeros((1, 3))}, "cannot store float64"),
        (keys_of([1]), {"y": np.zeros((1, 3), np.uint16)}, "cannot store uint16"),
        (keys_of([1]), {"crc:x": values_of([1])}, "the format's own"),
        (keys_of([1]), {"a\nb": values_of([1])}, "control character"),
        (keys_of([1]), {}, "needs a column"),
        (keys_of([1])[:, :8], {"x": values_of([1])}, "keys must be"),
        (keys_of([1]).astype(np.int64), {"x": values_of([1])}, "keys must be"),
    ],
)
def test_rows_that_do_not_fit_are_refused(store, keys, columns, why):
    store.append(keys_of([0]), {"x": values_of([0])})
    with pytest.raises(StoreError, match=why):
        store.append(keys, columns)
    assert store.columns() == {"x": ("float32", 3, 1)}


def test_strided_and_big_endian_arrays_are_stored_by_value(store):
    values = values_of(range(6), 6)
    store.append(keys_of(range(6)), {"a": values[:, ::2], "b": values.astype(">f4")})
    assert np.array_equal(store.rows(keys_of(range(6)), "a"), values[:, ::2])
    assert np.array_equal(store.rows(keys_of(range(6)), "b"), values)
    assert np.array_equal(store.rows(keys_of(range(6))[::-1], "b"), values[::-1])


def test_bfloat16_rounds_to_nearest_even_and_comes_back_as_float32(store):
    bits = np.array([[0x3F80, 0x3F81, 0x7F80, 0xFF80]], dtype=np.uint16)
    exact = (bits.astype(np.uint32) << 16).view(np.float32)
    half = np.array([[0x3F808000, 0x3F818000, 0x3F808001, 0x7F7FFFFF]], np.uint32)
    store.append(keys_of([0]), {"x": bits}, dtype="bfloat16")
    store.append(keys_of([1]), {"x": half.view(np.float32)}, dtype="bfloat16")
    nan = np.full((1, 4), np.nan, np.float32)
    store.append(keys_of([2]), {"x": nan}, dtype="bfloat16")
    store.flush()
    assert store.columns()["x"] == ("bfloat16", 4, 3)
    assert np.array_equal(store.rows(keys_of([0]), "x"), exact)
    rounded = store.rows(keys_of([1]), "x", dtype="bfloat16")
    assert rounded.tolist() == [[0x3F80, 0x3F82, 0x3F81, 0x7F80]]
    assert np.isnan(store.rows(keys_of([2]), "x")).all()
    with pytest.raises(StoreError, match="holds bfloat16, not float16"):
        store.rows(keys_of([0]), "x", dtype="float16")


def test_float16_rows_come_as_float32_on_request(store):
    store.append(keys_of([1]), {"x": values_of([1])}, dtype="float16")
    assert store.rows(keys_of([1]), "x").dtype == np.float16
    assert store.rows(keys_of([1]), "x", dtype="float32").dtype == np.float32


def test_values_past_float16_are_refused_instead_of_infinite(store):
    with pytest.raises(StoreError, match="past float16's range"):
        store.append(keys_of([1]), {"x": np.full((1, 2), 1e6, np.float32)}, dtype="float16")


def test_the_folder_is_named_by_the_key_and_tells_it_in_clear_text(tmp_path, store):
    text = json.dumps(KEY, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert store.folder == tmp_path / hashlib.sha256(text.encode()).hexdigest()[:32]
    told = json.loads((store.folder / "key.json").read_text())
    assert told == {"key": KEY, "provenance": {"zoo": "0.1"}}
    assert sorted(path.name for path in store.folder.iterdir()) == ["key.json"]


def test_the_first_creators_provenance_stays(tmp_path, store):
    again = FeatureStore.create(tmp_path, dict(reversed(KEY.items())), {"zoo": "9"})
    assert again.folder == store.folder
    assert again.provenance == {"zoo": "0.1"}


def test_opening_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="no features of this key"):
        FeatureStore.open(tmp_path, KEY)
    with pytest.raises(StoreError, match="No such file"):
        FeatureStore.at(tmp_path / "none")


@pytest.mark.parametrize("key", [{"a": float("nan")}, {"a": b"bytes"}, {"a": "\ud800"}])
def test_a_key_that_is_not_json_is_refused(tmp_path, key):
    with pytest.raises(StoreError, match="must be JSON"):
        FeatureStore.create(tmp_path, key)


@pytest.mark.parametrize("content", ["", "[]", '{"key": {}}', '{"key": {}, "provenance": {}}'])
def test_a_damaged_key_file_is_refused_and_listed(tmp_path, store, content):
    (store.folder / "key.json").write_text(content)
    with pytest.raises(StoreError, match=r"key\.json is damaged"):
        FeatureStore.open(tmp_path, KEY)
    assert store.verify().damaged[0][0] == "key.json"
    assert list_stores(tmp_path)[0].damaged[0][0] == "key.json"


def test_a_closed_store_refuses_work(store):
    store.append(keys_of([1]), {"x": values_of([1])})
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.rows(keys_of([1]), "x")
    assert len(shards(store)) == 1


def test_a_store_left_open_seals_when_it_is_dropped(tmp_path):
    store = FeatureStore.create(tmp_path, KEY)
    store.append(keys_of([1]), {"x": values_of([1])})
    del store
    assert FeatureStore.open(tmp_path, KEY).contains(keys_of([1]), "x").all()


def test_others_see_rows_after_they_are_sealed_and_refreshed(tmp_path, store):
    other = FeatureStore.open(tmp_path, KEY)
    store.append(keys_of([1]), {"x": values_of([1])})
    other.refresh()
    assert not other.contains(keys_of([1]), "x").any()
    store.flush()
    assert not other.contains(keys_of([1]), "x").any()
    other.refresh()
    assert np.array_equal(other.rows(keys_of([1]), "x"), values_of([1]))


def test_full_buffers_become_shards(tmp_path, store):
    small = FeatureStore(store.folder, shard_bytes=280)  # ten rows of a key and three values
    small.append(keys_of(range(25)), {"x": values_of(range(25))})
    assert small.info().shards == 2
    hasty = FeatureStore(store.folder, seal_seconds=0)
    hasty.append(keys_of([99]), {"x": values_of([99])})
    assert hasty.info().shards == 3


def test_int8_rows_are_within_half_a_scale_of_what_was_given(store):
    rng = np.random.default_rng(0)
    values = (rng.standard_normal((50, 16)) * 10.0 ** rng.integers(-30, 30, (50, 1))).astype("f4")
    values[7] = 0
    store.append(keys_of(range(50)), {"x": values}, dtype="int8")
    store.flush()
    assert store.columns()["x"] == ("int8", 16, 50)
    small = store.rows(keys_of(range(50)), "x", dtype="int8")
    assert np.array_equal(np.abs(small.values).max(axis=1), [127] * 7 + [0] + [127] * 42)
    got = store.rows(keys_of(range(50)), "x")
    assert got.dtype == np.float32
    assert (np.abs(got - values) <= 0.501 * small.scales[:, None]).all()
    with pytest.raises(StoreError, match="not finite"):
        store.append(keys_of([99]), {"x": np.full((1, 16), np.inf, np.float32)}, dtype="int8")


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8"])
def test_ragged_rows_come_back_in_the_order_asked(store, dtype):
    rng = np.random.default_rng(1)
    rows = [rng.integers(-8, 8, (n, 4)).astype(np.float32) for n in (3, 0, 1, 7, 0, 2)]
    for row in rows:
        row[:, 0] = 127  # so that int8 with its scale of 1 is exact
    keys = keys_of(range(6))
    store.append(keys, {"t": Ragged.from_rows(rows)}, dtype=dtype)
    order = [3, 1, 0, 0, 5, 4]
    for _ in range(2):
        got = store.rows(keys[order], "t", dtype="float32")
        assert len(got) == 6
        for i, number in enumerate(order):
            assert np.array_equal(got[i], rows[number])
        store.flush()
    ((streamed, block),) = store.stream("t", dtype="float32")
    assert np.array_equal(streamed, keys)
    assert all(np.array_equal(a, b) for a, b in zip(block, rows, strict=True))
    with pytest.raises(StoreError, match="2 of 2 rows are missing"):
        store.rows(keys_of([70, 71]), "t")
    with pytest.raises(StoreError, match="ragged"):
        store.append(keys_of([80]), {"t": np.zeros((1, 4), np.float32)}, dtype=dtype)


@pytest.mark.parametrize("offsets", [[0, 1], [0, 2, 1], [1, 2, 3], [0, 1, 2, 3], [0, 1, 4]])
def test_offsets_that_do_not_fit_are_refused(store, offsets):
    ragged = Ragged(np.zeros((3, 2), np.float32), np.array(offsets))
    with pytest.raises(StoreError, match="a row a key"):
        store.append(keys_of([1, 2]), {"t": ragged})


def test_a_stream_gives_each_row_once_in_blocks(tmp_path, store):
    other = FeatureStore.open(tmp_path, KEY)
    store.append(keys_of(range(50)), {"x": values_of(range(50))})
    other.append(keys_of(range(30, 90)), {"x": values_of(range(30, 90))})
    store.flush()
    other.flush()
    store.refresh()
    store.append(keys_of(range(90, 95)), {"x": values_of(range(90, 95))})
    seen = {}
    for keys, rows in store.stream("x", block_rows=7, threads=2):
        assert len(keys) == len(rows) <= 7
        for key, row in zip(keys, rows, strict=True):
            assert seen.setdefault(key.tobytes(), row) is row
    expected = dict(zip(map(bytes, keys_of(range(95))), values_of(range(95)), strict=True))
    assert seen.keys() == expected.keys()
    assert all(np.array_equal(seen[key], row) for key, row in expected.items())


def test_a_damaged_row_ends_a_stream_with_the_shards_name(tmp_path, store):
    store.append(keys_of(range(9)), {"x": values_of(range(9))})
    store.flush()
    (path,) = shards(store)
    content = bytearray(path.read_bytes())
    content[content.index(values_of([5]).tobytes())] ^= 1
    path.write_bytes(content)
    blocks = FeatureStore.open(tmp_path, KEY).stream("x", block_rows=5)
    assert len(next(blocks)[0]) == 5
    with pytest.raises(StoreError, match=path.name):
        next(blocks)


def test_views_are_the_files_own_bytes_and_outlive_them(store):
    store.append(keys_of(range(4)), {"x": values_of(range(4)), "h": values_of(range(4))})
    store.flush()
    (view,) = store.views("x")
    (path,) = shards(store)
    assert view.shard == path.name
    path.unlink()
    del store
    assert np.array_equal(view.keys, keys_of(range(4)))
    assert np.array_equal(view.values, values_of(range(4)))
    with pytest.raises(ValueError, match="read-only"):
        view.values[0] = 1


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8"])
def test_torch_takes_a_view_without_a_copy(store, dtype):
    torch = pytest.importorskip("torch")
    values = np.array([[127, 2, 0.5], [-127, 4, -8]], np.float32)
    store.append(keys_of(range(2)), {"x": values}, dtype=dtype)
    store.flush()
    (view,) = store.views("x")
    tensor = torch.from_dlpack(view)
    assert str(tensor.dtype) == f"torch.{dtype}"
    assert tensor.data_ptr() == view.values.ctypes.data
    expected = np.rint(values) if dtype == "int8" else values
    assert np.array_equal(tensor.float().numpy(), expected)
    with pytest.raises(BufferError, match="read-only"):
        view.__dlpack__()


def test_copied_views_are_checked(tmp_path, store):
    store.append(keys_of(range(4)), {"x": values_of(range(4))}, dtype="bfloat16")
    store.flush()
    (copied,) = store.views("x", copy=True)
    (mapped,) = store.views("x")
    assert np.array_equal(copied.values, mapped.values)
    assert np.array_equal(copied.keys, mapped.keys)
    (path,) = shards(store)
    content = bytearray(path.read_bytes())
    content[content.index(mapped.values.tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=path.name):
        FeatureStore.open(tmp_path, KEY).views("x", copy=True)


def test_small_shards_are_merged_under_a_reader(tmp_path, store):
    for n in range(6):
        store.append(keys_of([n]), {"x": values_of([n])})
        store.flush()
    reader = FeatureStore.open(tmp_path, KEY)
    report = store.compact()
    assert (report.before, report.after, report.rows) == (6, 1, 6)
    assert len(shards(store)) == 1
    assert np.array_equal(reader.rows(keys_of(range(6)), "x"), values_of(range(6)))


def test_a_pruned_folder_is_made_again_by_a_writer(tmp_path, store):
    store.append(keys_of([1]), {"x": values_of([1])})
    shutil.rmtree(store.folder)
    store.append(keys_of([2]), {"x": values_of([2])})
    store.close()
    again = FeatureStore.open(tmp_path, KEY)
    assert np.array_equal(again.rows(keys_of([1, 2]), "x"), values_of([1, 2]))


def test_a_folder_that_is_gone_is_an_error(tmp_path, store):
    store.append(keys_of([1]), {"x": values_of([1])})
    store.flush()
    reader = FeatureStore.open(tmp_path, KEY)
    (path,) = shards(store)
    shutil.rmtree(store.folder)
    with pytest.raises(StoreError, match="No such file"):
        FeatureStore.at(store.folder)
    with pytest.raises(StoreError, match="No such file"):
        reader.refresh()
    assert path.parent == store.folder


def test_a_shard_that_vanishes_is_named(store):
    store.append(keys_of([1]), {"x": values_of([1])})
    store.flush()
    (path,) = shards(store)
    path.unlink()
    with pytest.raises(StoreError, match=path.name):
        store.rows(keys_of([1]), "x")
    store.refresh()
    assert not store.contains(keys_of([1]), "x").any()


def test_a_read_only_folder_is_read(tmp_path, store):
    store.append(keys_of([1]), {"x": values_of([1])})
    store.flush()
    shards(store)[0].chmod(0o444)
    store.folder.chmod(0o555)
    try:
        reader = FeatureStore.create(tmp_path, KEY)
        assert np.array_equal(reader.rows(keys_of([1]), "x"), values_of([1]))
        assert reader.verify().damaged == ()
        if os.geteuid() != 0:
            reader.append(keys_of([2]), {"x": values_of([2])})
            with pytest.raises(StoreError, match="Permission denied") as caught:
                reader.flush()
            assert "ZOO_HOME" in caught.value.hint
    finally:
        store.folder.chmod(0o755)


def test_a_full_disk_says_what_to_do():
    error = _core.IoError(errno.ENOSPC, "write shard: No space left on device")
    said = translated(Path("store"), error)
    assert str(said) == "write shard: No space left on device"
    assert said.hint == "free space or set ZOO_HOME to another folder"


def test_info_and_list_name_every_store(tmp_path, store):
    with FeatureStore.create(tmp_path, {"other": 1}) as other:
        other.append(keys_of(range(3)), {"a": values_of(range(3)), "b": values_of(range(3))})
    infos = {info.folder: info for info in list_stores(tmp_path)}
    assert set(infos) == {store.folder, other.folder}
    info = infos[other.folder]
    assert (info.key, info.rows, info.shards) == ({"other": 1}, 3, 1)
    assert info.bytes == sum(path.stat().st_size for path in shards(other))
    assert info.columns == {"a": ("float32", 3, 3), "b": ("float32", 3, 3)}
    assert list_stores(tmp_path / "none") == []


def test_verify_counts_what_it_read(store):
    store.append(keys_of(range(9)), {"x": values_of(range(9))})
    store.flush()
    (store.folder / "1-2-3.safetensors.tmp").write_bytes(b"of a dead writer")
    size = shards(store)[0].stat().st_size
    assert store.verify(threads=2) == VerifyReport(shards=1, rows=9, bytes=size, damaged=())


def test_views_have_keys_of_their_own():
    digests = [bytes(range(16))]
    assert row_keys(digests).tobytes() == digests[0]
    assert len({row_keys(digests, view=view).tobytes() for view in range(4)}) == 4
    with pytest.raises(StoreError, match="16 bytes"):
        row_keys([b"short"])


def test_threads_share_one_store(store):
    def write(start):
        for n in range(start, start + 50):
            store.append(keys_of([n]), {"x": values_of([n])})
            assert np.array_equal(store.rows(keys_of([n]), "x"), values_of([n]))

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 25, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(store.rows(keys_of(range(100)), "x"), values_of(range(100)))


def in_child(work):
    """Run `work` in a fork of this process, which then ends as Python does."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - nothing may leave the child
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("act", ["close", "flush", "append"])
def test_a_forks_child_leaves_its_parents_journal_alone(tmp_path, store, act):
    store.append(keys_of(range(4)), {"x": values_of(range(4))})

    def work():
        assert np.array_equal(store.rows(keys_of(range(4)), "x"), values_of(range(4)))
        if act == "append":
            assert store.append(keys_of([3, 9]), {"x": values_of([3, 9])}) == 1
            store.flush()
            sealed = {key.tobytes() for view in store.views("x") for key in view.keys}
            assert {bytes(key) for key in keys_of([0, 1, 2, 3, 9])} <= sealed
        else:
            getattr(store, act)()

    before = sorted(store.folder.glob("*.journal"))
    in_child(work)
    assert sorted(store.folder.glob("*.journal")) == before
    store.append(keys_of(range(4, 8)), {"x": values_of(range(4, 8))})
    copied = tmp_path / "copy" / store.folder.name  # as it is left when the parent is killed now
    shutil.copytree(store.folder, copied)
    heir = FeatureStore(copied)
    assert np.array_equal(heir.rows(keys_of(range(8)), "x"), values_of(range(8)))
    assert heir.contains(keys_of([9]), "x").all() == (act == "append")


def test_a_reader_of_a_dead_writers_rows_leaves_them_to_the_next_writer(tmp_path, store):
    store.append(keys_of(range(4)), {"x": values_of(range(4))})
    copied = tmp_path / "copy" / store.folder.name
    shutil.copytree(store.folder, copied)
    reader = FeatureStore(copied, read_only=True)
    assert reader.contains(keys_of(range(4)), "x").all()
    writer = FeatureStore(copied)
    assert writer.append(keys_of(range(5)), {"x": values_of(range(5))}) == 1


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["a", "b"]), st.lists(st.integers(0, 30), max_size=20)),
            st.sampled_from(["reopen", "flush", "refresh"]),
        ),
        max_size=12,
    ),
    shard_bytes=st.sampled_from([1, 50, 1 << 20]),
)
def test_a_store_behaves_like_a_dict(tmp_path_factory, steps, shard_bytes):
    first = FeatureStore.create(tmp_path_factory.mktemp("store"), KEY)
    store = FeatureStore(first.folder, shard_bytes=shard_bytes)
    known = {"a": {}, "b": {}}
    for serial, step in enumerate(steps):
        if step == "reopen":
            store.close()
            store = FeatureStore(first.folder, shard_bytes=shard_bytes)
        elif isinstance(step, str):
            getattr(store, step)()
        else:
            column, numbers = step
            # Values differ from step to step, so that a replaced row would show.
            values = values_of([1000 * serial + i for i in range(len(numbers))])
            store.append(keys_of(numbers), {column: values})
            for number, row in zip(numbers, values, strict=True):
                known[column].setdefault(number, row)
        for column, rows in known.items():
            has = store.contains(keys_of(range(31)), column)
            assert has.tolist() == [number in rows for number in range(31)]
            if rows:
                got = store.rows(keys_of(rows), column)
                assert np.array_equal(got, np.stack(list(rows.values())))
    store.close()
    assert FeatureStore(first.folder).verify().damaged == ()


_WRITER = """
import hashlib, sys
from pathlib import Path
import numpy as np
from zoo.engine import FeatureStore, row_keys
start, count, kill = (int(x) for x in sys.argv[2:])
store = FeatureStore(Path(sys.argv[1]), shard_bytes=1 << 12)
for n in range(start, start + count):
    key = row_keys([hashlib.sha256(str(n).encode()).digest()[:16]])
    store.append(key, {"x": (np.array([[n]]) + np.arange(3) / 8).astype(np.float32)})
if kill:
    store.flush()
    print("sealed", flush=True)
    while True:
        n += 1
        key = row_keys([hashlib.sha256(str(n).encode()).digest()[:16]])
        store.append(key, {"x": (np.array([[n]]) + np.arange(3) / 8).astype(np.float32)})
store.close()
"""


def writer(folder, start, count, *, kill=False):
    command = [sys.executable, "-c", _WRITER, str(folder), str(start), str(count), str(int(kill))]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_two_processes_append_at_once(store):
    with writer(store.folder, 0, 3000) as first, writer(store.folder, 1500, 3000) as second:
        assert first.wait() == 0
        assert second.wait() == 0
    store.refresh()
    assert np.array_equal(store.rows(keys_of(range(4500)), "x"), values_of(range(4500)))
    assert store.verify().damaged == ()


def test_what_a_killed_writer_had_appended_is_there(store):
    with writer(store.folder, 0, 1000, kill=True) as process:
        assert process.stdout.readline() == b"sealed\n"
        process.kill()
    seen = FeatureStore.at(store.folder)
    assert not list(store.folder.glob("*.journal"))
    rows = seen.columns()["x"][2]
    assert rows >= 1000
    assert np.array_equal(seen.rows(keys_of(range(rows)), "x"), values_of(range(rows)))
    assert seen.verify().damaged == ()


def test_a_killed_writer_leaves_its_sealed_shards_readable(store):
    with writer(store.folder, 0, 1000, kill=True) as process:
        assert process.stdout.readline() == b"sealed\n"
        process.kill()
    store.refresh()
    assert np.array_equal(store.rows(keys_of(range(1000)), "x"), values_of(range(1000)))
    assert store.verify().damaged == ()
