"""Maps of rows are right, repeatable and bounded."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.reports import embedding_map
from zoo.reports.embedding import in_proportion


def blobs(n, k=4, d=12, apart=8.0, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, k, n)
    x = (apart * rng.standard_normal((k, d)))[codes] + rng.standard_normal((n, d))
    return x.astype(np.float32), codes


def test_components_are_those_of_the_singular_vectors():
    x, _ = blobs(60)
    found = embedding_map(x)
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    for axis in range(2):
        score = u[:, axis] * s[axis]
        gap = min(np.abs(found.pca[:, axis] - sign * score).max() for sign in (1, -1))
        assert gap < 1e-4 * s[axis]  # of float32 rows
    assert found.explained == pytest.approx(tuple(s[:2] ** 2 / (s**2).sum()), rel=1e-4)
    assert (found.total, found.rows.tolist()) == (60, list(range(60)))


def test_neighbours_stay_together():
    x, codes = blobs(240)
    points = embedding_map(x, seed=3).neighbours
    distances = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (codes[distances.argmin(axis=1)] == codes).mean() > 0.98


def test_the_same_seed_gives_the_same_map():
    x, codes = blobs(90)
    one, again = (embedding_map(x, 5, codes=codes, most=80) for _ in range(2))
    assert np.array_equal(one.rows, again.rows)
    assert np.array_equal(one.pca, again.pca)
    assert np.array_equal(one.neighbours, again.neighbours)
    other = embedding_map(x, 6, codes=codes, most=80)
    assert not np.array_equal(one.rows, other.rows)


def test_of_many_rows_a_sample_in_proportion_is_shown():
    x, _ = blobs(400)
    codes = np.repeat([0, 1, 2], [300, 99, 1])
    found = embedding_map(x, codes=codes, most=40)
    assert (found.total, len(found.rows), len(found.pca)) == (400, 40, 40)
    assert (np.diff(found.rows) > 0).all()
    shown = np.bincount(codes[found.rows], minlength=3)
    assert shown[2] == 1
    assert abs(shown[0] - 30) <= 1


@pytest.mark.parametrize("shape", [(1, 3), (2, 3), (5, 1), (30, 1), (30, 2)])
def test_few_rows_and_few_columns_are_laid_out_too(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    found = embedding_map(x)
    assert found.pca.shape == (shape[0], 2)
    assert np.isfinite(found.pca).all()
    assert (found.neighbours is None) == (shape[0] < 8)
    if found.neighbours is not None:
        assert np.isfinite(found.neighbours).all()


def test_equal_rows_have_one_place():
    found = embedding_map(np.ones((20, 3)))
    assert (found.pca == 0.0).all()
    assert (found.explained, found.neighbours) == ((0.0, 0.0), None)


def test_what_does_not_fit_is_refused():
    for features, codes in ((np.ones(3), None), (np.ones((0, 3)), None), (np.ones((3, 2)), [0])):
        with pytest.raises(UsageError):
            embedding_map(features, codes=codes)


def test_every_beginning_has_the_classes_in_proportion():
    codes = np.repeat([0, 1, 2], [60, 30, 10])
    order = in_proportion(codes, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(100))
    assert len(set(codes[order[:3]].tolist())) == 3
    for size in (10, 37, 50, 99):
        counts = np.bincount(codes[order[:size]], minlength=3)
        assert np.abs(counts - size * np.array([0.6, 0.3, 0.1])).max() <= 2
