"""Finds samples that are nearly another one, by how close their features are for this backbone.

A fixed cosine would mean another thing for each backbone: rows are centred and scaled to length 1
first, and a row's squared distance to its nearest neighbour is compared with the median of these
distances. A row is a near duplicate at a fiftieth of it or less. Where features have few dimensions
chance comes as close: if distances follow a Weibull distribution, as nearest neighbours' do, with
the shape that their median and upper quartile show, then a fifth of a row must be expected
below the bound, or the bound is lowered. On our own real images, texts and recordings nothing
was within twice the bound but samples that are nearly equal; photographs saved again as JPEG are
mostly found, fewer than half of the resized ones, and no cropped or turned ones. Where more than
half of all rows are near duplicates (frames of one film), none stands out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zoo import engine

RATIO = 0.02  # of the median squared distance
_BY_CHANCE = 0.2  # rows that are expected to be as close as copies and are none
QUERIES = 4_000  # rows whose neighbours are looked for, at most
_EXACT = 2_000  # rows up to which nothing is projected
_DIMENSIONS = 128  # of a random projection, which keeps squared distances within an eighth or so
_BLOCK = 4_096
_MIN_ROWS = 40  # below, quartiles say too little


@dataclass(frozen=True)
class Near:
    """Rows that are near duplicates.

    Attributes:
        rows: (c,) row numbers, the closest first.
        partners: (c,) the row that each is close to.
        looked_at: how many rows were looked at.
        cosine: the least cosine of centred features that counted as nearly equal.
    """

    rows: np.ndarray
    partners: np.ndarray
    looked_at: int
    cosine: float


def near_duplicates(
    features: np.ndarray, queries: np.ndarray, among: np.ndarray, *, seed: int, threads: int
) -> Near | None:
    """The queries that nearly are one of the other rows.

    Args:
        features: (n, d) rows.
        queries: (m,) row numbers; beyond 4,000 as many are drawn by `seed`.
        among: (k,) row numbers to be close to; a row is never close to itself.
        seed: of what is drawn.
        threads: upper bound.

    Returns:
        None where there are too few rows, or features that do not differ.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    if len(queries) > QUERIES:
        queries = np.sort(rng.choice(queries, QUERIES, replace=False))
    if len(queries) < _MIN_ROWS or len(among) < _MIN_ROWS:
        return None
    every = np.union1d(queries, among)
    rows = _directions(features, every, rng)
    at = np.searchsorted(every, queries), np.searchsorted(every, among)
    found, squared = engine.knn_search(rows[at[1]], rows[at[0]], 2, threads=threads)
    own = among[found[:, 0]] == queries
    partner = among[np.where(own, found[:, 1], found[:, 0])]
    distance = np.maximum(np.where(own, squared[:, 1], squared[:, 0]), 0.0)
    median, upper = np.quantile(distance, (0.5, 0.75)).tolist()
    if median <= 0.0:
        return None
    bound = median * _ratio(median / upper, len(queries))
    close = np.flatnonzero(distance <= bound)
    close = close[np.argsort(distance[close], kind="stable")]
    return Near(queries[close], partner[close], len(queries), 1.0 - bound / 2.0)


def _ratio(median_of_upper: float, rows: int) -> float:
    """The share of the median at which hardly a row is expected to be by chance.

    A fifth of one by the distribution that is found, whose shape so many rows tell to a degree:
    measured on normal rows it is 0.7 of 50 in two dimensions, and none from 20 dimensions up.
    """
    if median_of_upper >= 1.0:
        return RATIO
    shape = math.log(0.5) / math.log(median_of_upper)  # the upper quartile is at ln 4, twice ln 2
    return min(RATIO, math.pow(_BY_CHANCE / (rows * math.log(2)), 1.0 / shape))


def _directions(features: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(m, e) float32 centred rows of length 1; of many long ones a random projection."""
    d = features.shape[1]
    projects = len(rows) > _EXACT and d > _DIMENSIONS
    matrix = np.eye(0, dtype=np.float32)
    if projects:
        matrix = rng.standard_normal((d, _DIMENSIONS), dtype=np.float32) / math.sqrt(_DIMENSIONS)
    mean = np.zeros(d)
    for start in range(0, len(rows), _BLOCK):
        mean += features[rows[start : start + _BLOCK]].sum(axis=0, dtype=np.float64)
    mean /= len(rows)
    out = np.empty((len(rows), _DIMENSIONS if projects else d), np.float32)
    for start in range(0, len(rows), _BLOCK):
        part = features[rows[start : start + _BLOCK]] - mean
        length = np.sqrt((part * part).sum(axis=1, keepdims=True))
        part = (part / np.where(length > 0.0, length, 1.0)).astype(np.float32)
        out[start : start + _BLOCK] = part @ matrix if projects else part
    return out
