from __future__ import annotations

import os
import sys

import pytest

from zoo.data.names import listed, modality_of, shown, split_of, text_name


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Train", "train"),
        ("training", "train"),
        ("DEV", "val"),
        ("valid", "val"),
        ("validation", "val"),
        ("testing", "test"),
        ("trains", None),
        ("", None),
    ],
)
def test_splits_have_many_names(name, split):
    assert split_of(name) == split


def test_the_extension_decides_the_modality():
    assert modality_of("a.b.JPeG") == "image"
    assert modality_of("x.flac") == "audio"
    assert modality_of("jpg") is None


@pytest.mark.skipif(sys.platform == "win32", reason="names are not bytes there")
def test_a_name_that_is_not_utf8_is_escaped():
    assert text_name(os.fsdecode(b"caf\xe9")) == r"caf\xe9"


def test_messages_stay_on_one_line_and_short():
    assert shown("a\n\x1b[31m") == r"'a\n\x1b[31m'"
    assert len(shown("x" * 500)) == 82
    assert shown("\udcc3\udca9").isprintable()
    assert listed("abc", limit=2) == "'a', 'b' and 1 more"
