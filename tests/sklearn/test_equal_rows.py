"""Rows by content: digests, weights of copies, folds that no order changes."""

from __future__ import annotations

import numpy as np

from zoo.sklearn.equal_rows import joined_weights, row_digests, stratified_folds


def test_digests_are_equal_where_rows_are():
    x = np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 1.0 + 2e-16], [0.0, 1.0]])
    a, b, c, d = row_digests(x)
    assert a == b == d != c
    a, b, c, d = row_digests(x, np.arange(4.0)[:, None])
    assert len({a, b, c, d}) == 4


def test_the_first_of_equal_rows_bears_the_weight_of_all():
    digests = [b"a", b"b", b"a", b"a"]
    assert joined_weights(digests, None).tolist() == [3.0, 1.0, 0.0, 0.0]
    assert joined_weights(digests, np.array([1.0, 2.0, 0.5, 0.0])).tolist() == [1.5, 2.0, 0.0, 0.0]
    weight = np.ones(2)
    assert joined_weights(digests[:2], weight) is weight
    assert joined_weights(digests[:2], None) is None


def test_folds_are_stratified_by_content_alone():
    rng = np.random.default_rng(0)
    x, codes = rng.normal(size=(60, 3)), np.repeat([0, 1, 2], 20)
    fold = stratified_folds(row_digests(x), codes, 5)
    assert (np.stack([np.bincount(fold[codes == c]) for c in range(3)]) == 4).all()
    order = rng.permutation(np.concatenate([np.arange(60), np.arange(10)]))
    again = stratified_folds(row_digests(x[order]), codes[order], 5)
    assert (again == fold[order]).all()
