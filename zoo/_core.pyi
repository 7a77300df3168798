# The native core; use it through zoo.engine.

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

class IoError(OSError): ...
class CorruptError(ValueError): ...
class UnavailableError(RuntimeError): ...

def build_info() -> dict[str, Any]: ...
def row_norms(
    x: NDArray[np.float32], *, device: str = "cpu", threads: int = 1
) -> NDArray[np.float64]: ...

# The feature store (bindings/store.cpp)

class ShardView:
    @property
    def shard(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def keys(self) -> NDArray[np.uint8]: ...
    @property
    def values(self) -> NDArray[Any]: ...
    @property
    def offsets(self) -> NDArray[np.int64] | None: ...
    @property
    def scales(self) -> NDArray[np.float32] | None: ...
    def dlpack(self, max_version: tuple[int, int] | None) -> object: ...

class Scan:
    def next(self, most: int, /) -> tuple[int, int]: ...
    def read(
        self,
        keys: NDArray[np.uint8],
        values: NDArray[Any],
        offsets: NDArray[np.int64] | None = None,
        scales: NDArray[np.float32] | None = None,
        *,
        threads: int = 1,
    ) -> None: ...

class Store:
    def __init__(
        self,
        folder: bytes,
        *,
        shard_bytes: int = 67108864,
        seal_seconds: float = 30.0,
        resident_bytes: int = 0,
        read_only: bool = False,
    ) -> None: ...
    def contains(self, keys: NDArray[np.uint8], column: str) -> NDArray[np.bool_]: ...
    def append(
        self,
        keys: NDArray[np.uint8],
        columns: Sequence[
            tuple[str, str, NDArray[Any], NDArray[np.int64] | None, NDArray[np.float32] | None]
        ],
    ) -> int: ...
    def lengths(self, keys: NDArray[np.uint8], column: str, out: NDArray[np.int64]) -> int: ...
    def gather(
        self,
        keys: NDArray[np.uint8],
        column: str,
        values: NDArray[Any],
        offsets: NDArray[np.int64] | None = None,
        scales: NDArray[np.float32] | None = None,
        *,
        threads: int = 1,
    ) -> int: ...
    def scan(self, column: str) -> Scan: ...
    def views(self, column: str) -> list[ShardView]: ...
    def compact(self) -> tuple[int, int, int]: ...
    def spec(self, column: str) -> tuple[str, int, bool] | None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...
    def refresh(self) -> None: ...
    def columns(self) -> list[tuple[str, str, int, int, bool]]: ...
    def damaged(self) -> list[tuple[str, str]]: ...
    def shard_count(self) -> int: ...
    def byte_count(self) -> int: ...
    def verify(self, *, threads: int = 1) -> tuple[int, int, int, list[tuple[str, str]]]: ...

# What csrc/bindings/heads.cpp registers
class Rows:
    def __init__(self, values: NDArray[Any], scales: NDArray[np.float32] | None = None) -> None: ...
    @staticmethod
    def of_store(store: Store, column: str, keys: NDArray[np.uint8]) -> Rows: ...
    @property
    def shape(self) -> tuple[int, int]: ...

def logistic_fit(
    x: Rows,
    codes: np.ndarray,
    classes: int,
    *,
    strength: float,
    weights: np.ndarray | None,
    start: tuple[np.ndarray, np.ndarray] | None,
    intercept: bool,
    standardize: bool,
    tolerance: float,
    max_iterations: int,
    threads: int,
) -> tuple[np.ndarray, np.ndarray, float, float, float, bool, int, int, bool]: ...
def multilabel_fit(
    x: Rows,
    marks: np.ndarray,
    *,
    strength: float,
    weights: np.ndarray | None,
    intercept: bool,
    standardize: bool,
    tolerance: float,
    max_iterations: int,
    threads: int,
) -> list[tuple[np.ndarray, np.ndarray, float, float, float, bool, int, int, bool]]: ...
def logistic_search(
    x: Rows,
    codes: np.ndarray,
    classes: int,
    *,
    folds: list[tuple[np.ndarray, np.ndarray]],
    strengths: list[float],
    weights: np.ndarray | None,
    one_standard: bool,
    intercept: bool,
    standardize: bool,
    tolerance: float,
    threads: int,
) -> tuple[np.ndarray, np.ndarray, int, np.ndarray, int, bool]: ...
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

# What csrc/bindings/ridge.cpp registers
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
def ridge_targets(
    z: np.ndarray,
    y: np.ndarray,
    *,
    strengths: Sequence[float],
    weights: np.ndarray | None,
    intercept: bool,
    keep_all: bool,
    threads: int,
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]]: ...
def rows_combined(r: np.ndarray, x: np.ndarray, *, threads: int) -> np.ndarray: ...

# Pixels (bindings/pixels.cpp) and those of others (bindings/arrow.cpp)

def prepare_pixels(
    image: NDArray[np.uint8],
    levels: NDArray[Any],
    *,
    resized: tuple[int, int],
    window: tuple[int, int, int, int],
    kind: int,
    box: tuple[float, float, float, float] | None,
    planes: bool,
    mirror: bool,
) -> NDArray[Any]: ...
def arrow_pixels(
    schema: object, array: object, *, height: int, width: int
) -> NDArray[np.uint8]: ...
