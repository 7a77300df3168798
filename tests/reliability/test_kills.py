"""Writers that are killed lose nothing that they had been told was kept."""

from __future__ import annotations

from proofs.kills import kills


def test_no_kill_loses_or_changes_a_row(tmp_path):
    outcome = kills(tmp_path, count=40, seed=1)
    assert outcome.faults == []
    assert outcome.counts["kills"] == 40
    assert outcome.counts["rows_checked"] > 10_000


def test_the_proof_sees_rows_that_were_acknowledged_and_not_kept(tmp_path):
    outcome = kills(tmp_path, count=1, seed=1, honest=False)
    assert outcome.counts["lost_rows"] > 0
    assert outcome.faults
