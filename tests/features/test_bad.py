"""Bad samples are listed, and no more of them pass than the rule allows."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import DataError, UsageError
from zoo.features.bad import BadItem, OnBad, Unreadable, bad_warning
from zoo.plugin import Item


@pytest.mark.parametrize(
    ("text", "total", "allowed"),
    [
        ("skip", 7, 7),
        ("fail", 7, 0),
        ("max=0", 7, 0),
        ("max=3", 7, 3),
        ("max=1%", 99, 0),
        ("max=1%", 100, 1),
        ("max=1%", 250, 2),
        ("max=0.5%", 200, 1),
        ("max=29%", 100, 29),  # 28.999... in floating point
        ("max=100%", 7, 7),
    ],
)
def test_how_many_are_allowed(text, total, allowed):
    assert OnBad(text).allowed(total) == allowed


@given(st.integers(0, 10**6), st.integers(0, 1000))
def test_a_share_is_never_exceeded_and_never_missed_by_a_whole_sample(total, thousandths):
    allowed = OnBad(f"max={thousandths / 10}%").allowed(total)
    share = Fraction(thousandths, 1000) * total
    assert share - 1 < allowed <= share


@pytest.mark.parametrize(
    "text", ["", "skp", "max", "max=", "max=-1", "max=1.5", "max=101%", "max=1e3", "max=٣", "5%"]
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(UsageError, match="--on-bad") as caught:
        OnBad(text)
    assert "max=1%" in caught.value.hint


def unreadable(rule, count=4, known=()):
    items = [Item(f"i{n}", "text") for n in range(count)]
    return Unreadable(OnBad(rule), items, tuple(BadItem(name, "gone") for name in known))


def test_the_first_one_is_an_error_where_none_may_be():
    bad = unreadable("fail")
    with pytest.raises(DataError, match=r"^'i2': no tokens$") as caught:
        bad.add(2, "no tokens")
    assert "--on-bad skip" in caught.value.hint
    with pytest.raises(DataError, match=r"^'i1' is broken$"):
        unreadable("fail").add(1, "'i1' is broken")
    with pytest.raises(DataError, match="'x': gone"):
        unreadable("fail", known=["x"])


def test_one_too_many_is_an_error_that_counts_and_names():
    bad = unreadable("max=40%", known=["x"])  # 2 of 5
    bad.add(0, "odd")
    with pytest.raises(DataError, match=r"3 of 5 .* max=40% allows: 'x', 'i0', 'i1'$"):
        bad.add(1, "odd")


def test_samples_of_the_same_bytes_count_each():
    keys = np.array([[1] * 16, [2] * 16, [1] * 16, [1] * 16], np.uint8)
    bad = unreadable("max=3")
    bad.add(0, "odd")
    good, listed = bad.sorted_out(keys)
    assert good == [1]
    assert [item.name for item in listed] == ["i0", "i2", "i3"]
    assert listed[1].reason == "the same bytes as 'i0': odd"
    bad = unreadable("max=2")
    bad.add(0, "odd")
    with pytest.raises(DataError, match="3 of 4"):
        bad.sorted_out(keys)


def test_the_warning_names_a_few():
    bad = tuple(BadItem(name, "odd") for name in "abcde")
    assert bad_warning(bad) == "warning: 5 samples could not be read: 'a', 'b', 'c' and 2 more"
    assert bad_warning(bad[:1]) == "warning: 1 sample could not be read: 'a'"
