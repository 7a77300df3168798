"""What is registered under which name, kind by kind, and who keeps a name that two want."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from zoo.plugin import Entry
from zoo.registry.fence import Fault

Kind = Literal["provider", "dataset", "head", "score", "runtime", "exporter"]
KINDS: tuple[Kind, ...] = ("provider", "dataset", "head", "score", "runtime", "exporter")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]*\Z")  # so that plugin/name:reference is a source
_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*\Z")


@dataclass(frozen=True)
class Registered:
    """An entry and the plugin it came from.

    Attributes:
        kind: what it is.
        name: the name it is listed under: its own, or `qualified` where another has that.
        entry: what the plugin registered.
        plugin: the plugin's name.
    """

    kind: Kind
    name: str
    entry: Entry
    plugin: str

    @property
    def qualified(self) -> str:
        """``plugin/name``, under which it is always reachable."""
        return f"{self.plugin}/{self.entry.name}"


class Catalogue(Mapping[str, Registered]):
    """All entries of one kind, in order of registration: the built-in, then plugin by plugin.

    Listed under one name each; a look-up also finds the qualified name.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._listed: dict[str, Registered] = {}
        self._qualified: dict[str, Registered] = {}

    def add(self, entry: Entry, plugin: str) -> tuple[Registered, Registered | None]:
        """Add an entry; gives what was added and, on a clash, who has the short name."""
        holder = self._listed.get(entry.name)
        name = entry.name if holder is None else f"{plugin}/{entry.name}"
        added = Registered(self.kind, name, entry, plugin)
        self._listed[name] = self._qualified[added.qualified] = added
        return added, holder

    def hint(self, name: str) -> str:
        """What to write instead of an unknown name: close ones first, then all."""
        close = difflib.get_close_matches(name, self._qualified if "/" in name else self._listed)
        meant = f"did you mean {' or '.join(close)}? " if close else ""
        return f"{meant}known {self.kind}s: {', '.join(sorted(self._listed)) or 'none'}"

    def __getitem__(self, name: str) -> Registered:
        return self._listed[name] if name in self._listed else self._qualified[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)


def check_plugin_name(name: str) -> None:
    """Raise a Fault for a plugin name that could not stand before a slash."""
    if not _NAME.match(name) or name == "all":
        raise Fault("failed", f"'{name}' is not a usable plugin name")


def check_entries(kind: Kind, entries: Iterable[object]) -> list[Entry]:
    """What a registration hook gave, as entries; raises a Fault on the first unfit one."""
    checked: list[Entry] = []
    for entry in entries:
        if not isinstance(entry, Entry):
            raise Fault("failed", f"registers a {type(entry).__name__} as {kind}, not an Entry")
        what = f"{kind} {entry.name!r}"
        if not isinstance(entry.name, str) or not _NAME.match(entry.name):
            raise Fault("failed", f"{what} is not a usable name")
        if not isinstance(entry.factory, str) or not _FACTORY.match(entry.factory):
            raise Fault("failed", f"{what} has factory {entry.factory!r}, not 'module:attribute'")
        if not isinstance(entry.requires, tuple | list) or not all(
            isinstance(module, str) and module for module in entry.requires
        ):
            raise Fault("failed", f"{what} must have a tuple of module names in requires")
        if not isinstance(entry.summary, str) or not isinstance(entry.extra, str):
            raise Fault("failed", f"{what} must have strings in summary and extra")
        if any(entry.name == other.name for other in checked):
            raise Fault("failed", f"{what} is registered twice")
        checked.append(entry)
    return checked
