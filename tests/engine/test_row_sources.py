"""Solvers on rows as they are stored: the same answer as on float32 in memory, to the bit."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import engine
from zoo.engine import Bfloat16, FeatureStore, Ragged, Scaled, StoredRows
from zoo.engine.bfloat16 import from_bfloat16, to_bfloat16
from zoo.engine.rows import quantized
from zoo.errors import StoreError

KEY = {"weights": "cd" * 32}
KINDS = ["float16", "bfloat16", "int8"]


def problem(n=300, d=20, k=3):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)).astype(np.float32) * np.logspace(0, -1, d, dtype=np.float32) + 0.5
    return x, (x @ rng.normal(size=(d, k)) + rng.normal(size=(n, k))).argmax(axis=1)


def keys_of(n):
    numbers = np.arange(n, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return np.ascontiguousarray(np.stack([numbers, ~numbers], axis=1)).view(np.uint8)


def narrow(x, kind):
    """The rows as `kind`, and as the float32 that they stand for."""
    if kind == "int8":
        small = quantized("x", x)
        return small, small.to_float32()
    if kind == "bfloat16":
        bits = to_bfloat16(x)
        return Bfloat16(bits), from_bfloat16(bits)
    half = x.astype(np.float16)
    return half, half.astype(np.float32)


def search(x, codes, **options):
    rows = np.random.default_rng(1).permutation(len(codes))
    folds = [(np.setdiff1d(rows, held), held) for held in np.array_split(rows, 4)]
    return engine.search_logistic(
        x, codes, int(codes.max()) + 1, folds=folds, strengths=[1.0, 0.1, 0.01], **options
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [300, 15])  # more and fewer rows than columns
@pytest.mark.parametrize("k", [3, 5])  # too few classes for products in bfloat16, and enough
def test_narrow_rows_are_the_same_problem(kind, n, k):
    x, codes = problem(n, k=k)
    rows, wide = narrow(x, kind)
    ours, theirs = (engine.fit_logistic(r, codes, k, strength=1e-3) for r in (rows, wide))
    assert np.array_equal(ours.weights, theirs.weights)
    assert ours.suboptimality == theirs.suboptimality
    assert ours.converged
    assert np.array_equal(search(rows, codes).losses, search(wide, codes).losses)
    marks = (codes[:, None] == np.unique(codes)).astype(np.int8)
    for one, other in zip(
        engine.fit_multilabel(rows, marks, strength=1e-2),
        engine.fit_multilabel(wide, marks, strength=1e-2),
        strict=True,
    ):
        assert np.array_equal(one.weights, other.weights)


@pytest.mark.parametrize("kind", ["float32", *KINDS])
def test_a_stores_rows_are_the_same_problem(tmp_path, kind):
    x, codes = problem(5000, 40)  # more rows than one block of any of the types
    wide = x if kind == "float32" else narrow(x, kind)[1]
    keys = keys_of(len(x))
    with FeatureStore.create(tmp_path, KEY) as store:
        store.append(keys[:3000], {"x": x[:3000]}, dtype=kind)
        store.flush()
        store.append(keys[3000:], {"x": x[3000:]}, dtype=kind)  # these still unsealed
        order = np.random.default_rng(2).permutation(len(x))
        for chosen in (np.arange(len(x)), order):
            rows = StoredRows(store, "x", keys[chosen])
            ours = engine.fit_logistic(rows, codes[chosen], 3, strength=1e-3, threads=3)
            theirs = engine.fit_logistic(wide[chosen], codes[chosen], 3, strength=1e-3)
            assert np.array_equal(ours.weights, theirs.weights)
            assert ours.objective == theirs.objective
        # A search goes through stored rows in their own order: sums are taken in another one.
        found, other = search(rows, codes[order]), search(wide[order], codes[order])
        assert found.losses == pytest.approx(other.losses, rel=1e-3)
        assert found.chosen == other.chosen


@pytest.mark.parametrize("d", [32, 37])  # a multiple of what the processor takes, and not
@pytest.mark.parametrize("strength", [1e-1, 1e-5])
def test_products_in_bfloat16_end_where_float64_does(d, strength):
    x, codes = problem(700, d, k=6)
    codes[:6] = np.arange(6)
    narrow_rows = from_bfloat16(to_bfloat16(x))
    ours = engine.fit_logistic(narrow_rows, codes, 6, strength=strength)
    theirs = engine.fit_logistic(narrow_rows.astype(np.float64), codes, 6, strength=strength)
    assert ours.converged
    assert ours.objective == pytest.approx(theirs.objective, rel=2e-6)
    # Float32 rows of such values are found out and multiplied as what they are, where that serves.
    serves = engine.build_info()["isa"] in {"avx512bf16", "amx"}
    assert ours.narrowed is serves
    assert not engine.fit_logistic(x, codes, 6, strength=strength).narrowed
    assert not engine.fit_logistic(Bfloat16(to_bfloat16(x)), codes, 6, strength=strength).narrowed
    order = np.random.default_rng(3).permutation(700)
    folds = [(np.setdiff1d(order, held), held) for held in np.array_split(order, 5)]
    search_in = [
        engine.search_logistic(rows, codes, 6, folds=folds, strengths=[1.0, 1e-1, 1e-2, 1e-3])
        for rows in (narrow_rows, narrow_rows.astype(np.float64))
    ]
    assert [found.narrowed for found in search_in] == [serves, False]
    assert search_in[0].mean == pytest.approx(search_in[1].mean, rel=5e-4)


def test_stored_rows_that_are_not_there_are_refused(tmp_path):
    x, codes = problem(30)
    keys = keys_of(30)
    with FeatureStore.create(tmp_path, KEY) as store:
        store.append(keys[:29], {"x": x[:29]})
        store.append(keys, {"t": Ragged.from_rows([row[None] for row in x])})
        for column, why in (("x", "lacks row 29 of 30"), ("y", "no column 'y'"), ("t", "pool")):
            with pytest.raises(StoreError, match=why):
                engine.fit_logistic(StoredRows(store, column, keys), codes, 3, strength=1.0)
        with pytest.raises(ValueError, match="one entry a row"):
            engine.fit_logistic(StoredRows(store, "x", keys[:29]), codes, 3, strength=1.0)


def test_damage_found_while_a_solver_reads_is_a_store_error(tmp_path):
    x, codes = problem(3000, 40)
    keys = keys_of(len(x))
    with FeatureStore.create(tmp_path, KEY) as store:
        store.append(keys, {"x": x})
        store.flush()
        (shard,) = store.folder.glob("*.safetensors")
        rows = StoredRows(store, "x", keys)
        assert engine.fit_logistic(rows, codes, 3, strength=1e-2).converged
        data = bytearray(shard.read_bytes())
        where = data.find(x[2000].tobytes())
        assert where > 0
        data[where] ^= 1
        shard.chmod(0o600)
        shard.write_bytes(data)
        with pytest.raises(StoreError, match=shard.name):
            engine.fit_logistic(rows, codes, 3, strength=1e-2)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_narrow_value_that_is_not_finite_is_refused_by_row(kind, bad):
    x, codes = problem()
    x[17, 2] = bad
    rows = x.astype(np.float16) if kind == "float16" else Bfloat16(to_bfloat16(x))
    with pytest.raises(ValueError, match="row 17 "):
        engine.fit_logistic(rows, codes, 3, strength=1.0)


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros(3, np.float32),
        np.zeros((0, 3), np.float32),
        np.zeros((3, 0), np.float16),
        Scaled(np.zeros((3, 2), np.int8), np.zeros(2, np.float32)),
        Scaled(np.zeros((3, 2), np.int8), np.zeros((3, 1), np.float32)),
        Bfloat16(np.zeros((3, 2, 2), np.uint16)),
    ],
)
def test_rows_of_another_shape_are_refused(rows):
    with pytest.raises(ValueError, match=r"shape \(n, d\)|one entry a row"):
        engine.fit_logistic(rows, np.array([0, 1, 0]), 2, strength=1.0)


def test_other_orders_and_types_are_copied():
    x, codes = problem()
    expected = engine.fit_logistic(x, codes, 3, strength=1e-2).weights
    for rows in (np.asfortranarray(x), x.astype(">f4"), np.repeat(x, 2, axis=1)[:, ::2]):
        assert np.array_equal(engine.fit_logistic(rows, codes, 3, strength=1e-2).weights, expected)
    whole = np.rint(8 * x).astype(np.int16)
    fits = [engine.fit_logistic(r, codes, 3, strength=1e-2) for r in (whole, whole.astype("f4"))]
    assert np.array_equal(fits[0].weights, fits[1].weights)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 299), max_size=5), kind=st.sampled_from(["f2", "f4", "f8"]))
def test_spooled_blocks_are_the_rows(tmp_path_factory, cuts, kind):
    x = problem()[0].astype(kind)
    folder = tmp_path_factory.mktemp("spool")
    rows = engine.spooled(np.split(x, sorted(set(cuts))), folder)
    assert rows.dtype == x.dtype
    assert np.array_equal(rows, x)
    assert not any(folder.iterdir())


@pytest.mark.parametrize(
    "blocks", [[], [np.zeros((0, 3))], [np.zeros((2, 3)), np.zeros((2, 4))], [np.zeros(3)],
               [np.zeros((2, 3)), np.zeros((2, 3), np.float32)]],
)  # fmt: skip
def test_blocks_that_are_no_rows_are_refused(blocks):
    with pytest.raises(ValueError, match=r"no rows|block of rows"):
        engine.spooled(iter(blocks))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_stored_rows(tmp_path):
    n, d = 60_000, 512  # 61 MB of float16, 123 of float32
    rng = np.random.default_rng(0)
    keys = keys_of(n)
    with FeatureStore.create(tmp_path, KEY) as store:
        for begin in range(0, n, 10_000):
            rows = rng.standard_normal((10_000, d), np.float32).astype(np.float16)
            store.append(keys[begin : begin + 10_000], {"x": rows})
    program = f"""
        import sys
        from pathlib import Path
        import numpy as np
        from zoo import engine
        from zoo.engine import FeatureStore, StoredRows

        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_row_sources import keys_of

        def peak():
            status = Path("/proc/self/status").read_text()
            return int(status.split("VmHWM:")[1].split()[0]) / 1024

        store = FeatureStore.at(Path({str(store.folder)!r}))
        rows = StoredRows(store, "x", keys_of({n}))
        codes = np.random.default_rng(1).integers(0, 2, {n})
        small = StoredRows(store, "x", keys_of(600))
        engine.fit_logistic(small, codes[:600], 2, strength=1.0, threads=2)
        before = peak()
        assert engine.fit_logistic(rows, codes, 2, strength=1.0, threads=2).converged
        print(peak() - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    # What a fit keeps of each row: its number, code, weight, probability and key.
    assert float(done.stdout) < 30
