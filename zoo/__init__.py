"""zoo: transfer learning from any model zoo.

    import zoo
    run = zoo.transfer("hf:org/name", "./photos")
    run.metrics["accuracy"], run.predict("./new")

Importing zoo costs next to nothing; what a function needs is imported when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zoo.runs import ExtractResult, Run

__all__ = ["extract", "load_run", "report", "transfer"]


def transfer(model: str, data: Any, labels: Any = None, **options: Any) -> Run:
    """Train the best head on a frozen backbone's features and measure it.

    Args:
        model: a source, such as ``hf:org/name``, ``hf:./folder`` or ``onnx:./model.onnx``.
        data: a path (folder of class folders, CSV, JSONL, .npz), or a sequence or Series of n file
            paths, texts, PIL images, uint8 arrays of shape (h, w) or (h, w, 3), or recordings as
            floating-point arrays of shape (samples,) at the model's own rate, or a pandas or
            polars DataFrame whose columns ``input``, ``target`` and ``group`` name.
        labels: n labels where `data` is a sequence: classes, numbers, lists of label names, or
            arrays or DataFrames of shape (n, t), float for numbers and bool for labels.
        **options: fields of `zoo.runs.RunOptions`, such as ``head``, ``coverage``, ``out``.

    Returns:
        The run: ``metrics``, ``predict(items)``, ``features`` (n, d) float32, ``summary``; a
        notebook shows its metrics as a table.

    Raises:
        zoo.errors.UsageError: an option's value, or ``out`` is a folder that is no run.
        zoo.errors.SourceError: the model is missing, unsupported, or gives values not finite.
        zoo.errors.DataError: the data is missing or unfit, or the run cannot be written.
        zoo.errors.StoreError: the feature store is damaged, full or not writable.
        zoo.errors.TrustError: code from the model's repository would have to run.
    """
    from zoo.runs import RunOptions, run_transfer

    return run_transfer(_registry(), model, data, labels, options=RunOptions(**options))


def extract(model: str, data: Any, labels: Any = None, **options: Any) -> ExtractResult:
    """Bring a dataset's features into the store and return them; arguments as of `transfer`.

    Returns:
        ``features`` (n, d) float32, one row for each readable item in the order of the data;
        ``split`` (n,) names, empty for rows that are in none; ``summary``; and ``extracted``, which
        has the items, their content digests and those that could not be read. With
        ``features="tokens"`` ``tokens()`` has a row for every token, patch or frame.

    Raises:
        zoo.errors.ZooError: as `transfer`; finished rows are kept.
    """
    from zoo.runs import RunOptions, run_extract

    return run_extract(_registry(), model, data, labels, options=RunOptions(**options))


def load_run(folder: str) -> Run:
    """A finished run from its folder, ready to predict; its ``features`` are not loaded.

    Raises:
        zoo.errors.DataError: there is no run, or one that is damaged.
    """
    from pathlib import Path

    from zoo.runs import load_run as load

    return load(Path(folder), _registry())


def report(
    runs: Run | str | Path | Sequence[Run | str | Path],
    *,
    out: str | Path | None = None,
    data: str = "",
) -> Path:
    """Write the report of a run, or the comparison of several, as one HTML file.

    Args:
        runs: a finished run or its folder, or several.
        out: the file, or its folder; None is ``report.html`` in the run's folder, or
            ``comparison.html`` in the working folder for several.
        data: where the data of a single run lies now, if it was moved.

    Returns:
        The file's path. What could not be shown is said in it.

    Raises:
        zoo.errors.UsageError: no run, ``data`` for several, or ``out`` is no HTML file.
        zoo.errors.DataError: a folder holds no run, or the file cannot be written.
    """
    from pathlib import Path

    from zoo.reports import write_report
    from zoo.runs import Run, load_run

    several = [runs] if isinstance(runs, Run | str | Path) else list(runs)
    registry = _registry()
    loaded = [run if isinstance(run, Run) else load_run(Path(run), registry) for run in several]
    return write_report(loaded, out=None if out is None else Path(out), data=data).path


def _registry() -> Any:
    import warnings

    from zoo.registry import Registry

    return Registry(warn=lambda line: warnings.warn(line, stacklevel=3))


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("zoo-transfer")
        except PackageNotFoundError:  # a checkout that is not installed
            from zoo._core import build_info

            return str(build_info()["version"])
    raise AttributeError(name)
