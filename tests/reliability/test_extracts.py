"""``zoo extract`` that is killed goes on where it was."""

from __future__ import annotations

from proofs.extracts import extract_kills


def test_killed_extracts_end_with_the_rows_of_an_uninterrupted_one(tmp_path):
    outcome = extract_kills(tmp_path, count=2, seed=3, samples=400)
    assert outcome.faults == []
    assert outcome.counts["kills"] == 2
    assert outcome.counts["forwards"] >= 400
