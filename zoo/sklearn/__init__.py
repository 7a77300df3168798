"""scikit-learn's own interface to zoo: heads as estimators, stored features as a transformer.

scikit-learn is imported with this package and with no other of zoo's.
"""

from zoo.sklearn.features import Features
from zoo.sklearn.knn import KNNHead
from zoo.sklearn.lda import LDAHead
from zoo.sklearn.logistic import LogisticHead
from zoo.sklearn.logistic_cv import LogisticHeadCV
from zoo.sklearn.ridge import RidgeHead, RidgeHeadCV

__all__ = [
    "Features",
    "KNNHead",
    "LDAHead",
    "LogisticHead",
    "LogisticHeadCV",
    "RidgeHead",
    "RidgeHeadCV",
]
