"""``zoo predict``: apply a finished run to new samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import common
from zoo.errors import DataError

if TYPE_CHECKING:
    from zoo.runs.predict import Predictions
    from zoo.runs.tasks import Table


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, required=True)
@click.option("--input", "input", default="", envvar="ZOO_INPUT", help="Column of the inputs.")
@click.option(
    "--out", type=click.Path(path_type=Path), envvar="ZOO_OUT", help="Write a CSV file too."
)
@click.option("--device", default="auto", show_default=True, envvar="ZOO_DEVICE")
@click.option("--threads", type=int, default=None, envvar="ZOO_THREADS")
@click.option("--batch-size", type=int, default=32, show_default=True, envvar="ZOO_BATCH_SIZE")
@common.on_bad
@click.option("--offline", is_flag=True, envvar="ZOO_OFFLINE", help="Never open a socket.")
@common.trust_repo
@common.dry_run
@common.output
def command(  # noqa: D103 - click shows the help below
    run: Path,
    inputs: tuple[str, ...],
    *,
    out: Path | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **chosen: Any,
) -> None:
    del debug
    from zoo.data import expanded
    from zoo.runs import dry_predict, load_run, run_predict

    registry = common.make_registry()
    loaded = load_run(run, registry)
    inputs = tuple(name for text in inputs for name in expanded(text))
    missing = [text for text in inputs if not Path(text).exists()]
    if missing:
        raise DataError(
            f"there is no '{missing[0]}'", hint="inputs are files, folders or tables that exist"
        )
    with common.run_options(quiet=quiet, **chosen) as options:
        if dry_run:
            plan = dry_predict(registry, loaded, inputs, options=options)
            common.show_plan(plan, as_json=as_json)
            return
        predictions = run_predict(registry, loaded, inputs, options=options)
    if not quiet:
        for item in predictions.bad:
            common.warn(f"warning: '{item.name}' could not be read: {item.reason}")
    if out is not None:
        _write(predictions, out)
    if as_json:
        common.print_json(_object(str(run), predictions))
    elif out is None or not quiet:
        _show(predictions)


command.help = """Apply RUN to INPUTS: image or audio files, folders, or tables with the column
that was trained on. Prints a label and its probability for each sample, its labels, or its numbers.
"""


def _object(run: str, predictions: Predictions) -> dict[str, Any]:
    return {
        "schema": 1,
        "run": run,
        "task": predictions.task,
        "names": list(predictions.names),
        "forwards": predictions.forwards,
        "predictions": [
            {
                "item": p.item,
                "label": p.label,
                "probability": p.probability,
                "probabilities": _listed(p.probabilities),
                "conformal_set": _listed(p.conformal_set),
                "labels": _listed(p.labels),
                "values": _listed(p.values),
            }
            for p in predictions
        ],
        "bad": [{"item": bad.name, "reason": bad.reason} for bad in predictions.bad],
    }


def _listed(values: tuple[Any, ...] | None) -> list[Any] | None:
    return None if values is None else list(values)


def _show(predictions: Predictions) -> None:
    from zoo.runs.tasks import number_columns

    rows: Iterable[Sequence[object]]
    if predictions.task == "regression":
        header = ("item", *number_columns(predictions.names, "prediction"))
        rows = ((p.item, *(f"{value:.6g}" for value in p.values or ())) for p in predictions)
    elif predictions.task == "multilabel":
        header = ("item", "labels")
        rows = ((p.item, ", ".join(p.labels or ())) for p in predictions)
    else:
        header = ("item", "label", "probability")
        rows = ((p.item, p.label, f"{p.probability:.3f}") for p in predictions)
    common.show_table(header, rows)


def _write(predictions: Predictions, path: Path) -> None:
    from zoo.files import replacing
    from zoo.runs.folder import write_csv

    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        write_csv(file, _table(predictions))


def _table(predictions: Predictions) -> Table:
    from zoo.runs.tasks import number_columns

    names = predictions.names
    chances = [[f"{x:.6f}" for x in p.probabilities or ()] for p in predictions]
    if predictions.task == "regression":
        header = number_columns(names, "prediction")
        rows: Table = [[p.item, *(p.values or ())] for p in predictions]
    elif predictions.task == "multilabel":
        header = ["labels", *(f"p:{name}" for name in names)]
        rows = [
            [p.item, "|".join(p.labels or ()), *of_labels]
            for p, of_labels in zip(predictions, chances, strict=True)
        ]
    else:
        header = ["label", "probability", *(f"p:{name}" for name in names), "conformal_set"]
        rows = [
            [
                p.item,
                p.label or "",
                f"{p.probability:.6f}",
                *of_classes,
                "|".join(p.conformal_set or ()),
            ]
            for p, of_classes in zip(predictions, chances, strict=True)
        ]
    return [["item", *header], *rows]
