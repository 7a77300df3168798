"""``zoo doctor``: what is amiss with this installation, and what to do about it."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli import common


@click.command("doctor")
@common.output
def command(*, as_json: bool, quiet: bool, debug: bool) -> None:
    """Say what is amiss with this installation and what to do; show versions and folders."""
    del debug
    from zoo.cli.doctor_checks import examine

    found = examine()
    if as_json:
        common.print_json(found)
        return
    if not quiet:
        common.show(*_lines(found))
    for finding in found["findings"]:
        common.show(f"amiss     {finding['problem']}", f"  do      {finding['do']}")
    if not found["findings"]:
        common.show("", "nothing is amiss")


def _lines(found: dict[str, Any]) -> list[str]:
    core, torch, hub = found["core"], found["torch"], found["hub"]
    cuda = torch["cuda"] or "none"
    devices = f"{torch['cuda_devices']} devices" if torch["cuda"] else "CPU only"
    state = "writable" if found["writable"] else "NOT WRITABLE"
    free, used = found["free_bytes"] / 1e9, found["used_bytes"] / 1e9
    reach = "offline" if hub["offline"] else "may be asked"
    token = "a token is set" if hub["token"] else "no token"
    return [
        f"python    {found['python']} on {found['platform']}, {found['threads']} threads",
        "core      " + ", ".join(f"{key} {value}" for key, value in core.items()),
        f"torch     {torch['version'] or 'does not import'}, CUDA {cuda} ({devices})",
        f"home      {found['home']} ({state}, {used:.1f} GB used, {free:.1f} GB free)",
        f"Hub       {reach}, {token}, cache {hub['cache']}",
        *(f"  {name:<18}{version}" for name, version in found["versions"].items()),
    ]
