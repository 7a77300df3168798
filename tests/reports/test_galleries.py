"""What a gallery shows, and what it says where it has nothing to show."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.reports.fence import Absent
from zoo.reports.galleries import mistakes
from zoo.reports.judged import Judged
from zoo.reports.samples import Samples

NONE = Samples(absent="The samples are elsewhere.")


def judged(truth, predicted, contents):
    """Rows of two classes; equal contents have equal keys."""
    keys = np.zeros((len(truth), 16), np.uint8)
    keys[:, 0] = contents
    chances = np.linspace(0.6, 0.9, len(truth))
    names = tuple(f"item {i}" for i in range(len(truth)))
    return Judged(
        "class", ("a", "b", "c"), names, keys, np.array(truth), np.array(predicted), chances
    )


def test_a_run_without_mistakes_says_so():
    with pytest.raises(Absent, match=r"^none of 3 rows is predicted wrong$"):
        mistakes(judged([0, 1, 1], [0, 1, 1], [1, 2, 3]), NONE, repeats=False)


def test_equal_contents_are_told_once_for_each_label():
    part = mistakes(judged([0, 0, 1, 1], [2, 2, 2, 2], [7, 7, 7, 8]), NONE, repeats=True)
    assert "4 of 4 rows are predicted wrong by the repeats together" in part.lead
    labels = [(card.name, dict(card.lines)["true"]) for card in part.cards]
    assert labels == [("item 3", "b"), ("item 2", "b"), ("item 1", "a")]
