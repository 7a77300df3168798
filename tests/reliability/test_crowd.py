"""Writers, readers, compaction and pruning on one store where locks do nothing."""

from __future__ import annotations

import pytest
from proofs import shims
from proofs.crowd import ABSENT, crowd, merged_under_a_stream

from zoo.errors import StoreError


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    if not shims.can_build():
        pytest.skip("needs cc and LD_PRELOAD")
    return crowd(tmp_path_factory.mktemp("crowd"), seconds=6, seed=1)


def test_a_crowd_without_locks_loses_and_misreads_nothing(outcome):
    assert [fault for fault in outcome.faults if not fault.startswith(ABSENT)] == []
    assert outcome.counts["lasting_rows"] > 1000
    for act in "stream rows contains refresh reopen compactions shards_pruned stops".split():
        assert outcome.counts[act] > 0, act


def test_no_reader_of_a_crowd_misses_rows_that_it_saw_before(outcome):
    assert outcome.faults == []


def test_a_stream_goes_on_when_its_shards_are_merged(tmp_path):
    assert merged_under_a_stream(tmp_path, shards=60) == 60


@pytest.mark.xfail(strict=True, raises=StoreError, reason="a process keeps 128 shards open at most")
def test_a_stream_goes_on_when_very_many_shards_are_merged(tmp_path):
    assert merged_under_a_stream(tmp_path, shards=200) == 200
