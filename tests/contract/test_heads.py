"""Every built-in head, and the tutorial's, keeps the contract that plugins are held to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import zoo.builtins
from zoo.plugin import Entry
from zoo.testing import head_checks

TUTORIAL = Path(__file__).parents[2] / "plugins" / "zoo-tutorial-head"
COSINE = Entry("cosine", "zoo_tutorial_head:CosineHead")
CASES = {
    f"{entry.name}-{check}": check
    for entry in (*zoo.builtins.zoo_register_heads(), COSINE)
    for check in head_checks(entry)
}


@pytest.mark.parametrize("case", CASES)
def test_a_head_keeps_the_contract(monkeypatch, case):
    monkeypatch.syspath_prepend(str(TUTORIAL))
    try:
        CASES[case]()
    finally:
        sys.modules.pop("zoo_tutorial_head", None)  # elsewhere it is found as installed
