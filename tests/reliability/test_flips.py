"""Damage is found by verify, and never read as rows."""

from __future__ import annotations

from proofs import flips as proofs
from proofs.flips import flips, truncations


def test_every_flipped_bit_is_found_and_no_read_is_wrong(tmp_path):
    outcome = flips(tmp_path, count=300, seed=1)
    assert outcome.faults == []
    assert outcome.counts["found"] == 300
    assert outcome.counts["refused_reads"] > 300  # reads do come upon the flips
    assert outcome.counts["reads"] > 300


def test_flips_under_resident_columns_make_no_read_wrong(tmp_path):
    outcome = flips(tmp_path, count=100, seed=1, resident=True)
    assert outcome.faults == []


def test_every_truncation_is_found_and_no_read_is_wrong(tmp_path):
    outcome = truncations(tmp_path, step=7, seed=1)
    assert outcome.faults == []
    assert outcome.counts["found"] == outcome.counts["truncations"] > 100


def test_the_proof_sees_a_flip_that_is_not_found(tmp_path, monkeypatch):
    monkeypatch.setattr(proofs, "_flip", lambda *_: None)
    assert flips(tmp_path, count=1, seed=1).faults


def test_the_proof_sees_wrong_rows(tmp_path, monkeypatch):
    right = proofs.rows.column_of
    monkeypatch.setattr(proofs.rows, "column_of", lambda n, c: right([m + 4 for m in n], c))
    monkeypatch.setattr(proofs, "_sound", lambda root, *_, **__: _other(root, right))
    assert flips(tmp_path, count=1, seed=1).counts["wrong_reads"] > 0


def _other(root, right):
    with proofs.FeatureStore.create(root, proofs.rows.KEY) as store:
        store.append(proofs.rows.keys_of(range(8)), {"x": right(range(8), "x")})
    return store.folder
