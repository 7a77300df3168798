"""Writers, readers, compaction and pruning on one store, with and without locks that work."""

from __future__ import annotations

import pytest
from proofs import shims
from proofs.crowd import crowd


@pytest.mark.skipif(not shims.can_build(), reason="needs cc and LD_PRELOAD")
def test_a_crowd_without_locks_loses_and_misreads_nothing(tmp_path):
    outcome = crowd(tmp_path, seconds=6, seed=1)
    assert outcome.faults == []
    assert outcome.counts["lasting_rows"] > 1000
    for act in "stream rows contains refresh reopen compactions shards_pruned stops".split():
        assert outcome.counts[act] > 0, act
