"""``zoo completion``: the script that lets a shell complete verbs, options and their values."""

from __future__ import annotations

import click

from zoo.cli import common

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
@common.output
@click.pass_context
def command(  # noqa: D103 - click shows the help below
    ctx: click.Context, shell: str, *, as_json: bool, quiet: bool, debug: bool
) -> None:
    del debug, quiet
    from click.shell_completion import get_completion_class

    known = get_completion_class(shell)
    if known is None:  # click has had all three since 8.0
        raise click.UsageError(f"click completes no {shell}")
    script = known(ctx.find_root().command, {}, "zoo", common.COMPLETING).source()
    if as_json:
        common.print_json({"schema": 1, "shell": shell, "script": script})
    else:
        click.echo(script)


command.help = """Print the script that lets SHELL complete zoo's verbs, options and values.

\b
bash: put   eval "$(zoo completion bash)"   into ~/.bashrc
zsh:  put   eval "$(zoo completion zsh)"    into ~/.zshrc
fish: zoo completion fish > ~/.config/fish/completions/zoo.fish
"""
