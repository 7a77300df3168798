"""``zoo report``: a finished run, or several side by side, as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli import common


@click.command("report")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    envvar="ZOO_OUT",
    type=click.Path(path_type=Path),
    help="File to write, or its folder.  [default: report.html in the run's folder]",
)
@click.option("--data", envvar="ZOO_DATA", help="Where the data lies now, if it was moved.")
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
@common.output
def command(
    runs: tuple[Path, ...],
    *,
    out: Path | None,
    data: str | None,
    opens: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Write the report of RUN as one HTML file that needs nothing else.

    The verdict comes first, then pictures, then tables: scores, confusions, honesty of the
    probabilities, maps of the samples, mistakes, doubtful labels, health of the data, what was run
    and what it cost. No backbone is loaded. Several runs are compared, in ./comparison.html.
    """
    del debug
    # A folder of runs or data named for all verbs is not meant for this file or these runs.
    out, data = out if _typed("out") else None, data if _typed("data") else None
    from zoo.cli.summary import show_report
    from zoo.reports import write_report
    from zoo.runs import load_run

    registry = common.make_registry(quiet=quiet)
    loaded = [load_run(run, registry) for run in runs]
    report = write_report(loaded, out=out, data=data or "")
    if opens:
        click.launch(str(report.path))
    if as_json:
        common.print_json(
            {
                "schema": 1,
                "report": report.path.as_posix(),
                "bytes": report.size,
                "runs": [run.folder.as_posix() for run in loaded],
                "absent": list(report.absent),
            }
        )
        return
    show_report(report, quiet=quiet)


def _typed(name: str) -> bool:
    """Whether an option stands on the command line itself."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE
