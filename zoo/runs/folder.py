"""A run on disk: named arrays, JSON and CSV; written whole or not at all, read without trust."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from zoo.errors import DataError, UsageError
from zoo.heads.calibration import Calibration, without_calibration

if TYPE_CHECKING:
    from zoo.plugin import Head
    from zoo.registry import Registry
    from zoo.runs.tasks import Table

_PLAN_KEYS = frozenset({"names", "options", "resolved", "contract", "column"})
_SUMMARY_KEYS = frozenset({"run", "model", "data", "features", "head", "evaluation"})
_REPORT = "report.html"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(repr=False)
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
    _head: tuple[Head, Calibration | None] | None = field(default=None, repr=False)

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Metric name -> value, low, high."""
        return dict(self.summary["evaluation"]["metrics"])

    @property
    def verdict(self) -> dict[str, Any] | None:
        """Whether the transfer was worth it, as ``--json`` tells it; None where nobody asked."""
        found = self.summary.get("verdict")
        return dict(found) if isinstance(found, dict) else None

    @property
    def task(self) -> str:
        """What is predicted: ``class``, ``regression`` or ``multilabel``."""
        return str(self.plan.get("task", "class"))  # not told by runs before there were others

    @property
    def names(self) -> tuple[str, ...]:
        """Class names by code; names of the numbers; the labels."""
        return tuple(self.plan["names"])

    @property
    def head(self) -> Head:
        """The trained head; raises DataError where its file is missing or damaged."""
        return self._loaded()[0]

    @property
    def calibration(self) -> Calibration | None:
        """What makes its scores probabilities; None where it was not calibrated."""
        return self._loaded()[1]

    def predict(self, items: Any, **options: Any) -> list[Any]:
        """Labels with probabilities for new samples, in their order.

        Args:
            items: one path or several (files, folders, tables), or a sequence of m texts, PIL
                images or uint8 arrays of shape (h, w) or (h, w, 3).
            **options: fields of `zoo.runs.RunOptions`, such as ``device`` or ``threads``.

        Returns:
            A list of `zoo.runs.Prediction`, with ``bad``: the items that could not be read.

        Raises:
            zoo.errors.SourceError: the backbone is no longer the one the head was trained on.
            zoo.errors.DataError: nothing can be read, or it is of another kind.
        """
        from zoo.runs.plan import RunOptions
        from zoo.runs.predict import run_predict

        return run_predict(self.registry, self, items, options=RunOptions(**options))

    def __repr__(self) -> str:
        from zoo.runs.notebook import line

        return line(self.summary)

    def _repr_html_(self) -> str:
        """What a notebook shows: the metrics with their intervals, and where the report is."""
        from zoo.runs.notebook import html

        report = self.folder / _REPORT
        return html(self.summary, report if report.is_file() else None)

    def _loaded(self) -> tuple[Head, Calibration | None]:
        if self._head is None:
            self._head = _load_head(self.folder, self.plan, self.registry)
        return self._head


@dataclass(frozen=True)
class RunPlace:
    """Where a run goes: the folder asked for, or the first free one of a default name."""

    wanted: Path
    replaces: bool

    @classmethod
    def of(cls, out: Path | str | None, source: str, data: str, head: str) -> RunPlace:
        """The place for a run; raises UsageError where `out` is neither new, empty nor a run."""
        if out is not None:
            out = Path(out)
            taken = out.exists() and not (out / "run.json").is_file()
            if taken and not (out.is_dir() and not any(out.iterdir())):
                raise UsageError(f"'{out}' exists and is not a run", hint="choose another --out")
            return cls(out, replaces=True)
        model = source.partition("#")[0].partition("?")[0].rstrip("/").split("/")[-1].split(":")[-1]
        stem = "-".join(_slug(part) for part in (Path(data).stem or data, model, head))
        return cls(Path("runs") / stem, replaces=False)

    def candidates(self) -> Iterator[Path]:
        """The folders to try, in order."""
        yield self.wanted
        for number in itertools.count(2):
            if self.replaces:
                return
            yield self.wanted.with_name(f"{self.wanted.name}-{number}")


