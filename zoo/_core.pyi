from collections.abc import Sequence

import numpy as np

def build_info() -> dict[str, str | bool | int]: ...
def row_norms(x: np.ndarray, *, device: str = "cpu", threads: int = 1) -> np.ndarray: ...

class IoError(OSError): ...
class CorruptError(ValueError): ...
class UnavailableError(RuntimeError): ...

# What csrc/bindings/heads.cpp registers
def logistic_fit(
    x: np.ndarray,
    codes: np.ndarray,
    classes: int,
    *,
    strength: float,
    weights: np.ndarray | None,
    start: tuple[np.ndarray, np.ndarray] | None,
    tolerance: float,
    max_iterations: int,
    threads: int,
) -> tuple[np.ndarray, np.ndarray, float, float, bool, int, int]: ...
def logistic_search(
    x: np.ndarray,
    codes: np.ndarray,
    classes: int,
    *,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    strengths: Sequence[float],
    tolerance: float,
    threads: int,
) -> tuple[np.ndarray, int]: ...
def ridge_path(
    z: np.ndarray,
    codes: np.ndarray,
    classes: int,
    *,
    strengths: Sequence[float],
    weights: np.ndarray | None,
    keep_all: bool,
    threads: int,
) -> list[tuple[np.ndarray, np.ndarray, float, float, np.ndarray | None]]: ...
def nearest_neighbours(
    train: np.ndarray, queries: np.ndarray, *, wanted: int, threads: int
) -> tuple[np.ndarray, np.ndarray]: ...
def class_means(
    x: np.ndarray, codes: np.ndarray, classes: int, *, weights: np.ndarray | None, threads: int
) -> tuple[np.ndarray, np.ndarray]: ...
def squared_distances(x: np.ndarray, means: np.ndarray, *, threads: int) -> np.ndarray: ...
def fit_temperature(
    scores: np.ndarray, codes: np.ndarray, *, weights: np.ndarray | None, threads: int
) -> tuple[float, float]: ...
def rows_times(x: np.ndarray, w: np.ndarray, *, threads: int) -> np.ndarray: ...
def gram(x: np.ndarray, *, threads: int) -> np.ndarray: ...
