"""What verbs share: options with one name everywhere, the registry, progress and output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem
    from rich.console import Console

    from zoo.features import Progress
    from zoo.registry import Registry
    from zoo.runs import RunOptions

_F = TypeVar("_F", bound=Callable[..., Any])

COMPLETING = "_ZOO_COMPLETE"  # the variable by which a shell asks for completions


def _option(*names: str, **settings: Any) -> Callable[[_F], _F]:
    """A click option that the variable ZOO_<NAME> can set too."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "ZOO_" + long[2:].upper().replace("-", "_")
    return click.option(*names, envvar=variable, **settings)


def _values(*values: str) -> Callable[..., list[str]]:
    """Completes an option that takes one of these."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        del ctx, parameter
        return [value for value in values if value.startswith(incomplete)]

    return complete


def _heads(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    del ctx, parameter
    return [name for name in make_registry(quiet=True).heads if name.startswith(incomplete)]


def _files(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[Any]]:
    del ctx, parameter
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


model = _option(
    "--model", required=True, help="Model source, such as hf:org/name or onnx:./model.onnx."
)
data = _option(
    "--data",
    required=True,
    help="Folder, CSV, JSONL, Parquet, .tar shards or .npz.",
    shell_complete=_files,
)
as_json = _option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
quiet = _option("--quiet", is_flag=True, help="Print results only.")
debug = _option("--debug", is_flag=True, help="Show the traceback of a failure.")
head = _option(
    "--head",
    default="auto",
    show_default=True,
    help="Head to train; auto is ridge for numbers, else logistic.",
    shell_complete=_heads,
)
features = _option(
    "--features",
    default="pooled",
    show_default=True,
    help="pooled: a row a sample; tokens: one for each token, patch or frame (extract).",
    shell_complete=_values("pooled", "tokens"),
)
coverage = _option(
    "--coverage",
    type=float,
    default=0.9,
    show_default=True,
    help="Share of samples whose conformal set should hold their class.",
)
co2 = _option(
    "--co2-g-per-kwh",
    type=float,
    default=None,
    help="Grams of CO2 a kilowatt-hour stands for in the ledger.  [default: the world's average]",
)
slices = _option(
    "--slice",
    "slices",
    multiple=True,
    help="Column by whose values metrics are told apart; one each time.",
)
no_verdict = _option(
    "--no-verdict", is_flag=True, help="Leave out whether the transfer was worth it."
)
gate = _option(
    "--gate", is_flag=True, help="Exit with 7 unless the verdict is positive or marginal."
)
scratch_budget = _option(
    "--scratch-budget",
    type=float,
    default=60.0,
    show_default=True,
    help="Seconds for training from scratch, to compare with; 0 for none.",
)
report = _option("--report", is_flag=True, help="Write report.html into the run's folder, too.")
out = _option("--out", type=click.Path(path_type=Path), help="Folder of the run.")
on_bad = _option(
    "--on-bad",
    default="skip",
    show_default=True,
    help="Unreadable samples: skip, fail, or at most max=N, max=P%.",
)
dry_run = _option("--dry-run", is_flag=True, help="Say what would be done, and stop.")

# Trust is said on the command line alone: neither a variable nor a zoo.toml that came with the data
# can say it.
trust_repo = click.option(
    "--trust-repo", is_flag=True, help="Let the code of the model's repository run."
)

_columns = (
    _option("--input", "input", default="", help="Column or array of the inputs."),
    _option("--target", default="", help="Column or array of the labels; or columns: a,b,c."),
    _option("--group", default="", help="Column whose groups never straddle a split."),
    _option(
        "--task",
        default="auto",
        show_default=True,
        help="What is predicted: auto, class, regression or multilabel.",
    ),
)
_compute = (
    _option("--seed", type=int, default=0, show_default=True, help="Of splits and draws."),
    _option(
        "--device",
        default="auto",
        show_default=True,
        help="auto, cpu, cuda or mps.",
        shell_complete=_values("auto", "cpu", "cuda", "mps"),
    ),
    _option(
        "--dtype",
        default="auto",
        show_default=True,
        help="Compute type: auto (bfloat16 if measured to pay), float32, bfloat16 or float16.",
        shell_complete=_values("auto", "float32", "bfloat16", "float16"),
    ),
    _option("--runtime", default="auto", show_default=True, help="What runs the backbone."),
    _option(
        "--preprocess",
        default="",
        help="TOML file or key=value,... (lists by ';').",
        shell_complete=_files,
    ),
    _option(
        "--deterministic",
        is_flag=True,
        help="Features equal to the last bit whatever the batch, order and threads; slower.",
    ),
    _option("--threads", type=int, default=None, help="Default: all that the process may use."),
    _option("--batch-size", type=int, default=32, show_default=True, help="Samples a batch."),
    _option("--limit", type=int, default=0, help="Use at most so many samples; 0 for all."),
    on_bad,
    _option("--offline", is_flag=True, help="Never open a socket."),
    trust_repo,
)


def _stack(*options: Callable[[Any], Any]) -> Callable[[_F], _F]:
    def apply(function: _F) -> _F:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


columns = _stack(*_columns)
compute = _stack(*_compute)
verdict = _stack(no_verdict, scratch_budget, gate)
output = _stack(as_json, quiet, debug)


def warn(line: str) -> None:
    """One line to stderr, its control characters made harmless."""
    click.echo(printable(line), err=True)


def _silent(line: str) -> None:
    del line


def make_registry(*, quiet: bool = False) -> Registry:
    """The registry of this command; broken plugins are named on stderr."""
    from zoo.registry import Registry

    return Registry(warn=_silent if quiet else warn)


@contextmanager
def run_options(*, quiet: bool, **chosen: Any) -> Iterator[RunOptions]:
    """RunOptions from a verb's own parameters, with a progress bar where a person watches."""
    from zoo.cli import PRESSED
    from zoo.runs import RunOptions

    _keep_freed_memory()
    _let_waiting_threads_sleep()
    with progress_bar(quiet=quiet) as progress:
        say = _silent if quiet else warn
        yield RunOptions(progress=progress, say=say, interrupted=PRESSED.get(), **chosen)


