"""Every line about texts in zoo/preprocess/README.md, held to."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from zoo.errors import DataError
from zoo.plugin import Item
from zoo.preprocess.decode import MAX_CHARACTERS, decode

LINES = {
    "long": ["good film " * 100_000],
    "empty, blank": ["", " ", "\n\t"],
    "one endless word": ["x" * 100_000],
    "control characters, any script": ["\0good\x1b[31m\r\n", "🐈‍⬛" * 9, "की", "a\u0301" * 9],
    "half a surrogate pair": ["good \ud800"],
    "above 4 million characters": ["x" * (MAX_CHARACTERS + 1)],
}
REFUSED = {
    "half a surrogate pair": "not valid Unicode",
    "above 4 million characters": f"more than {MAX_CHARACTERS} characters",
}


@pytest.mark.parametrize("line", LINES)
def test_an_odd_text_becomes_features_or_is_refused_by_name(tiny_bert, line):
    texts = ["the film was good", *LINES[line]]
    got = zoo.extract(f"hf:{tiny_bert}", texts).extracted
    if line in REFUSED:
        assert [bad.name for bad in got.bad] == ["data:2"]
        assert REFUSED[line] in got.bad[0].reason
        assert len(got.features) == 1
    else:
        assert not got.bad
        assert got.features.shape == (len(texts), 16)
        assert np.isfinite(got.features).all()


def test_a_long_text_is_its_first_tokens(tiny_bert):
    texts = ["good film " * 100_000, "good film " * 11]
    one, two = zoo.extract(f"hf:{tiny_bert}", texts).extracted.features
    np.testing.assert_allclose(one, two, rtol=1e-5)  # 24 tokens, [CLS] and [SEP] among them


def test_a_text_of_the_greatest_length_is_taken():
    assert len(decode(Item("t", "x" * MAX_CHARACTERS), "text")) == MAX_CHARACTERS
    with pytest.raises(DataError, match="'t' has more than"):
        decode(Item("t", "x" * (MAX_CHARACTERS + 1)), "text")


def test_the_table_has_these_lines(lines_of_readme):
    assert set(lines_of_readme("Texts")) == set(LINES)
