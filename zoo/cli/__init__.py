"""The command line: one verb, one file; a verb's file is imported when the verb is used."""

from __future__ import annotations

import errno
import importlib
import io
import os
import shlex
import sys
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import click

from zoo.errors import InterruptedByUser, ZooError

__all__ = ["main"]

_VERBS = {
    "transfer": "Train a head on a pretrained model's features and measure it.",
    "extract": "Bring features into the store, and out to a file if named.",
    "predict": "Apply a finished run to new samples.",
    "demo": "Run the whole way offline on handwritten digits.",
    "models": "Find models; show what one is and how its inputs are prepared.",
    "verify": "Check that features are those of the model's own library.",
    "runs": "List finished runs, show one, or compare two.",
    "report": "Write a run, or several side by side, as one HTML file.",
    "cache": "List, verify, export, import and prune the feature store.",
    "plugins": "List plugins and what they bring.",
    "doctor": "Say what is amiss with this installation, and what to do.",
    "completion": "Print the script for completion in bash, zsh or fish.",
}
_INTERRUPTED = 130
PRESSED: ContextVar[Callable[[], bool]] = ContextVar("pressed", default=bool)  # Ctrl-C was


class _Verbs(click.Group):
    """A group whose commands are looked up by name and imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Built-in verbs in their own order, then plugins' commands."""
        del ctx
        return [*_VERBS, *sorted(set(_foreign()) - set(_VERBS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        del ctx
        if cmd_name in _VERBS:
            command: click.Command = importlib.import_module(f"zoo.cli.{cmd_name}").command
            return command
        entry_point = _foreign().get(cmd_name)
        if entry_point is None:
            return None
        from zoo.cli.foreign import load

        return load(cmd_name, entry_point)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs without importing one."""
        foreign = [(name, "from a plugin") for name in self.list_commands(ctx)[len(_VERBS) :]]
        with formatter.section("Commands"):
            formatter.write_dl([*_VERBS.items(), *foreign])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a hint at the verb that was probably meant."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            import difflib

            close = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            meant = f"did you mean '{close[0]}'? " if close else ""
            raise click.UsageError(f"there is no command '{args[0]}'\nhint: {meant}zoo --help")
        return super().resolve_command(ctx, args)


def _foreign() -> dict[str, Any]:
    from zoo.entry_points import plugin_commands
    from zoo.settings import disabled_plugins

    return dict(plugin_commands(disabled_plugins()))


def _print_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    del parameter
    if value and not ctx.resilient_parsing:
        import zoo

        click.echo(f"zoo {zoo.__version__}")
        ctx.exit()


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and exit.",
)
def _zoo() -> None:
    """Transfer learning from any model zoo.

    Name a pretrained model and labelled data: the frozen backbone runs once, its features are
    kept, and the best head is trained on them in seconds.
    """


def main(args: list[str] | None = None, *, interrupted: Callable[[], bool] = bool) -> int:
    """Run the command line; returns the exit code and never lets a user's error be a traceback.

    Args:
        args: the words after ``zoo``; those of this process where not given.
        interrupted: whether Ctrl-C was pressed: what fails then, such as half an import, fails
            because of it.
    """
    PRESSED.set(interrupted)
    arguments = (sys.argv[1:] if args is None else args) or ["--help"]
    # NumPy's LAPACK threads spin while they wait: beside a backbone's or a neighbour's threads that
    # has cost ten times the work itself, and their number would change the last bits of results.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _accept_any_text()
    try:
        code = _zoo.main(
            args=arguments,
            prog_name="zoo",
            standalone_mode=False,
            default_map=_defaults(),
        )
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()  # nobody reads any more
        return 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every failure is one line
        if _debug(arguments) and not isinstance(error, click.ClickException):
            import traceback

            traceback.print_exc()
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError:
            _drop_output()
        told = isinstance(error, InterruptedByUser)
        cause = KeyboardInterrupt() if interrupted() and not told else error
        return _fail(*_explain(cause, arguments))
    if interrupted():  # and something on the way took it for a failure of its own
        return _fail(*_explain(KeyboardInterrupt(), arguments))
    return int(code or 0)


def _drop_output() -> None:
    """Send what is still to be written nowhere.

    The interpreter flushes it at exit, and has an exit code of its own where it can't.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _debug(arguments: list[str]) -> bool:
    return "--debug" in arguments or os.environ.get("ZOO_DEBUG", "") not in ("", "0")


def _defaults() -> dict[str, Any] | None:
    """zoo.toml of this folder, where there is one."""
    path = Path("zoo.toml")
    if "_ZOO_COMPLETE" in os.environ or not path.is_file():  # who completes wants no errors
        return None
    from zoo.cli.config import defaults

    return defaults(path, _VERBS, _foreign())


def _accept_any_text() -> None:
    """Names in any script are shown escaped where the terminal's encoding lacks them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _explain(  # noqa: PLR0911 - one return a kind of failure
    error: BaseException, arguments: list[str]
) -> tuple[str, str, int]:
    """Message, hint and exit code of what ended a command."""
    if isinstance(error, ZooError):
        return str(error), error.hint, error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        hint = f"go on with: zoo {shlex.join(arguments)}"
        return "interrupted; everything finished so far is kept", hint, _INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        path = error.ctx.command_path if error.ctx is not None else "zoo"
        return f"{path}: a command is missing", f"{path} --help", 2
    if isinstance(error, click.UsageError):
        message, _, hint = error.format_message().partition("\nhint: ")
        if not hint and error.ctx is not None:
            hint = f"{error.ctx.command_path} --help"
        return message, hint, 2
    if isinstance(error, click.ClickException):
        return error.format_message(), "", error.exit_code
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF):
        return f"the output cannot be written: {error.strerror}", "look where it goes to", 4
    message = f"this is a bug in zoo: {type(error).__name__}: {error}"
    return message, "run again with --debug and report what it prints", 1


def _fail(message: str, hint: str, code: int) -> int:
    click.echo(f"zoo: {_one_line(message)}", err=True)
    if hint:
        click.echo(f"hint: {_one_line(hint)}", err=True)
    return code


def _one_line(text: str) -> str:
    """Without line breaks and without the control characters that a file name may hold."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
