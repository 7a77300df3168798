"""Folders that cannot be written to or are gone, no home, and names in any script."""

from __future__ import annotations

import sys

import pytest
from proofs.places import gone, homeless, latin, read_only, scripts


@pytest.mark.parametrize("proof", [read_only, gone, scripts, homeless])
def test_an_odd_place_costs_no_row_and_no_clean_error(tmp_path, proof):
    outcome = proof(tmp_path)
    assert outcome.faults == []
    assert outcome.counts
    if proof is read_only:
        assert outcome.counts["journals"] == 1


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take UTF-8 alone")
def test_a_folder_whose_name_is_not_utf_8_is_as_good_as_another(tmp_path):
    assert latin(tmp_path).faults == []