def _keep_freed_memory() -> None:
    """Ask glibc to keep large freed blocks for the next batch instead of unmapping them.

    A forward pass frees and asks for the same hundreds of megabytes again and again; having the
    kernel zero fresh pages each time took more than half of the time of a convolutional backbone.
    """
    if sys.platform != "linux":
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD


def _let_waiting_threads_sleep() -> None:
    """Ask OpenMP, before torch loads it, that threads which wait for others do not spin.

    Spinning wins microseconds where a process has the processor to itself. Here threads that decode
    and write want the same cores: spinning took half of the processor's time, and three quarters
    where other processes ran as well.
    """
    if "GOMP_SPINCOUNT" not in os.environ:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress | None]:
    """A rich bar with rate and time left on a terminal; nothing in a pipe."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("features"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        started: list[TaskID] = []

        def update(done: int, total: int) -> None:
            if not started:
                started.append(bar.add_task("features", total=total, rate=""))
            speed = bar.tasks[0].speed
            bar.update(started[0], completed=done, rate=f"{speed:.1f}/s" if speed else "")

        yield update


def print_json(value: Any) -> None:
    """One JSON object on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def show_plan(plan: dict[str, Any], *, as_json: bool) -> None:
    """What a ``--dry-run`` foresees."""
    if as_json:
        print_json(plan)
        return
    bad = f", {plan['unreadable']} unreadable" if plan["unreadable"] else ""
    show(
        f"rows      {plan['rows']} samples, {plan['distinct']} distinct{bad}",
        f"features  {plan['stored']} rows are stored, {plan['forwards']} forward passes to do",
    )
    if plan["forwards"]:
        speed, size = plan["samples_per_second"], plan["bytes"]
        took = f"about {_duration(plan['seconds'])} at {speed:.3g} samples/s" if speed else ""
        show(
            f"time      {took or 'not known: this model has not run here under this key'}",
            f"store     {'not known' if size is None else f'about {size / 1e6:.1f} MB'} to write",
        )
    if "run" in plan:
        show(f"run       {plan['run']}")
    show("nothing was computed, written or downloaded")


def _duration(seconds: float) -> str:
    """Seconds as people say them."""
    minutes = seconds / 60
    if minutes < 1.5:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def console() -> Console:
    """A rich console on stdout: plain in a pipe, wide enough not to fold paths there."""
    from rich.console import Console

    piped = not sys.stdout.isatty()
    return Console(width=200 if piped else None, highlight=False, markup=False, soft_wrap=piped)


def show(*lines: str) -> None:
    """Lines on stdout, foreign control characters made harmless."""
    out = console()
    for line in lines:
        out.print(printable(line))


def show_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout, foreign control characters made harmless."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*header, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    console().print(table)


def printable(text: str) -> str:
    """Text without control characters: a file's name must not steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)
