"""Finds what installed packages offer zoo, and imports none of it.

It stands beside settings, and not in zoo.registry, because ``zoo --help`` lists the commands of
plugins and may load nothing but click and the standard library; the registry needs pluggy.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, distributions, entry_points

PLUGINS = "zoo"
COMMANDS = "zoo.commands"


def installed(group: str) -> list[EntryPoint]:
    """The entry points of a group, sorted by name, then distribution, then target."""
    try:
        found = list(entry_points(group=group))
    except Exception:  # noqa: BLE001 - one malformed entry_points.txt of anybody raises anything
        found = _readable(group)
    return sorted(found, key=lambda e: (e.name, distribution(e), e.value))


def distribution(entry_point: EntryPoint) -> str:
    """The name of the distribution that brought an entry point; empty where it states none."""
    try:
        return (entry_point.dist.name or "") if entry_point.dist is not None else ""
    except Exception:  # noqa: BLE001 - missing metadata raises what the Python version likes
        return ""


def release(entry_point: EntryPoint) -> str:
    """The version of that distribution; empty where it states none."""
    try:
        return (entry_point.dist.version or "") if entry_point.dist is not None else ""
    except Exception:  # noqa: BLE001 - as above
        return ""


def is_disabled(entry_point: EntryPoint, disabled: frozenset[str]) -> bool:
    """Whether ``ZOO_DISABLE_PLUGINS`` names the entry point, its distribution or ``all``."""
    return not disabled.isdisjoint({"all", entry_point.name, distribution(entry_point)})


def plugin_commands(disabled: frozenset[str]) -> dict[str, EntryPoint]:
    """The commands that plugins add, by name in sorted order, none of them imported.

    A command goes with its distribution: where a plugin of the same distribution is disabled, so
    is the command. Of two commands with one name the first distribution in sorted order wins.
    """
    off = {distribution(e) for e in installed(PLUGINS) if is_disabled(e, disabled)} - {""}
    commands: dict[str, EntryPoint] = {}
    for entry_point in installed(COMMANDS):
        if not is_disabled(entry_point, disabled) and distribution(entry_point) not in off:
            commands.setdefault(entry_point.name, entry_point)
    return commands


def _readable(group: str) -> list[EntryPoint]:
    """The slow way round a distribution whose entry points cannot be parsed."""
    found: dict[str, list[EntryPoint]] = {}
    for dist in distributions():
        try:
            found.setdefault(dist.name, list(dist.entry_points.select(group=group)))
        except Exception:  # noqa: BLE001, S112 - the broken one; the others still count
            continue
    return [entry_point for each in found.values() for entry_point in each]
