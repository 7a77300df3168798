"""KNNHead: scikit-learn's brute-force neighbours and votes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier

from zoo.sklearn import KNNHead


def blobs(n=120, m=60, d=6, k=3, dtype=np.float64):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, k, n + m)
    x = (rng.normal(size=(n + m, d)) + rng.normal(size=(k, d))[codes]).astype(dtype)
    return x[:n], np.array(["b", "a", "c"])[codes[:n]], x[n:]


@pytest.mark.parametrize("neighbours", [1, 2, 5, 12])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_votes_are_scikit_learns(neighbours, dtype):
    x, y, new = blobs(dtype=dtype)
    head = KNNHead(neighbours).fit(x, y)
    model = KNeighborsClassifier(neighbours, algorithm="brute").fit(x, y)
    assert np.array_equal(head.predict_proba(new), model.predict_proba(new))
    assert np.array_equal(head.predict(new), model.predict(new))
    assert head.classes_.tolist() == ["a", "b", "c"]


def test_neighbours_are_scikit_learns_and_no_row_is_its_own():
    x, y, new = blobs()
    head, model = KNNHead().fit(x, y), KNeighborsClassifier(algorithm="brute").fit(x, y)
    for queries, count in ((new, None), (new, 9), (None, None), (None, 3)):
        distances, rows = head.kneighbors(queries, count)
        far, numbers = model.kneighbors(queries, count)
        assert np.array_equal(rows, numbers)
        assert np.allclose(distances, far)
        assert np.array_equal(head.kneighbors(queries, count, return_distance=False), numbers)


def test_twins_of_a_row_are_its_neighbours_where_the_row_is_not():
    x = np.zeros((6, 2))
    distances, rows = KNNHead(2).fit(x, [0, 1] * 3).kneighbors()
    assert rows.shape == (6, 2)
    assert not distances.any()
    assert (rows != np.arange(6)[:, None]).all()


def test_equal_votes_go_to_the_lower_class():
    head = KNNHead(2).fit([[0.0], [1.0]], ["z", "a"])
    assert head.predict([[0.1]]).tolist() == ["a"]


def test_more_neighbours_than_rows_are_refused():
    x, y, new = blobs()
    head = KNNHead(121).fit(x, y)
    with pytest.raises(ValueError, match="n_neighbors=121 of 120 rows"):
        head.predict(new)
    with pytest.raises(ValueError, match="n_neighbors=120 of 119 rows"):
        head.kneighbors(n_neighbors=120)
    for wrong in (0, 1.5, "5"):
        with pytest.raises(ValueError, match="n_neighbors"):
            KNNHead(wrong).fit(x, y)
    with pytest.raises(NotFittedError):
        KNNHead().predict(x)


def test_any_number_of_threads_gives_the_same_and_a_grid_search_takes_it():
    x, y, new = blobs()
    one, two = (KNNHead(n_jobs=n).fit(x, y).kneighbors(new) for n in (1, 2))
    assert one[0].tobytes() == two[0].tobytes()
    assert np.array_equal(one[1], two[1])
    grid = {"n_neighbors": [1, 5, 15]}
    ours, theirs = (
        GridSearchCV(head, grid).fit(x, y).cv_results_["mean_test_score"]
        for head in (KNNHead(), KNeighborsClassifier(algorithm="brute"))
    )
    assert np.array_equal(ours, theirs)
