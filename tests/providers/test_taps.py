"""Which layer and which pooling: the source's word first, then what is stated, then the default."""

from __future__ import annotations

import pytest

from zoo.errors import SourceError
from zoo.providers.taps import choose

DEFAULT = ("last_hidden_state", "mean")


@pytest.mark.parametrize(
    ("wanted", "stated", "default", "got"),
    [
        ("", {}, DEFAULT, DEFAULT),
        ("pooler_output", {}, DEFAULT, ("pooler_output", "none")),
        ("last_hidden_state", {}, DEFAULT, DEFAULT),
        ("last_hidden_state/cls", {}, DEFAULT, ("last_hidden_state", "cls")),
        ("cls", {}, DEFAULT, ("last_hidden_state", "cls")),
        ("", {"pool": "cls"}, DEFAULT, ("last_hidden_state", "cls")),
        ("fire9/concat_1", {}, None, ("fire9/concat_1", "none")),
        ("fire9/concat_1/mean", {}, None, ("fire9/concat_1", "mean")),
        ("", {"tap": "627", "pool": "mean"}, None, ("627", "mean")),
        ("464", {"tap": "627", "pool": "mean"}, None, ("464", "none")),
        ("mean", {"tap": "627"}, None, ("627", "mean")),
    ],
)
def test_tap_and_pooling(wanted, stated, default, got):
    assert choose(wanted, stated, default) == got


def test_nothing_named_is_an_error():
    with pytest.raises(SourceError, match="which layer"):
        choose("", {}, None)


def test_one_tap_is_chosen_at_a_time():
    with pytest.raises(SourceError, match="several taps"):
        choose("a/cls,b/mean", {}, DEFAULT)
