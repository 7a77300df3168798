"""Lays feature rows out in the plane: their principal components, and who is near whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.errors import UsageError

MOST = 5_000  # rows of a map: t-SNE of so many takes about 15 s of one core
_FEWEST = 8  # rows below which neighbourhoods say nothing
_PERPLEXITY = 30.0
_COMPONENTS = 50  # kept for t-SNE, as van der Maaten and Hinton (2008) do
_STEPS = 500


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """Points for rows.

    Attributes:
        rows: (m,) ascending numbers of the rows that are shown.
        total: how many there are; more than m where a sample of them is shown.
        pca: (m, 2) scores on the first two principal components.
        explained: the shares of the shown rows' variance that the two hold.
        neighbours: (m, 2) by t-SNE: near points are near rows, far ones say little; None where
            there are too few rows.
    """

    rows: np.ndarray
    total: int
    pca: np.ndarray
    explained: tuple[float, float]
    neighbours: np.ndarray | None


def embedding_map(
    features: np.ndarray, seed: int = 0, *, codes: np.ndarray | None = None, most: int = MOST
) -> EmbeddingMap:
    """Principal components, and scikit-learn's t-SNE (van der Maaten 2014) on the first 50.

    The same rows and seed give the same map on one machine, however many threads there are: it is
    computed on one.

    Args:
        features: (n, d) finite rows.
        seed: of the sample, and of the start.
        codes: (n,) classes that a sample should hold in proportion.
        most: rows to show; of more a sample is drawn.

    Raises:
        UsageError: shapes do not fit, or there is no row.
    """
    x = np.asarray(features, np.float32)
    if x.ndim != 2 or 0 in x.shape or most < 1:
        raise UsageError(f"a map of {most} of {np.shape(features)} rows")
    if codes is not None and np.shape(codes) != x.shape[:1]:
        raise UsageError(f"{np.shape(codes)} codes do not fit {x.shape} rows")
    from threadpoolctl import threadpool_limits

    rows = np.arange(len(x))
    if len(x) > most:
        rng = np.random.Generator(np.random.PCG64(seed))
        strata = np.zeros(len(x), np.int64) if codes is None else np.asarray(codes)
        rows = np.sort(in_proportion(strata, rng)[:most])
    with threadpool_limits(1):  # sums of several threads differ in the last bits, and t-SNE in all
        components, explained = _components(x[rows], seed)
        neighbours = _neighbours(components, seed)
    pca = np.zeros((len(rows), 2))
    pca[:, : components.shape[1]] = components[:, :2]
    return EmbeddingMap(rows, len(x), pca, explained, neighbours)


def in_proportion(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) row numbers in a random order of which every beginning has the classes in proportion.

    It begins with one row of each class that occurs.
    """
    order = rng.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    _, start, count = np.unique(codes[order], return_index=True, return_counts=True)
    rank = np.arange(len(codes)) - np.repeat(start, count)
    place = (rank + np.repeat(rng.random(len(count)), count)) / np.repeat(count, count)
    place[rank == 0] = -1.0
    return np.asarray(order[np.lexsort((rng.random(len(codes)), place))])


def _components(x: np.ndarray, seed: int) -> tuple[np.ndarray, tuple[float, float]]:
    """(m, c) scores on at most 50 components, and the shares of variance of the first two."""
    from sklearn.decomposition import PCA

    varied = x.std(axis=0) > 0.0
    if not varied.any() or len(x) < 2:
        return np.zeros((len(x), 1)), (0.0, 0.0)
    x = x[:, varied].astype(np.float64)
    fitted = PCA(min(_COMPONENTS, *x.shape), random_state=seed).fit(x)
    shares = np.append(np.asarray(fitted.explained_variance_ratio_, np.float64), 0.0)
    return np.asarray(fitted.transform(x)), (float(shares[0]), float(shares[1]))


def _neighbours(x: np.ndarray, seed: int) -> np.ndarray | None:
    from sklearn.manifold import TSNE

    if len(x) < _FEWEST or not x.any():
        return None
    start = np.zeros((len(x), 2))
    start[:, : x.shape[1]] = x[:, :2]
    # Small, and of the shape of the whole: clusters come to lie as the components have them.
    start *= 1e-4 / start[:, 0].std()
    start += 1e-6 * np.random.Generator(np.random.PCG64(seed)).standard_normal(start.shape)
    found = TSNE(
        perplexity=min(_PERPLEXITY, (len(x) - 1) / 3),
        init=start.astype(np.float32),
        max_iter=_STEPS,
        random_state=seed,
        n_jobs=1,
    ).fit_transform(x.astype(np.float32))
    return np.asarray(found, np.float64)
