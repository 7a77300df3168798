"""Commands of plugins, behind a fence: what they raise is named as theirs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import click

from zoo.errors import PluginError, ZooError


def load(name: str, entry_point: Any) -> click.Command:
    """The command that an entry point names; raises PluginError where it cannot be had."""
    # Stdout carries results alone; what a plugin prints while it is imported is talk.
    with _blaming(name), redirect_stdout(sys.stderr):
        loaded = entry_point.load()
        if not isinstance(loaded, click.Command):
            raise TypeError(f"it is a {type(loaded).__name__} and no click command")
    return _Fenced(name, loaded)


class _Fenced(click.Command):
    """A plugin's command: what it raises is the plugin's fault and has the plugin's exit code."""

    def __init__(self, name: str, inner: click.Command) -> None:
        super().__init__(name, params=inner.params, help=inner.help, add_help_option=False)
        self._inner = inner

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """The inner command's context, so that groups and parsers of its own work."""
        context = self._inner.make_context(*args, **kwargs)
        context.command = self
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Run the inner command behind the fence."""
        with _blaming(str(self.name)):
            ctx.command = self._inner
            return self._inner.invoke(ctx)


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Name a plugin's command where its code fails; its own usage errors and exits pass."""
    try:
        yield
    except (KeyboardInterrupt, ZooError, click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except BaseException as error:
        raise PluginError(
            f"command '{name}' of a plugin failed: {type(error).__name__}: {error}",
            hint="update or remove the plugin, or set ZOO_DISABLE_PLUGINS",
        ) from error
