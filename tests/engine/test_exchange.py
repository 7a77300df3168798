"""Rows go out to files and come back to the bit, and no unfit file brings in a single one."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from zoo.engine import FeatureStore, Ragged, Scaled, export_rows, import_rows, row_keys
from zoo.engine.exchange.columns import Parts
from zoo.errors import DataError, StoreError, UsageError

KEY = {"weights": "ab" * 32, "name": "é"}
OTHER = {"weights": "cd" * 32}


def keys_of(numbers):
    return row_keys([hashlib.sha256(str(n).encode()).digest()[:16] for n in numbers])


def values_of(numbers, dim=3, dtype=np.float32):
    return (np.asarray(list(numbers))[:, None] + np.arange(dim) / 8).astype(dtype)


def ragged_of(numbers, dim=2):
    return Ragged.from_rows([values_of([n] * (n % 4), dim) for n in numbers])


def fill(store, numbers):
    keys = keys_of(numbers)
    store.append(keys, {"x": values_of(numbers), "tokens": ragged_of(numbers)})
    for dtype in ("float16", "bfloat16", "int8"):
        columns = {dtype: values_of(numbers, 5), f"{dtype} tokens": ragged_of(numbers, 3)}
        store.append(keys, columns, dtype=dtype)


def same(one, other):
    """Whether two stores hold the same rows, to the bit, in columns of the same kind."""
    assert one.columns() == other.columns()
    for name, (dtype, _, rows) in one.columns().items():
        keys = np.concatenate([keys for keys, _ in one.stream(name)])
        assert len(keys) == rows
        a, b = (Parts.of(store.rows(keys, name, dtype=dtype)) for store in (one, other))
        for field in ("values", "offsets", "scales"):
            assert np.array_equal(getattr(a, field), getattr(b, field)), (name, field)
    return True


@pytest.fixture
def store(tmp_path):
    with FeatureStore.create(tmp_path / "from", KEY, {"zoo": "0.1"}) as store:
        yield store


@pytest.fixture
def take(tmp_path):
    """Imports into a root of its own, which holds nothing at first."""

    def run(path, **options):
        return import_rows(path, tmp_path / "to", **options)

    return run


def took_nothing(tmp_path):
    return not list((tmp_path / "to").rglob("*.safetensors"))


@pytest.mark.parametrize("ending", [".safetensors", ".parquet"])
@pytest.mark.parametrize("sealed", [True, False])
def test_an_import_of_an_export_is_the_same_store(store, take, tmp_path, ending, sealed):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    fill(store, range(100))
    if sealed:
        store.flush()
    done = export_rows(store, tmp_path / f"out{ending}")
    assert (done.rows, len(done.columns)) == (100, 8)
    assert done.bytes == (tmp_path / f"out{ending}").stat().st_size
    found = take(tmp_path / f"out{ending}")
    assert (found.rows, found.new, found.different) == (100, 100, 0)
    with FeatureStore.open(tmp_path / "to", KEY) as copy:
        assert copy.folder == found.folder
        assert copy.provenance == {"zoo": "0.1"}
        assert same(store, copy)
    assert take(tmp_path / f"out{ending}").new == 0


@pytest.mark.parametrize("ending", [".safetensors", ".parquet"])
def test_blocks_follow_each_other_without_a_gap(store, take, tmp_path, ending):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    for numbers in (range(6000), range(6000, 9001)):
        fill(store, numbers)
        store.flush()
    told = []
    export_rows(store, tmp_path / f"out{ending}", progress=lambda *at: told.append(at))
    assert len(told) > 3
    assert take(tmp_path / f"out{ending}").new == 9001
    with FeatureStore.open(tmp_path / "to", KEY) as copy:
        assert same(store, copy)


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    dim=st.integers(1, 4),
    dtypes=st.lists(st.sampled_from(["float32", "float16", "bfloat16", "int8"]), min_size=1),
    cuts=st.integers(1, 3),
)
def test_any_mixture_of_ragged_columns_comes_back(tmp_path_factory, lengths, dim, dtypes, cuts):
    root = tmp_path_factory.mktemp("any")
    rng = np.random.default_rng(0)
    with FeatureStore.create(root / "from", KEY) as store:
        for cut in np.array_split(np.arange(len(lengths)), cuts):
            for number, dtype in enumerate(dtypes):
                rows = [rng.standard_normal((lengths[i], dim), np.float32) for i in cut]
                if rows:
                    columns = {f"c{number}": Ragged.from_rows(rows)}
                    store.append(keys_of(cut), columns, dtype=dtype)
            store.flush()
        export_rows(store, root / "out.safetensors")
        import_rows(root / "out.safetensors", root / "to")
        with FeatureStore.open(root / "to", KEY) as copy:
            assert same(store, copy)


def test_an_export_is_read_by_the_safetensors_library(store, tmp_path):
    import ml_dtypes

    fill(store, range(10))
    export_rows(store, tmp_path / "out.safetensors")
    got = load_file(tmp_path / "out.safetensors")
    assert {name for name in got if ":" not in name} == {*store.columns(), "key"}
    order = [int(np.flatnonzero((keys_of(range(10)) == key).all(1))[0]) for key in got["key"]]
    assert np.array_equal(got["x"], values_of(order))
    assert got["bfloat16"].dtype == ml_dtypes.bfloat16
    assert np.array_equal(got["bfloat16"], values_of(order, 5).astype(ml_dtypes.bfloat16))
    scaled = got["int8"] * got["scale:int8"][:, None]
    assert np.allclose(scaled, values_of(order, 5), atol=got["scale:int8"].max() / 2)
    assert np.array_equal(np.diff(got["offsets:tokens"]), [n % 4 for n in order])
    with safe_open(tmp_path / "out.safetensors", "numpy") as file:
        assert json.loads(file.metadata()["zoo.key"]) == KEY
        assert json.loads(file.metadata()["zoo.provenance"]) == {"zoo": "0.1"}


def test_every_tensor_of_an_export_lies_on_a_multiple_of_its_values_size(store, tmp_path):
    numbers = range(1, 4)  # odd counts of vectors, so that what follows bytes would be askew
    columns = {name: ragged_of(numbers, 1) for name in "abc"}
    for name, dtype in (("a", "int8"), ("b", "float16"), ("c", "float32")):
        store.append(keys_of(numbers), {name: columns[name]}, dtype=dtype)
    export_rows(store, tmp_path / "out.safetensors")
    content = (tmp_path / "out.safetensors").read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    assert start % 64 == 0
    header = json.loads(content[8:start])
    size = {"U8": 1, "I8": 1, "F16": 2, "F32": 4, "I64": 8}
    for name, tensor in header.items():
        if name != "__metadata__":
            assert tensor["data_offsets"][0] % size[tensor["dtype"]] == 0, name


def test_parquet_is_read_by_pyarrow_as_documented(store, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    fill(store, range(10))
    export_rows(store, tmp_path / "out.parquet")
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.schema.field("key").type == pa.binary(16)
    order = [int(np.flatnonzero((keys_of(range(10)) == k).all(1))[0]) for k in _bytes(table["key"])]
    assert table["x"].to_pylist() == values_of(order).tolist()
    assert [len(row) for row in table["tokens"].to_pylist()] == [n % 4 for n in order]
    assert table.schema.field("x").type.list_size == 3
    assert table.schema.field("tokens").type.value_type.list_size == 2
    assert table.schema.field("float16").type.value_type == pa.float16()
    assert table.schema.field("bfloat16").type.value_type == pa.float32()
    assert json.loads(table.schema.metadata[b"zoo.key"]) == KEY


def _bytes(column):
    return [np.frombuffer(key, np.uint8) for key in column.to_pylist()]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8"])
def test_npy_is_one_column_with_its_keys_beside_it(store, take, tmp_path, dtype):
    store.append(keys_of(range(20)), {"x": values_of(range(20))}, dtype=dtype)
    done = export_rows(store, tmp_path / "x.npy")
    assert [path.name for path in done.paths] == ["x.npy", "x.keys.npy"]
    values, keys = np.load(tmp_path / "x.npy"), np.load(tmp_path / "x.keys.npy")
    assert values.dtype == (np.float16 if dtype == "float16" else np.float32)
    expected = store.rows(keys, "x", dtype="float32")
    assert np.array_equal(values.astype(np.float32), expected)
    assert take(tmp_path / "x.npy", columns=["x"], key=OTHER).new == 20
    store.flush()
    if dtype != "int8":  # the integers themselves are not in the file
        into = import_rows(tmp_path / "x.npy", tmp_path, into=store.folder, columns=["x"])
        assert (into.new, into.different) == (0, 0)


def test_npy_refuses_several_columns_and_ragged_ones(store, tmp_path):
    fill(store, range(4))
    with pytest.raises(UsageError, match="holds one column") as caught:
        export_rows(store, tmp_path / "x.npy")
    assert "--column" in caught.value.hint
    with pytest.raises(UsageError, match="one vector a row"):
        export_rows(store, tmp_path / "x.npy", ["tokens"])
    assert not list(tmp_path.glob("*.npy"))


def test_columns_without_the_same_rows_go_to_files_of_their_own(store, tmp_path):
    store.append(keys_of(range(4)), {"x": values_of(range(4))})
    store.append(keys_of(range(1, 5)), {"y": values_of(range(4))})
    store.append(keys_of(range(9)), {"z": values_of(range(9))})
    for columns, told in ((["x", "y"], "'y' lacks rows of 'x'"), ([], r"x \(4\)")):
        with pytest.raises(UsageError, match=told) as caught:
            export_rows(store, tmp_path / "out.safetensors", columns)
        assert "--column" in caught.value.hint
    assert not list(tmp_path.glob("*out*"))
    assert export_rows(store, tmp_path / "y.safetensors", ["y"]).rows == 4


def test_an_export_that_fails_leaves_what_was_there(store, tmp_path):
    store.append(keys_of(range(9000)), {"x": values_of(range(9000))})
    store.flush()
    (tmp_path / "out.safetensors").write_text("old")

    def fail(done, total):
        if done:
            raise KeyboardInterrupt

    for ending in (".safetensors", ".npy"):
        with pytest.raises(KeyboardInterrupt):
            export_rows(store, tmp_path / f"out{ending}", progress=fail)
    assert (tmp_path / "out.safetensors").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["from", "out.safetensors"]


def test_progress_counts_every_row(store, take, tmp_path):
    store.append(keys_of(range(9000)), {"x": values_of(range(9000))})
    told = []
    export_rows(store, tmp_path / "x.safetensors", progress=lambda *at: told.append(at))
    assert told[0] == (0, 9000)
    assert told[-1] == (9000, 9000)
    assert len(told) > 3
    told.clear()
    take(tmp_path / "x.safetensors", progress=lambda *at: told.append(at))
    assert told.count((9000, 9000)) == 2  # checked, then added


def test_a_damaged_store_is_not_exported_in_part(store, tmp_path):
    for numbers in (range(5), range(5, 9)):
        store.append(keys_of(numbers), {"x": values_of(numbers)})
        store.flush()
    shard = min(store.folder.glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(StoreError, match=shard.name):
        export_rows(FeatureStore.at(store.folder), tmp_path / "out.safetensors")


def test_a_row_damaged_under_a_sound_header_is_not_exported(store, tmp_path):
    store.append(keys_of(range(50)), {"x": values_of(range(50), 64)})
    store.close()
    (shard,) = store.folder.glob("*.safetensors")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(StoreError, match=shard.name):
        export_rows(FeatureStore.at(store.folder), tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_an_empty_store_and_unknown_names_are_refused(store, take, tmp_path):
    with pytest.raises(StoreError, match="holds no rows"):
        export_rows(store, tmp_path / "out.npy")
    store.append(keys_of([1]), {"x": values_of([1])})
    with pytest.raises(UsageError, match="'y'") as caught:
        export_rows(store, tmp_path / "out.npy", ["y"])
    assert "x" in caught.value.hint
    for act in (lambda path: export_rows(store, path), take):
        with pytest.raises(UsageError, match=r"rows\.xls"):
            act(tmp_path / "rows.xls")


def arrays(**more):
    return {"key": keys_of(range(6)), "x": values_of(range(6)), **more}


def write(path, content, **metadata):
    if path.suffix == ".npz":
        np.savez(path, **content)
    else:
        save_file(content, path, metadata or None)
    return path


@pytest.mark.parametrize("name", ["rows.npz", "rows.safetensors"])
def test_arrays_with_keys_of_any_origin_are_taken(take, tmp_path, name):
    offsets = np.array([0, 2, 2, 3, 3, 3, 7])
    content = arrays(
        half=values_of(range(6), dtype=np.float16),
        tokens=values_of(range(7), 2),
        **{"offsets:tokens": offsets},
        small=np.arange(12, dtype=np.int8).reshape(6, 2),
        **{"scale:small": np.linspace(0, 1, 6, dtype=np.float32)},
    )
    found = take(write(tmp_path / name, content), key=OTHER)
    assert found.columns == dict.fromkeys(["x", "half", "tokens", "small"], 6)
    with FeatureStore.open(tmp_path / "to", OTHER) as store:
        keys = keys_of(range(6))
        assert np.array_equal(store.rows(keys, "x"), content["x"])
        assert store.columns()["half"][0] == "float16"
        assert np.array_equal(store.rows(keys, "tokens").offsets, offsets)
        small = store.rows(keys, "small", dtype="int8")
        assert isinstance(small, Scaled)
        assert np.array_equal(small.values, content["small"])
        assert np.array_equal(small.scales, content["scale:small"])


def test_bfloat16_of_another_program_is_read_to_the_bit(take, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save

    rows = torch.randn(6, 3).bfloat16()
    save({"key": torch.from_numpy(keys_of(range(6)).copy()), "x": rows}, tmp_path / "b.safetensors")
    take(tmp_path / "b.safetensors", key=OTHER)
    with FeatureStore.open(tmp_path / "to", OTHER) as store:
        bits = store.rows(keys_of(range(6)), "x", dtype="bfloat16")
        assert np.array_equal(bits, rows.view(torch.uint16).numpy())


def test_compressed_and_big_endian_arrays_are_read(take, tmp_path):
    np.savez_compressed(tmp_path / "rows.npz", **arrays(x=values_of(range(6)).astype(">f4")))
    assert take(tmp_path / "rows.npz", key=OTHER).new == 6
    with FeatureStore.open(tmp_path / "to", OTHER) as store:
        assert np.array_equal(store.rows(keys_of(range(6)), "x"), values_of(range(6)))


UNFIT = {
    "no keys": ({"x": values_of(range(6))}, "no array 'key'"),
    "keys of another size": (arrays(key=np.zeros((6, 8), np.uint8)), r"U8 \[6, 8\]"),
    "keys that are no bytes": (arrays(key=np.zeros((6, 16), np.int8)), r"'key' is I8"),
    "no rows": ({"key": np.zeros((0, 16), np.uint8), "x": values_of([])}, "holds no rows"),
    "no column": ({"key": keys_of(range(6))}, "no column"),
    "float64": (arrays(x=np.zeros((6, 3))), "F64|float64"),
    "integers": (arrays(x=np.zeros((6, 3), np.int32)), "I32|int32"),
    "one number a row": (arrays(x=np.zeros(6, np.float32)), r"shape \[6\]"),
    "images": (arrays(x=np.zeros((6, 2, 2), np.float32)), r"shape \[6, 2, 2\]"),
    "vectors of nothing": (arrays(x=np.zeros((6, 0), np.float32)), r"shape \[6, 0\]"),
    "more rows than keys": (arrays(x=values_of(range(7))), "7 rows, its 'key' 6"),
    "not a number": (arrays(x=np.full((6, 3), np.nan, np.float32)), "not finite"),
    "infinity": (arrays(x=np.full((6, 3), np.inf, np.float16)), "not finite"),
    "int8 without scales": (arrays(x=np.ones((6, 3), np.int8)), "'scale:x'"),
    "one key, two rows": (
        {"key": keys_of([1, 2, 1]), "x": values_of(range(3))},
        "two different rows of column 'x'",
    ),
    "offsets that fall": (
        arrays(**{"offsets:x": np.array([0, 2, 1, 4, 5, 6, 6])}),
        "fall, or lead past",
    ),
    "offsets past the end": (
        arrays(**{"offsets:x": np.array([0, 1, 2, 3, 4, 5, 7])}),
        "fall, or lead past",
    ),
    "offsets that leave vectors over": (
        arrays(**{"offsets:x": np.array([0, 1, 2, 3, 4, 5, 5])}),
        "do not end where",
    ),
    "offsets that leave out the first": (
        arrays(**{"offsets:x": np.array([1, 1, 2, 3, 4, 5, 6])}),
        "begin with 0",
    ),
    "huge offsets": (
        arrays(**{"offsets:x": np.array([0, 2**62, -(2**62), 3, 4, 5, 6])}),
        "fall, or lead past",
    ),
    "too few offsets": (arrays(**{"offsets:x": np.arange(6)}), "'offsets:x' is not"),
    "too few scales": (
        arrays(x=np.ones((6, 3), np.int8), **{"scale:x": np.ones(5, np.float32)}),
        "'scale:x'",
    ),
    "scales that are not finite": (
        arrays(x=np.ones((6, 3), np.int8), **{"scale:x": np.full(6, np.inf, np.float32)}),
        "not finite",
    ),
}


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
@pytest.mark.parametrize("case", UNFIT)
def test_an_unfit_file_is_refused_before_the_first_row(take, tmp_path, case, ending):
    content, told = UNFIT[case]
    path = write(tmp_path / f"rows{ending}", content)
    with pytest.raises(DataError, match=told) as caught:
        take(path, key=OTHER)
    assert path.name in str(caught.value)
    assert not (tmp_path / "to").exists()


def test_the_row_with_a_value_that_is_not_finite_is_named(take, tmp_path):
    tokens = values_of(range(7), 2)
    tokens[5, 1] = np.nan
    content = arrays(tokens=tokens, **{"offsets:tokens": np.array([0, 2, 2, 3, 6, 6, 7])})
    with pytest.raises(DataError, match="row 3 of its column 'tokens'"):
        take(write(tmp_path / "rows.npz", content), key=OTHER)


def test_a_row_given_twice_alike_counts_once(take, tmp_path):
    content = {"key": keys_of([1, 2, 1]), "x": values_of([1, 2, 1])}
    found = take(write(tmp_path / "rows.npz", content), key=OTHER)
    assert (found.rows, found.new, found.columns) == (3, 2, {"x": 2})


def test_rows_of_the_store_are_kept_and_other_values_counted(store, tmp_path):
    store.append(keys_of([0, 1]), {"x": values_of([7, 1])})
    store.flush()
    path = write(tmp_path / "rows.npz", arrays())
    found = import_rows(path, tmp_path, into=store.folder)
    assert (found.new, found.different) == (4, 1)
    store.refresh()
    assert np.array_equal(store.rows(keys_of([0, 5]), "x"), values_of([7, 5]))


def test_a_column_of_other_shape_or_type_is_refused_by_the_store(store, tmp_path):
    store.append(keys_of([9]), {"x": values_of([9], 4), "y": values_of([9])})
    store.flush()
    path = write(tmp_path / "rows.npz", arrays())
    with pytest.raises(DataError, match=r"'x' is float32, 3 values.*store's is float32, 4"):
        import_rows(path, tmp_path, into=store.folder)
    content = {"key": keys_of(range(6)), "y": np.ones((6, 3), np.int8)}
    content["scale:y"] = np.ones(6, np.float32)
    with pytest.raises(DataError, match="'y' is int8"):
        import_rows(write(tmp_path / "small.npz", content), tmp_path, into=store.folder)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_float32_enters_a_narrower_column_only_unchanged(store, tmp_path, dtype):
    store.append(keys_of([9]), {"x": values_of([9])}, dtype=dtype)
    store.flush()
    path = write(tmp_path / "rows.npz", arrays())
    assert import_rows(path, tmp_path, into=store.folder).new == 6
    path = write(
        tmp_path / "rows.npz", arrays(key=keys_of(range(10, 16)), x=values_of(range(6)) / 3)
    )
    with pytest.raises(DataError, match="would be rounded"):
        import_rows(path, tmp_path, into=store.folder)
    store.refresh()
    assert store.columns()["x"][2] == 7


def test_a_file_that_is_unfit_at_its_end_brings_in_no_row(store, tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.engine.exchange.import_arrays.BLOCK_BYTES", 64)
    store.append(keys_of([9]), {"x": values_of([9])}, dtype="bfloat16")
    store.flush()
    for last in (1 / 3, np.nan):
        values = values_of(range(6))
        values[5, 2] = last
        with pytest.raises(DataError):
            import_rows(write(tmp_path / "r.npz", arrays(x=values)), tmp_path, into=store.folder)
    store.refresh()
    assert store.columns()["x"][2] == 1


def test_columns_are_chosen_by_name(take, tmp_path):
    labels = np.arange(6)
    path = write(tmp_path / "rows.npz", arrays(y=values_of(range(6)), labels=labels))
    with pytest.raises(DataError, match="'labels' is I64") as caught:
        take(path, key=OTHER)
    assert "--column" in caught.value.hint
    assert take(path, key=OTHER, columns=["y"]).columns == {"y": 6}
    with pytest.raises(UsageError, match="'z'"):
        take(path, key=OTHER, columns=["z"])


def test_a_file_that_names_no_key_asks_for_one(take, tmp_path):
    with pytest.raises(UsageError, match="does not say which key") as caught:
        take(write(tmp_path / "rows.npz", arrays()))
    assert "--into" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud800"}', "[" * 100_000]
)
def test_a_key_in_a_file_that_is_no_json_object_is_refused(take, tmp_path, text):
    path = tmp_path / "rows.safetensors"
    save_file(arrays(), path, {"zoo.key": text})
    with pytest.raises(DataError, match=r"zoo\.key is no JSON"):
        take(path)


def sealed(store, numbers=range(50)):
    store.append(keys_of(numbers), {"x": values_of(numbers), "tokens": ragged_of(numbers)})
    store.close()
    (shard,) = store.folder.glob("*.safetensors")
    return shard


def test_a_sealed_shard_is_taken_under_any_name(store, take, tmp_path):
    moved = sealed(store).rename(tmp_path / "from-elsewhere.safetensors")
    found = take(moved, key=OTHER)
    assert (found.rows, found.new) == (50, 50)
    with FeatureStore.open(tmp_path / "to", OTHER) as copy:
        assert np.array_equal(copy.rows(keys_of(range(50)), "x"), values_of(range(50)))


def test_a_shard_with_one_byte_changed_anywhere_is_refused(store, take, tmp_path):
    shard = sealed(store, range(5))
    content = shard.read_bytes()
    for at in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[at] ^= 0x20
        (tmp_path / "damaged.safetensors").write_bytes(damaged)
        with pytest.raises((DataError, UsageError)):  # without its mark it is no shard, and no key
            take(tmp_path / "damaged.safetensors")
        with pytest.raises(DataError):
            take(tmp_path / "damaged.safetensors", key=OTHER)
    assert took_nothing(tmp_path)


def header(text, data=b"", length=None):
    raw = text if isinstance(text, bytes) else json.dumps(text).encode()
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + data


def tensor(dtype, shape, start, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


ROW = {"key": tensor("U8", [1, 16], 0, 16)}
HOSTILE = {
    "empty": b"",
    "too short": b"\x01\0\0",
    "a header longer than the file": header({}, length=1 << 40),
    "a header longer than any": header({}, length=(1 << 64) - 1),
    "no JSON": header(b"{{"),
    "no UTF-8": header(b'{"\xff": 1}'),
    "a list": header([]),
    "deep": header(b"[" * 200_000),
    "a long number": header(b'{"x": ' + b"9" * 10_000 + b"}"),
    "a name twice": header(
        b'{"key":{"dtype":"U8","shape":[1,16],"data_offsets":[0,16]},'
        b'"key":{"dtype":"U8","shape":[1,16],"data_offsets":[0,16]}}',
        bytes(16),
    ),
    "metadata that is no text": header({"__metadata__": {"a": 1}}),
    "a tensor that is none": header({"x": 1}),
    "an unknown field": header({"x": {**tensor("F32", [1], 0, 4), "more": 1}}, bytes(4)),
    "an unknown type": header({"x": tensor("F4", [8], 0, 4)}, bytes(4)),
    "a type that is no text": header({"x": tensor([], [8], 0, 4)}, bytes(4)),
    "a negative size": header({"x": tensor("F32", [-1], 0, 4)}, bytes(4)),
    "true for one": header({"x": tensor("F32", [True], 0, 4)}, bytes(4)),
    "a fraction": header({"x": tensor("F32", [1.0], 0, 4)}, bytes(4)),
    "a size past all bounds": header({"x": tensor("F32", [1 << 62, 1 << 62], 0, 4)}, bytes(4)),
    "a million axes": header({"x": tensor("F32", [1 << 62] * 100_000, 0, 4)}, bytes(4)),
    "an overlap": header({**ROW, "x": tensor("F32", [1, 4], 0, 16)}, bytes(16)),
    "an overlap as long as a hole": header({**ROW, "x": tensor("F32", [1, 4], 0, 16)}, bytes(32)),
    "a hole": header({**ROW, "x": tensor("F32", [1, 1], 20, 24)}, bytes(24)),
    "bytes behind the last": header(ROW, bytes(17)),
    "fewer bytes than told": header({**ROW, "x": tensor("F32", [1, 1], 16, 20)}, bytes(16)),
    "an end before the start": header({"x": tensor("F32", [0], 4, 0)}, bytes(4)),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_header_is_refused_by_name(take, tmp_path, case):
    path = tmp_path / "rows.safetensors"
    path.write_bytes(HOSTILE[case])
    with pytest.raises(DataError, match=r"rows\.safetensors"):
        take(path, key=OTHER)


def test_npy_without_keys_or_a_name_says_what_is_missing(take, tmp_path):
    np.save(tmp_path / "x.npy", values_of(range(6)))
    with pytest.raises(UsageError, match="which column") as caught:
        take(tmp_path / "x.npy", key=OTHER)
    assert "--column" in caught.value.hint
    with pytest.raises(DataError, match=r"x\.keys\.npy"):
        take(tmp_path / "x.npy", key=OTHER, columns=["x"])
    np.save(tmp_path / "x.keys.npy", keys_of(range(5)))
    with pytest.raises(DataError, match="6 rows, its 'key' 5"):
        take(tmp_path / "x.npy", key=OTHER, columns=["x"])


def test_arrays_of_objects_truncated_and_transposed_ones_are_refused(take, tmp_path):
    np.save(tmp_path / "x.keys.npy", keys_of(range(6)))
    path = tmp_path / "x.npy"
    np.save(path, values_of(range(6)))
    content = path.read_bytes()
    np.save(path, np.array([["a"]] * 6, dtype=object), allow_pickle=True)
    objects = path.read_bytes()
    np.save(path, np.asfortranarray(values_of(range(6))))
    transposed = path.read_bytes()
    for bad in (content[:-4], content[:20], b"", content + b"more", objects, transposed):
        path.write_bytes(bad)
        with pytest.raises(DataError):
            take(path, key=OTHER, columns=["x"])


def test_archives_that_lie_are_refused(take, tmp_path):
    path = write(tmp_path / "rows.npz", arrays())
    content = path.read_bytes()
    at = content.index(values_of(range(6)).tobytes())
    flipped = bytearray(content)
    flipped[at] ^= 1  # the archive's own sum tells
    for bad in (content[: len(content) // 2], b"PK", bytes(flipped)):
        path.write_bytes(bad)
        with pytest.raises(DataError, match=r"rows\.npz"):
            take(path, key=OTHER)
    archive = zipfile.ZipFile(path, "w")
    archive.writestr("x.npy", b"")
    with pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("x.npy", b"")
    archive.close()
    with pytest.raises(DataError):
        take(path, key=OTHER)
    assert took_nothing(tmp_path)


def test_tables_that_hold_no_rows_of_ours_are_refused(take, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    path = tmp_path / "rows.parquet"
    keys = pa.array([bytes(key) for key in keys_of(range(2))], pa.binary(16))
    vectors = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2))
    nulls = pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2))
    inner = pa.array([[1.0, 2.0], [3.0, None]], pa.list_(pa.float32(), 2))
    small = pa.array([[1, 2], [3, 4]], pa.list_(pa.int8(), 2))
    cases = {
        "no column 'key'": {"x": vectors},
        "'key' is string": {"key": pa.array(["a", "b"]), "x": vectors},
        "'key' has nulls": {"key": pa.array([bytes(16), None], pa.binary(16)), "x": vectors},
        "'x' is int64": {"key": keys, "x": pa.array([1, 2])},
        "'x' is list": {"key": keys, "x": pa.array([[1.0], [2.0]], pa.list_(pa.float32()))},
        "'x' has nulls": {"key": keys, "x": nulls},
        "column 'x' has nulls": {"key": keys, "x": inner},
        "no 'scale:x'": {"key": keys, "x": small},
        "not float32, one a vector": {"key": keys, "x": small, "scale:x": pa.array([1.0, 2.0])},
        "no column": {"key": keys},
        "holds no rows": {"key": keys[:0], "x": vectors[:0]},
    }
    for told, columns in cases.items():
        parquet.write_table(pa.table(columns), path)
        with pytest.raises(DataError, match=told):
            take(path, key=OTHER)
    content = path.read_bytes()
    for bad in (b"", b"PAR1", content[:-9], content[: len(content) // 2]):
        path.write_bytes(bad)
        with pytest.raises(DataError, match=r"rows\.parquet"):
            take(path, key=OTHER)
    parquet.write_table(pa.table({"key": keys, "x": vectors}), path)
    assert take(path, key=OTHER).new == 2
    assert took_nothing(tmp_path) is False


def test_without_pyarrow_one_line_says_how_to_get_it(tmp_path):
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from pathlib import Path\nfrom zoo.engine import *\n"
        "from zoo.errors import MissingExtraError\nimport numpy as np\n"
        "store = FeatureStore.create('s', {'a': 1})\n"
        "store.append(np.zeros((1, 16), np.uint8), {'x': np.ones((1, 2), np.float32)})\n"
        "for act in (lambda: export_rows(store, Path('x.parquet')),\n"
        "            lambda: import_rows(Path('x.parquet'), Path('s'))):\n"
        "    try:\n        act()\n"
        "    except MissingExtraError as error:\n        print(error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["pip install 'zoo-transfer[arrow]'"] * 2
    assert not list(tmp_path.glob("*parquet*"))
