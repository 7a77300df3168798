"""``zoo plugins``: the plugins found, their state, and what they bring."""

from __future__ import annotations

import click

from zoo.cli import common


@click.command("plugins")
@common.output
def command(*, as_json: bool, quiet: bool, debug: bool) -> None:
    """List plugins, whether they work, and what they bring."""
    del debug, quiet
    found = common.make_registry(quiet=True).plugins()  # the table below says it all
    if as_json:
        common.print_json(
            {
                "schema": 1,
                "plugins": [
                    {
                        "name": p.name,
                        "version": p.version,
                        "state": p.state,
                        "reason": p.reason,
                        "hooks": list(p.hooks),
                        "entries": [f"{e.kind} {e.qualified}" for e in p.entries],
                    }
                    for p in found
                ],
            }
        )
        return
    rows = []
    for p in found:
        kinds = dict.fromkeys(e.kind for e in p.entries)
        brings = "; ".join(
            f"{kind} " + ", ".join(e.entry.name for e in p.entries if e.kind == kind)
            for kind in kinds
        )
        rows.append((p.name, p.version, p.state, brings, p.reason))
    common.show_table(("plugin", "version", "state", "brings", "reason"), rows)
