"""Shards that were cut, flipped or forged: always an error that names the shard, never a signal."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.engine import FeatureStore, row_keys
from zoo.errors import StoreError

KEY = {"key": "hostile"}
ROWS = 5
KEYS = row_keys([bytes([i]) * 16 for i in range(ROWS)])
VALUES = np.arange(ROWS * 3, dtype=np.float32).reshape(ROWS, 3)
ALIGNMENT = 64
EMPTY = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A small shard: its store's root, its path and its bytes."""
    root = tmp_path_factory.mktemp("sound")
    with FeatureStore.create(root, KEY) as store:
        store.append(KEYS, {"x": VALUES})
    (path,) = store.folder.glob("*.safetensors")
    return root, path, path.read_bytes()


def found(root, path, content):
    """Write `content` as the shard; what verify says of it."""
    path.write_bytes(content)
    store = FeatureStore.open(root, KEY)
    report = store.verify()
    assert all(shard == path.name for shard, _ in report.damaged)
    return store, report.damaged


def forged(content, change=None, *, text=None):
    """The shard with another header, sealed anew: only the header's own checks are left."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    crc = header["crc:x"]["data_offsets"]
    crcs = content[end + crc[0] : end + crc[1]]
    if change is not None:
        header = change(header) or header
    new = (text if text is not None else json.dumps(header, separators=(",", ":"))).encode()
    new += b" " * (-(8 + len(new)) % ALIGNMENT)
    head = len(new).to_bytes(8, "little") + new
    body = content[end:]
    return head + body[:-32] + hashlib.sha256(head + crcs).digest()


def padded(content):
    """Where padding and order stand, which no row is read from, as (start, end) in the file."""
    data = 8 + int.from_bytes(content[:8], "little")
    tensors = json.loads(content[8:data])
    spans = [
        tensors[name]["data_offsets"] for name in tensors if name.startswith(("pad:", "order"))
    ]
    return [(data + start, data + end) for start, end in spans]


def test_the_forger_itself_makes_a_sound_shard(sound):
    root, path, content = sound
    assert forged(content) == content
    store, damaged = found(root, path, content)
    assert damaged == ()
    assert np.array_equal(store.rows(KEYS, "x"), VALUES)


def test_every_truncation_is_refused(sound):
    root, path, content = sound
    for length in range(len(content)):
        store, damaged = found(root, path, content[:length])
        assert damaged, length
        assert not store.contains(KEYS, "x").any()
        with pytest.raises(StoreError, match=path.name):
            store.rows(KEYS, "x")


def test_every_flipped_byte_is_found_and_never_served(sound):
    root, path, content = sound
    padding = padded(content)
    for at in range(len(content)):
        bad = bytearray(content)
        bad[at] ^= 1 << (at % 8)
        store, damaged = found(root, path, bytes(bad))
        assert damaged, at
        if any(start <= at < end for start, end in padding):  # read by verify
            assert np.array_equal(store.rows(KEYS, "x"), VALUES)
        else:
            with pytest.raises(StoreError):  # damaged, or absent under the key that changed
                store.rows(KEYS, "x")


def test_a_cut_under_an_open_store_is_an_error(sound):
    root, path, content = sound
    for length in (0, 7, 8, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content)
        store = FeatureStore.open(root, KEY)
        path.write_bytes(content[:length])
        with pytest.raises(StoreError, match=path.name):
            store.rows(KEYS, "x")


@pytest.mark.parametrize("length", [0, 1, 55, 57, 1 << 20, (1 << 40) - 8, (1 << 64) - 8])
def test_a_header_length_that_lies_is_refused(sound, length):
    root, path, content = sound
    _, damaged = found(root, path, length.to_bytes(8, "little") + content[8:])
    assert damaged


def set_in(name, member, value):
    def change(header):
        header[name][member] = value

    return change


def renamed(old, new):
    return lambda header: {(new if name == old else name): v for name, v in header.items()}


def without(name):
    return lambda header: {k: v for k, v in header.items() if k != name}


LIES = {
    "more rows than there are": set_in("key", "shape", [6, 16]),
    "rows past every integer": set_in("key", "shape", [2**64 - 1, 16]),
    "rows that overflow their bytes": set_in("key", "shape", [2**60, 16]),
    "a key of another width": set_in("key", "shape", [5, 8]),
    "a key of another dtype": set_in("key", "dtype", "I8"),
    "a key without shape": set_in("key", "shape", []),
    "a wider column": set_in("x", "shape", [5, 4]),
    "a column without width": set_in("x", "shape", [5, 0]),
    "a column of overflowing width": set_in("x", "shape", [5, 2**62]),
    "a column of three dimensions": set_in("x", "shape", [5, 3, 1]),
    "a column of a narrower dtype": set_in("x", "dtype", "F16"),
    "a column of an unknown dtype": set_in("x", "dtype", "F64"),
    "a negative offset": set_in("x", "data_offsets", [-1, 188]),
    "overlapping offsets": set_in("x", "data_offsets", [0, 60]),
    "offsets past the end": set_in("x", "data_offsets", [128, 1 << 40]),
    "offsets in reverse": set_in("x", "data_offsets", [188, 128]),
    "one offset": set_in("x", "data_offsets", [128]),
    "a float for an offset": set_in("x", "data_offsets", [128.0, 188.0]),
    "a shape of text": set_in("x", "shape", "5"),
    "a member too many": set_in("x", "strides", [1]),
    "a column with a reserved name": renamed("x", "offsets:x"),
    "a padding by another name": renamed("pad:0", "pad:7"),
    "no key": without("key"),
    "no padding": without("pad:0"),
    "no column": without("x"),
    "no crc": without("crc:x"),
    "no order": without("order"),
    "an order of another width": set_in("order", "shape", [6]),
    "no seal": without("seal"),
    "no version": without("__metadata__"),
    "another version": lambda header: {**header, "__metadata__": {"zoo.shard": "2"}},
    "more metadata": lambda header: {**header, "__metadata__": {"zoo.shard": "1", "a": "b"}},
    "members in another order": lambda header: dict(reversed(header.items())),
    "one tensor more": lambda header: {
        **header,
        "y": {"dtype": "U8", "shape": [0], "data_offsets": [288, 288]},
    },
}


@pytest.mark.parametrize("lie", LIES)
def test_a_sealed_header_that_lies_is_refused(sound, lie):
    root, path, content = sound
    store, damaged = found(root, path, forged(content, LIES[lie]))
    assert damaged
    assert store.info().damaged == damaged
    assert store.columns() == {}


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "null",
        '{"a":' + "[" * 200_000,
        '{"a":' * 100_000,
        '{"__metadata__":' + '{"a":' * 1000,
        "{"
        + ",".join(f'"{i}":{{"dtype":"U8","shape":[],"data_offsets":[0,0]}}' for i in range(5000)),
        '{"key":{"dtype":"U8","shape":[' + "1," * 1000 + '1],"data_offsets":[0,80]}}',
        '{"key":{"dtype":"U8","shape":[' + "9" * 5000 + ',16],"data_offsets":[0,80]}}',
        "\x00" * 64,
        '{"\\ud800":1}',
    ],
)
def test_json_made_to_hurt_is_refused(sound, text):
    root, path, content = sound
    _, damaged = found(root, path, forged(content, text=text))
    assert damaged


def test_a_name_that_stands_twice_is_refused(sound):
    root, path, content = sound
    end = 8 + int.from_bytes(content[:8], "little")
    text = content[8:end].rstrip(b" ").decode()
    member = text[text.index('"x":') : text.index(',"pad:2"')]
    _, damaged = found(root, path, forged(content, text=text[:-1] + "," + member + "}"))
    assert "stands twice" in damaged[0][1]


def test_a_forged_seal_does_not_hide_a_forged_row(sound):
    root, path, content = sound
    at = content.index(VALUES.tobytes())
    bad = content[:at] + bytes(12) + content[at + 12 :]
    bad = bad.replace(VALUES[1].tobytes(), bytes(12))
    store, damaged = found(root, path, forged(bad))
    assert "does not match its checksum" in damaged[0][1]
    with pytest.raises(StoreError, match=path.name):
        store.rows(KEYS, "x")


def test_two_columns_of_one_name_and_unequal_width_are_not_mixed(sound):
    root, path, content = sound
    path.write_bytes(content)
    with FeatureStore.create(root / "other", KEY) as other:
        other.append(KEYS[:1], {"x": np.ones((1, 7), np.float32)})
    (foreign,) = other.folder.glob("*.safetensors")
    copy = path.with_name("f" + foreign.name)
    copy.write_bytes(foreign.read_bytes())
    try:
        store = FeatureStore.open(root, KEY)
        assert store.columns() == {"x": ("float32", 3, ROWS)}
        assert store.info().damaged[0][0] == copy.name
    finally:
        copy.unlink()


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_random_bytes_in_place_of_the_header_never_crash(sound, data):
    root, path, content = sound
    end = 8 + int.from_bytes(content[:8], "little")
    bad = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(8, end - 1))
        bad[at] = data.draw(st.integers(0, 255))
    store, damaged = found(root, path, bytes(bad))
    if bytes(bad) != content:
        assert damaged
        with pytest.raises(StoreError):
            store.rows(KEYS, "x")
