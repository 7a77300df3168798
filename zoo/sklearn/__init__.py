"""Estimators for scikit-learn: zoo's heads with its conventions, for pipelines and searches."""

from zoo.sklearn.lda import LDAHead
from zoo.sklearn.ridge import RidgeHead, RidgeHeadCV

__all__ = ["LDAHead", "RidgeHead", "RidgeHeadCV"]
