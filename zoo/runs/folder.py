"""A run on disk: named arrays, JSON and CSV; written whole or not at all, read without trust."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import DataError, UsageError
from zoo.files import replacing

if TYPE_CHECKING:
    from zoo.plugin import Head
    from zoo.registry import Registry

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass
class Run:
    """A finished run.

    Attributes:
        folder: where it lies.
        summary: the object that ``--json`` prints.
        plan: what was run, as in run.json.
        head: the trained head; loaded from disk when first asked for.
        features: (n, d) float32 rows of the data, in memory only right after a transfer.
    """

    folder: Path
    summary: dict[str, Any]
    plan: dict[str, Any]
    registry: Registry = field(repr=False)
    features: np.ndarray | None = field(default=None, repr=False)
    _head: Head | None = field(default=None, repr=False)

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Metric name -> value, low, high."""
        return dict(self.summary["evaluation"]["metrics"])

    @property
    def names(self) -> tuple[str, ...]:
        """Class names by code."""
        return tuple(self.plan["names"])

    @property
    def head(self) -> Head:
        """The trained head; raises DataError where its file is missing or damaged."""
        if self._head is None:
            self._head = _load_head(self.folder, self.plan, self.registry)
        return self._head

    def predict(self, items: Any, **options: Any) -> list[Any]:
        """Labels with probabilities for new samples; see `zoo.runs.run_predict`."""
        from zoo.runs.plan import RunOptions
        from zoo.runs.predict import run_predict

        return run_predict(self.registry, self, items, options=RunOptions(**options))


def run_folder(out: Path | None, source: str, data: str, head: str) -> Path:
    """The folder a run will be written to; a default name never takes an existing one.

    Raises:
        UsageError: `out` exists and is neither empty nor a run.
    """
    if out is not None:
        if (
            out.exists()
            and not (out / "run.json").is_file()
            and (not out.is_dir() or any(out.iterdir()))
        ):
            raise UsageError(f"'{out}' exists and is not a run", hint="choose another --out")
        return out
    model = source.partition("#")[0].rstrip("/").split("/")[-1].split(":")[-1]
    stem = "-".join(_slug(part) for part in (Path(data).stem or data, model, head))
    base = Path("runs")
    folder, number = base / stem, 1
    while folder.exists():
        number += 1
        folder = base / f"{stem}-{number}"
    return folder


def save_run(
    folder: Path,
    summary: dict[str, Any],
    *,
    plan: dict[str, Any],
    ledger: dict[str, Any],
    head: Head,
    predictions: list[tuple[str, str, str, str, float]],
    features: np.ndarray,
    registry: Registry,
) -> Run:
    """Write a run's files, run.json last; raises DataError where the folder cannot be written."""
    from safetensors.numpy import save

    plan = {"schema": 1, **plan}
    state = {name: np.asarray(array, order="C") for name, array in head.state().items()}
    files = {
        "head.safetensors": save(state, {"head": summary["head"]["name"]}),
        "predictions.csv": _csv(predictions),
        "metrics.json": _json(summary),
        "ledger.json": _json(ledger),
        "run.json": _json(plan),
    }
    hint = "choose another folder with --out; the features are kept"
    for name, content in files.items():
        with replacing(folder / name, hint=hint) as temporary:
            temporary.write_bytes(content)
    return Run(folder, summary, plan, registry, features, head)


def load_run(folder: Path, registry: Registry) -> Run:
    """A run from its folder; raises DataError where it is none or damaged."""
    if not (folder / "run.json").is_file():
        raise DataError(f"'{folder}' is not a run", hint="zoo runs lists the runs below ./runs")
    return Run(folder, _read(folder / "metrics.json"), _read(folder / "run.json"), registry)


def list_runs(base: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Folders below `base` that hold a run, sorted, with their summaries; damaged ones are left."""
    found = []
    for path in sorted(base.glob("*/run.json")):
        try:
            found.append((path.parent, _read(path.with_name("metrics.json"))))
        except DataError:
            continue
    return found


def safe_cell(text: str) -> str:
    """A CSV cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _load_head(folder: Path, plan: dict[str, Any], registry: Registry) -> Head:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / "head.safetensors"
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"'{path}' is missing or damaged: {error}") from error
    made: Head = registry.create("head", plan["options"]["head"])
    return type(made).from_state(state)


def _csv(predictions: list[tuple[str, str, str, str, float]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["item", "split", "label", "prediction", "probability"])
    for item, split, label, prediction, probability in predictions:
        cells = [safe_cell(cell) for cell in (item, split, label, prediction)]
        writer.writerow([*cells, f"{probability:.6f}"])
    return text.getvalue().encode("utf-8")


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' is missing or damaged: {error}") from error
    if not isinstance(value, dict) or value.get("schema") != 1:
        raise DataError(f"'{path}' is of a format this version does not read")
    return value


def _slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-.") or "data"
