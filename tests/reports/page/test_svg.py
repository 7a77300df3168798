"""Elements are escaped, scales and ticks are where they should be."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.reports import svg


def test_texts_and_attributes_are_escaped():
    made = svg.tag("text", "<b>&", data_tip='"><script>', class_="tick")
    assert made == ('<text data-tip="&#34;&gt;&lt;script&gt;" class="tick">&lt;b&gt;&amp;</text>')


def test_a_scale_puts_its_ends_at_its_ends():
    assert [svg.Scale(2, 4, 10, 110)(v) for v in (2, 3, 4)] == [10, 60, 110]
    log = svg.Scale(1e-4, 1.0, 0, 100, log=True)
    assert [log(v) for v in (1e-4, 1e-2, 1.0)] == pytest.approx([0, 50, 100])
    assert log.ticks() == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_inside_rising_and_few(low, width):
    scale = svg.Scale(low, low + width, 0, 100)
    ticks = scale.ticks()
    assert len(ticks) <= 7
    assert ticks == sorted(set(ticks))
    air = 1e-6 * max(1.0, abs(low), width)
    assert all(low - air <= tick <= low + width + air for tick in ticks)


def test_a_scale_around_equal_values_has_width():
    scale = svg.Scale.around([3.0, 3.0], 0, 100)
    assert scale.low < 3.0 < scale.high
    assert scale(3.0) == pytest.approx(50)
    assert not math.isnan(svg.Scale.around([], 0, 1)(0.5))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (-0.001, "\u221210\u207b\u00b3"),
        (-100_000, "\u221210\u2075"),
        (-0.005, "\u22125.0e\u221203"),
        (0.25, "0.25"),
    ],
)
def test_a_tick_keeps_its_sign(value, told):
    assert svg.tick_text(value) == told
