"""What the system refuses is said in its words, and costs nothing that was committed."""

from __future__ import annotations

import pytest
from proofs import shims
from proofs.refusals import few_files, full_disk, full_file, jitters, refusals

needs_shim = pytest.mark.skipif(not shims.can_build(), reason="needs cc and LD_PRELOAD")


@needs_shim
def test_calls_that_are_cut_short_are_not_noticed(tmp_path):
    outcome = jitters(tmp_path, count=2, seed=1)
    assert outcome.faults == []
    assert outcome.counts["committed_rows"] == 2 * 12 * 16


@needs_shim
def test_a_refused_call_is_one_clean_error_and_loses_nothing(tmp_path):
    outcome = refusals(tmp_path, count=12, seed=1)
    assert outcome.faults == []
    assert outcome.counts["refused"] > 3


def test_a_store_may_have_more_shards_than_a_process_may_open_files(tmp_path):
    outcome = few_files(tmp_path)
    assert outcome.faults == []
    assert outcome.counts["shards_with_24"] > 24


def test_a_file_that_may_not_grow_is_a_clean_error(tmp_path):
    outcome = full_file(tmp_path)
    assert outcome.faults == []
    assert outcome.counts["batches_before_a_full_file"] > 0


def test_a_full_disk_is_a_clean_error(tmp_path):
    outcome = full_disk(tmp_path)
    if outcome is None:
        pytest.skip("no file system can be mounted here")
    assert outcome.faults == []
