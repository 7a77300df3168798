"""LogisticHeadCV: the C it chooses, by what, and the fit at it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zoo.sklearn import LogisticHead, LogisticHeadCV


def blobs(k=3, n=150, d=6):
    rng = np.random.default_rng(0)
    codes = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    return rng.normal(size=(n, d)) + rng.normal(size=(k, d))[codes], codes


def losses_one_by_one(x, y, cs, splitter, weight):
    """Held-out log losses of scikit-learn's fits, the strength the same in every fold."""
    table = []
    for rows, held in splitter.split(x, y):
        share = weight[rows].sum() / weight.sum()
        models = (
            LogisticRegression(C=c / share, solver="newton-cholesky", tol=1e-8).fit(
                x[rows], y[rows], weight[rows]
            )
            for c in cs
        )
        told = [model.predict_proba(x[held]) for model in models]
        table.append([log_loss(y[held], p, sample_weight=weight[held]) for p in told])
    return np.array(table)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_are_those_of_a_loop_over_scikit_learns_fits(k, weighted):
    x, y = blobs(k)
    weight = np.random.default_rng(1).uniform(0, 3, len(y)) if weighted else np.ones(len(y))
    cs = [1.0, 1e-3, 0.05]
    head = LogisticHeadCV(cs).fit(x, y, sample_weight=weight if weighted else None)
    assert np.allclose(head.Cs_, sorted(cs))
    slow = losses_one_by_one(x, y, head.Cs_, StratifiedKFold(5), weight)
    assert np.allclose(head.losses_, slow, rtol=2e-3)  # of folds of a few rows
    assert np.array_equal(head.scores_, -head.losses_)
    shares = [weight[held].sum() for _, held in StratifiedKFold(5).split(x, y)]
    assert head.best_index_ == np.argmin(np.average(slow, axis=0, weights=shares))


def test_the_final_fit_is_that_of_all_rows_at_the_chosen_c():
    x, y = blobs()
    search = LogisticHeadCV(tol=1e-12).fit(x, y)
    plain = LogisticHead(search.C_, tol=1e-12).fit(x, y)
    assert search.Cs_[search.best_index_] == search.C_
    assert np.allclose(search.coef_, plain.coef_, atol=1e-8)
    assert np.array_equal(search.predict(x), plain.predict(x))
    assert search.converged_


def test_a_grid_is_made_for_the_scale_of_the_rows():
    x, y = blobs()
    small, large = LogisticHeadCV().fit(x, y), LogisticHeadCV().fit(100 * x, y)
    assert small.Cs_.shape == (20,)
    assert small.scores_.shape == (5, 20)
    assert (np.diff(small.Cs_) > 0).all()
    assert np.allclose(small.Cs_, 1e4 * large.Cs_)
    assert small.best_index_ == large.best_index_
    few = LogisticHeadCV(7).fit(x, y)
    assert np.allclose(few.Cs_[[0, -1]], small.Cs_[[0, -1]])
    assert len(few.Cs_) == 7


def test_folds_may_be_a_splitter_or_pairs_and_may_keep_groups_together():
    x, y = blobs()
    splitter = KFold(4, shuffle=True, random_state=0)
    one = LogisticHeadCV(5, cv=splitter).fit(x, y)
    two = LogisticHeadCV(5, cv=list(splitter.split(x))).fit(x, y)
    assert one.losses_.shape == (4, 5)
    assert one.losses_.tobytes() == two.losses_.tobytes()
    groups = np.arange(150) // 10
    grouped = LogisticHeadCV(5, cv=GroupKFold(3)).fit(x, y, groups=groups)
    pairs = list(GroupKFold(3).split(x, y, groups))
    assert grouped.losses_.tobytes() == LogisticHeadCV(5, cv=pairs).fit(x, y).losses_.tobytes()


def test_any_number_of_threads_gives_the_same_bits_and_a_pipeline_takes_it():
    x, y = blobs(n=600, d=20)
    one, two = (
        make_pipeline(StandardScaler(), LogisticHeadCV(n_jobs=n)).fit(x, y)[-1] for n in (1, 2)
    )
    assert one.losses_.tobytes() == two.losses_.tobytes()
    assert one.coef_.tobytes() == two.coef_.tobytes()


@pytest.mark.parametrize(
    "wrong", [{"Cs": 0}, {"Cs": []}, {"Cs": [1.0, -1.0]}, {"Cs": 2.5}, {"rule": "worst"}]
)
def test_a_parameter_that_makes_no_sense_is_refused_by_name(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        LogisticHeadCV(**wrong).fit(*blobs())


def test_one_standard_error_prefers_the_smaller_c():
    x, y = blobs()
    best, simple = (LogisticHeadCV(rule=rule).fit(x, y) for rule in ("best", "one_se"))
    assert simple.C_ <= best.C_
    assert simple.losses_.tobytes() == best.losses_.tobytes()
