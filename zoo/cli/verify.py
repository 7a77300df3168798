"""``zoo verify``: whether a model's features are those that its own library gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo.cli import common
from zoo.errors import GateError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from zoo.runs.verification import Compared, Verification


def _places(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[Any]]:
    del ctx, parameter
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


@click.command("verify")
@click.argument("source", metavar="SOURCE|RUN", shell_complete=_places)
@click.option("--device", default="auto", show_default=True, envvar="ZOO_DEVICE")
@click.option("--dtype", default="auto", show_default=True, envvar="ZOO_DTYPE")
@click.option("--preprocess", default="", envvar="ZOO_PREPROCESS", help="TOML or key=value,...")
@click.option("--threads", type=int, default=None, envvar="ZOO_THREADS")
@click.option("--offline", is_flag=True, envvar="ZOO_OFFLINE", help="Never open a socket.")
@common.trust_repo
@common.output
def command(  # noqa: D103 - click shows the help below
    source: str, *, as_json: bool, quiet: bool, debug: bool, **chosen: Any
) -> None:
    del debug
    from zoo.runs import run_verify

    registry = common.make_registry(quiet=quiet)
    with common.run_options(quiet=quiet, **chosen) as options:
        found = run_verify(registry, source, options=options)
    if as_json:
        common.print_json({"schema": 1, **found.as_dict()})
    else:
        if not quiet:
            _show(found)
        common.show(_verdict(found))
    if not quiet and not found.able_to_fail:
        common.warn("warning: no mistake that was tried moves a row by more than the tolerance")
    if not found.passed:
        raise _above(found, str(chosen["preprocess"]))


command.help = """Check that features are those that the model's own library gives.

Odd samples made in code (photos of odd sizes, grey, 16-bit and EXIF-turned ones; texts empty, long
and in many scripts; recordings of other rates, stereo, short) go through zoo and through the
model's own processor and library. Shown are the greatest differences, and how far the usual
mistakes would move a row. A difference above the stated tolerance is exit code 7.

RUN is the folder of a finished run: its pinned model is checked, with the run's own options, and
must still be the one the head was trained on.
"""


def _show(found: Verification) -> None:
    against = found.reference or f"none: {found.why}"
    common.show(
        f"source     {found.source}" + (f"   (of run {found.run})" if found.run else ""),
        f"contract   {found.contract['digest']}",
        f"weights    {found.contract['weights']}",
        f"reference  {against}",
        f"tolerance  {found.tolerance:.0e} of a row's norm",
        "",
    )
    probes = [_row(one) for one in (*found.probes, found.alone)]
    common.show_table(("probe", "difference", "cosine", ""), probes)
    common.show("")
    ways = [
        (*_row(way)[:3], "found" if found.finds(way) else way.note or _unseen(way, found))
        for way in found.wrong
    ]
    common.show_table(("a mistake would move rows by", "", "cosine", ""), ways)
    common.show("")


def _row(one: Compared) -> tuple[str, str, str, str]:
    difference = "-" if one.difference is None else f"{one.difference:.1e}"
    cosine = "-" if one.cosine is None else f"{one.cosine:.6f}"
    return one.name, difference, cosine, one.note


def _unseen(way: Compared, found: Verification) -> str:
    small = (way.difference or 0.0) < found.tolerance / 10  # as rounding is
    return "changes nothing here" if small else "not found"


def _verdict(found: Verification) -> str:
    mistakes = sum(found.finds(way) for way in found.wrong)
    able = f"{mistakes} of {len(found.wrong)} mistakes would be found"
    greatest = found.greatest
    if greatest is None or greatest.difference is None:
        return f"not compared: {found.why}; {able}"
    word = "equal" if found.passed else "DIFFERENT"
    return f"{word}: at most {greatest.difference:.1e} from the reference; {able}"


def _above(found: Verification, preprocess: str) -> GateError:
    worst = found.greatest
    if worst is None or (worst.difference or 0.0) <= found.tolerance:
        worst = found.alone
    stated = preprocess or (found.run and "the run's preprocessing")
    hint = (
        f"{stated} contradicts what the model states: leave it out"
        if stated
        else "don't use these features; report it with zoo verify --json and zoo doctor"
    )
    return GateError(
        f"'{found.source}': the row of '{worst.name}' is {worst.difference:.1e} from what it "
        f"should be, more than {found.tolerance:.0e}",
        hint=hint,
    )
