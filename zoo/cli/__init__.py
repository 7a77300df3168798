"""The command line: one verb, one file; a verb's file is imported when the verb is used."""

from __future__ import annotations

import importlib
import os
import shlex
import sys
from typing import Any

import click

from zoo.errors import PluginError, ZooError

__all__ = ["main"]

_VERBS = {
    "transfer": "Train a head on a pretrained model's features and measure it.",
    "extract": "Bring features into the store, and out to a file if named.",
    "predict": "Apply a finished run to new samples.",
    "demo": "Run the whole way offline on handwritten digits.",
    "models": "Show what a model source is and how its inputs are prepared.",
    "runs": "List finished runs, or show one.",
    "cache": "List, describe and verify the feature store.",
    "plugins": "List plugins and what they bring.",
    "doctor": "Show versions, kernels and folders of this installation.",
}
_INTERRUPTED = 130


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
        try:
            loaded = entry_point.load()
        except Exception as error:
            raise PluginError(
                f"command '{cmd_name}' of a plugin failed to load: {error}",
                hint="update or remove the plugin, or set ZOO_DISABLE_PLUGINS",
            ) from error
        if not isinstance(loaded, click.Command):
            raise PluginError(f"command '{cmd_name}' of a plugin is no click command")
        return loaded

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


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="zoo-transfer", prog_name="zoo")
def _zoo() -> None:
    """Transfer learning from any model zoo.

    Name a pretrained model and labelled data: the frozen backbone runs once, its features are
    kept, and the best head is trained on them in seconds.
    """


def main(args: list[str] | None = None) -> int:
    """Run the command line; returns the exit code and never lets a user's error be a traceback."""
    arguments = sys.argv[1:] if args is None else args
    # NumPy's LAPACK threads spin while they wait: beside a backbone's or a neighbour's threads that
    # has cost ten times the work itself, and their number would change the last bits of results.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        code = _zoo.main(args=arguments, prog_name="zoo", standalone_mode=False)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in arguments and not isinstance(error, click.ClickException):
            raise
        return _fail(*_explain(error, arguments))
    return int(code or 0)


def _explain(error: BaseException, arguments: list[str]) -> tuple[str, str, int]:
    """Message, hint and exit code of what ended a command."""
    if isinstance(error, ZooError):
        return str(error), error.hint, error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        hint = f"go on with: zoo {shlex.join(arguments)}"
        return "interrupted; everything finished so far is kept", hint, _INTERRUPTED
    if isinstance(error, click.UsageError):
        message, _, hint = error.format_message().partition("\nhint: ")
        if not hint and error.ctx is not None:
            hint = f"{error.ctx.command_path} --help"
        return message, hint, 2
    if isinstance(error, click.ClickException):
        return error.format_message(), "", error.exit_code
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