def save_run(
    place: RunPlace,
    summary: dict[str, Any],
    *,
    plan: dict[str, Any],
    ledger: dict[str, Any],
    head: Head,
    calibration: Calibration | None,
    predictions: Table,
    features: np.ndarray,
    registry: Registry,
) -> Run:
    """Write a run beside its place and move it there whole; `summary` gets its name.

    Raises:
        DataError: the folder cannot be written; what was there before is untouched.
    """
    from safetensors.numpy import save

    plan = {"schema": 1, **plan}
    arrays = {**head.state(), **({} if calibration is None else calibration.state())}
    state = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    files = {
        "head.safetensors": save(state, {"head": summary["head"]["name"]}),
        "predictions.csv": _csv(predictions),
        "ledger.json": _json(ledger),
        "run.json": _json(plan),
    }
    parent = place.wanted.parent
    written = parent / f".{place.wanted.name}.{secrets.token_hex(4)}.tmp"
    try:
        written.mkdir(parents=True)
        for name, content in files.items():
            (written / name).write_bytes(content)
        folder = _move(written, place, summary)
    except OSError as error:
        raise DataError(
            f"cannot write the run to '{place.wanted}': {error.strerror or error}",
            hint="free space or choose another folder with --out; the features are kept",
        ) from error
    finally:
        shutil.rmtree(written, ignore_errors=True)
    return Run(folder, summary, plan, registry, features, (head, calibration))


def _move(written: Path, place: RunPlace, summary: dict[str, Any]) -> Path:
    """Give the written folder the first name that is free, or that it replaces."""
    for folder in place.candidates():
        summary["run"] = folder.as_posix()
        (written / "metrics.json").write_bytes(_json(summary))
        if place.replaces and folder.exists():
            _replace(written, folder)
            return folder
        if not folder.exists():
            try:
                written.rename(folder)
            except OSError:
                if not folder.exists():  # not a neighbour that was faster
                    raise
            else:
                return folder
    raise FileExistsError(str(place.wanted))


def _replace(written: Path, folder: Path) -> None:
    """Put a new run in an old one's place; files that are none of the run's stay.

    The old one's report goes: it would speak for the new one.
    """
    old = written.with_name(f"{written.name}.old")
    folder.rename(old)
    try:
        written.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    for path in old.iterdir():
        if path.name != _REPORT and not (folder / path.name).exists():
            path.rename(folder / path.name)
    shutil.rmtree(old, ignore_errors=True)


def load_run(folder: Path, registry: Registry) -> Run:
    """A run from its folder; raises DataError where it is none or damaged."""
    if not (folder / "run.json").is_file():
        raise DataError(f"'{folder}' is not a run", hint="zoo runs lists the runs below ./runs")
    summary = {**_summary(folder), "run": folder.as_posix()}
    return Run(folder, summary, _read(folder / "run.json", _PLAN_KEYS), registry)


def list_runs(base: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Folders below `base` that hold a run, sorted, with their summaries; damaged ones are left."""
    found = []
    for path in sorted(base.glob("*/run.json")):
        try:
            found.append((path.parent, _summary(path.parent)))
        except DataError:
            continue
    return found


def write_csv(file: TextIO, table: Table) -> None:
    """Rows of text, made safe, and numbers, with all their digits."""
    writer = csv.writer(file, lineterminator="\n")
    for row in table:
        writer.writerow([safe_cell(c) if isinstance(c, str) else repr(float(c)) for c in row])


def safe_cell(text: str) -> str:
    """A CSV cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _load_head(
    folder: Path, plan: dict[str, Any], registry: Registry
) -> tuple[Head, Calibration | None]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / "head.safetensors"
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"'{path}' is missing or damaged: {error}") from error
    name = plan["options"]["head"]
    made: Head = registry.create("head", name)
    calibration = Calibration.from_state(state, name)
    return type(made).from_state(without_calibration(state)), calibration


def _csv(table: Table) -> bytes:
    text = io.StringIO(newline="")
    write_csv(text, table)
    return text.getvalue().encode("utf-8")


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _summary(folder: Path) -> dict[str, Any]:
    summary = _read(folder / "metrics.json", _SUMMARY_KEYS)
    try:
        _ = summary["evaluation"]["metrics"][summary["evaluation"]["primary"]]["value"]
        _ = summary["model"]["source"], summary["head"]["name"], summary["data"]["splits"]
    except (KeyError, TypeError) as error:
        raise DataError(f"'{folder / 'metrics.json'}' is incomplete: {error}") from error
    return summary


def _read(path: Path, keys: frozenset[str]) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"'{path}' is missing or damaged: {error}") from error
    if not isinstance(value, dict) or value.get("schema") != 1:
        raise DataError(f"'{path}' is of a format this version does not read")
    if missing := sorted(keys - value.keys()):
        raise DataError(f"'{path}' is incomplete: it lacks {', '.join(missing)}")
    return value


def _slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-.") or "data"
