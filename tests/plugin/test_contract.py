"""The contract's digest: what moves it, what does not, and that it is the same everywhere."""

from __future__ import annotations

import dataclasses
import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.plugin import Contract
from zoo.plugin.contract import canonical_json

CONTRACT = Contract(
    modality="image",
    preprocess={"size": 224, "mean": [0.5, 0.5, 0.5]},
    model={"architecture": "tiny"},
    weights="ab" * 32,
    tap="pool",
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_the_digest_is_pinned():
    """Feature stores on disk depend on it: a change here makes every stored row unreachable."""
    assert CONTRACT.digest() == ("b0601030e0763fcaf0331199a42a5e5cb50b16cf9fc58bb834449acb9a75147c")


@pytest.mark.parametrize(
    "change",
    [
        {"modality": "text"},
        {"preprocess": {"size": 225, "mean": [0.5, 0.5, 0.5]}},
        {"preprocess": {"size": 224, "mean": [0.5, 0.5, 0.25]}},
        {"model": {"architecture": "tiny", "numerics": 2}},
    ],
)
def test_what_decides_features_moves_the_digest(change):
    assert dataclasses.replace(CONTRACT, **change).digest() != CONTRACT.digest()


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "cd" * 32},
        {"tap": "layer4"},
        {"pooling": "mean"},
        {"revision": "f" * 40},
        {"info": {"licence": "MIT"}},
        {"rules": {"padding": "none"}},
        {"preprocess": {"mean": [0.5, 0.5, 0.5], "size": 224}},
        {"preprocess": {"size": 224, "mean": (0.5, 0.5, 0.5)}},
        {"model": MappingProxyType({"architecture": "tiny"})},
    ],
)
def test_what_has_its_own_place_in_the_key_does_not(change):
    assert dataclasses.replace(CONTRACT, **change).digest() == CONTRACT.digest()


def test_the_dictionary_is_json_and_has_every_field():
    told = json.loads(json.dumps(CONTRACT.as_dict()))
    assert told == CONTRACT.as_dict()
    assert set(told) == {f.name for f in dataclasses.fields(Contract)} | {"digest"}


@given(JSON)
def test_canonical_json_is_json_in_ascii(value):
    spelled = canonical_json(value)
    assert spelled.isascii()
    assert json.loads(spelled) == value


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_matter(value):
    assert canonical_json(value) == canonical_json(dict(reversed(value.items())))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_json_cannot_spell_is_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"scale": value})
