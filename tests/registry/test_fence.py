"""Foreign errors as one line, however they are made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.registry.fence import Fault, fenced, one_line


@given(st.text())
def test_any_message_is_one_printable_line(text):
    line = one_line(ValueError(text))
    assert line.startswith("ValueError")
    assert line.isprintable()
    assert len(line) <= 320


def test_a_message_that_raises_is_left_out():
    class Worse(Exception):
        def __str__(self):
            raise TypeError

    assert one_line(Worse()) == "Worse"


def test_a_fault_keeps_its_cause():
    with pytest.raises(Fault) as caught, fenced():
        raise StopIteration("early")
    assert caught.value.reason == "StopIteration: early"
    assert isinstance(caught.value.__cause__, StopIteration)


def test_what_the_caller_names_passes():
    with pytest.raises(LookupError), fenced(LookupError):
        raise KeyError
