"""The estimators under scikit-learn's own checks, with no failure expected."""

from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks

from zoo.sklearn import KNNHead, LogisticHead, LogisticHeadCV

# Features is not among them: it takes pictures and texts, which these checks do not make.
ESTIMATORS = [
    KNNHead(),
    LogisticHead(),
    LogisticHead(class_weight="balanced", C=0.1),
    LogisticHeadCV(),
    LogisticHeadCV(cv=3, Cs=[0.1, 1.0]),
]


@parametrize_with_checks(ESTIMATORS)
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)
