"""Sequences of puts, kills, damage and merges against a dict."""

from __future__ import annotations

from proofs import machine as proofs
from proofs.machine import machine


def test_no_sequence_of_events_loses_or_changes_a_row(tmp_path):
    assert machine(tmp_path, examples=50, steps=15, seed=1).faults == []


def test_the_proof_sees_rows_that_are_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(proofs.StoreMachine, "_unsure", lambda *_: None)
    assert machine(tmp_path, examples=50, steps=15, seed=1, quick=True).faults
