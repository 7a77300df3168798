"""How numbers and foreign text are said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.reports import words


@given(st.text(max_size=400))
def test_foreign_text_is_one_short_line_without_control_characters(text):
    told = words.shown(text, 50)
    assert len(told) <= 50
    assert told == " ".join(told.split())
    assert all(c.isprintable() or c in "\u200c\u200d" for c in told)


def test_what_steers_is_seen_and_letters_of_every_script_stay():
    assert words.shown("a\x1b[1mb\u202ec") == "a\ufffd[1mb\ufffdc"
    assert words.shown("\u05e9\u05dc\u05d5\u05dd \u0645\u06cc\u200c\u062e\u0648") == (
        "\u05e9\u05dc\u05d5\u05dd \u0645\u06cc\u200c\u062e\u0648"
    )
    assert words.shown("x" * 10_000) == "x" * 79 + "…"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.98712, "0.987"),
        (-1.5, "\u22121.500"),
        (1234.5, "1,234"),
        (152.34, "152.3"),
        (-3e7, "\u22123e+07"),
        (2e-5, "2e-05"),
        (0, "0.000"),
    ],
)
def test_numbers_have_bearable_digits(value, said):
    assert words.number(value) == said


@pytest.mark.parametrize("value", [None, "x", float("nan"), True])
def test_what_is_no_number_is_a_dash(value):
    for say in (words.number, words.points, words.percent, words.seconds, words.count, words.size):
        assert say(value) == words.NONE


def test_units():
    assert words.points(12.34) == "+12.3"
    assert words.percent(0.5) == "50.0\u00a0%"
    assert (words.seconds(2.25), words.seconds(120), words.seconds(7200)) == (
        "2.25 s",
        "2.0 min",
        "2.0 h",
    )
    assert (words.size(3_000_000), words.size(12)) == ("3 MB", "12 B")
    assert (words.count(1, "row"), words.count(1797, "row")) == ("1 row", "1,797 rows")
