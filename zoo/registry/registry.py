"""The registry: loads what is installed, finds it by name and calls the hooks of plugins."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, overload

import pluggy

import zoo.builtins
from zoo.entry_points import PLUGINS, installed, is_disabled, release
from zoo.errors import PluginError, SourceError, UsageError, ZooError
from zoo.plugin import DatasetReader, Head, Provider, Section, Source, hookspecs
from zoo.registry.catalogue import KINDS, Catalogue, Kind, Registered
from zoo.registry.factory import make
from zoo.registry.fence import Fault, fenced, printable
from zoo.registry.loading import PluginInfo, call_alone, hooks_of, implementers, load_plugin
from zoo.settings import disabled_plugins

_BUILTIN = "zoo"
_BASES: dict[str, type] = {"provider": Provider, "dataset": DatasetReader, "head": Head}
_OBSERVERS = frozenset({"zoo_run_started", "zoo_run_finished", "zoo_run_failed"})


class Registry:
    """The built-ins and plugins of one run; the command line or a Python call makes one.

    A plugin that fails while it is loaded is out, with all its entries. One that fails later, in
    a resolver, an observer or a report section, stays, because the run may use its entries; that
    one call is passed over. Either way `warn` gets one line and the run goes on.
    """

    def __init__(
        self, warn: Callable[[str], None], *, disabled: frozenset[str] | None = None
    ) -> None:
        """Load what is installed; `disabled` is ``ZOO_DISABLE_PLUGINS`` where not given."""
        self._warn = warn
        self._manager = pluggy.PluginManager("zoo")
        self._manager.add_hookspecs(hookspecs)
        self._catalogues = {kind: Catalogue(kind) for kind in KINDS}
        self._plugins: list[PluginInfo] = []
        self._admit(_BUILTIN, _own_version(), lambda: zoo.builtins)
        self._admit_installed(disabled_plugins() if disabled is None else disabled)

    @property
    def providers(self) -> Catalogue:
        """Loaders of backbones."""
        return self._catalogues["provider"]

    @property
    def datasets(self) -> Catalogue:
        """Readers of data, in the order in which they are asked."""
        return self._catalogues["dataset"]

    @property
    def heads(self) -> Catalogue:
        """Heads."""
        return self._catalogues["head"]

    @property
    def scores(self) -> Catalogue:
        """Transferability scores."""
        return self._catalogues["score"]

    @property
    def runtimes(self) -> Catalogue:
        """Other ways to execute a backbone."""
        return self._catalogues["runtime"]

    @property
    def exporters(self) -> Catalogue:
        """What a finished run can be turned into."""
        return self._catalogues["exporter"]

    def plugins(self) -> list[PluginInfo]:
        """Every plugin found, loaded or not: the built-ins, then by name."""
        return list(self._plugins)

    @overload
    def create(self, kind: Literal["provider"], name: str) -> Provider: ...
    @overload
    def create(self, kind: Literal["dataset"], name: str) -> DatasetReader: ...
    @overload
    def create(self, kind: Literal["head"], name: str) -> Head: ...
    @overload
    def create(self, kind: Kind, name: str) -> Any: ...
    def create(self, kind: Kind, name: str) -> Any:
        """Import the factory registered under a name and call it.

        Raises:
            SourceError: no provider has the name.
            UsageError: nothing of another kind has the name.
            MissingExtraError: a module that the entry requires is not installed.
            PluginError: a plugin's factory fails or makes something else.
            ZooError: what the factory itself raises on purpose.
        """
        catalogue = self._catalogues[kind]
        if name not in catalogue:
            error = SourceError if kind == "provider" else UsageError
            raise error(f"no {kind} is called '{name}'", hint=catalogue.hint(name))
        found = catalogue[name]
        return make(found, _BASES.get(kind, object), foreign=found.plugin != _BUILTIN)

    @contextmanager
    def blaming(self, kind: Kind, name: str) -> Iterator[None]:
        """Name the plugin behind an entry where its code fails while it is used.

        Raises:
            PluginError: anything that a plugin's code raised and that is not a ZooError.
        """
        found = self._catalogues[kind].get(name)
        if found is None or found.plugin == _BUILTIN:
            yield
            return
        try:
            with fenced(ZooError):
                yield
        except Fault as fault:
            raise PluginError(
                f"plugin '{found.plugin}': {kind} '{found.entry.name}' failed: {fault.reason}",
                hint=f"remove it, or leave it out: ZOO_DISABLE_PLUGINS={found.plugin}",
            ) from fault.__cause__

    def resolve_source(self, text: str) -> Source:
        """The source that a full or bare name stands for.

        A registered provider before the first colon decides; else plugins are asked in order of
        their names, and the built-in rules last.

        Raises:
            SourceError: no provider is named and nobody expands it.
        """
        prefix, colon, _ = text.partition(":")
        if colon and prefix in self.providers:
            return Source.parse(text)
        hook = "zoo_resolve_source"
        having = implementers(self._manager, hook)
        for name, plugin in sorted(having, key=lambda each: each[0] == _BUILTIN):  # plugins first
            try:
                with fenced(*([ZooError] if name == _BUILTIN else [])):
                    answer = call_alone(self._manager, plugin, hook, source=text)
                    if answer is not None:
                        return self._expanded(answer)
            except Fault as fault:
                self._warn(f"plugin '{name}' failed in {hook}: {fault.reason}")
        if colon:
            raise SourceError(
                f"source '{text}': no provider is called '{prefix}'",
                hint=self.providers.hint(prefix),
            )
        raise SourceError(
            f"source '{text}' names no provider, and nothing expands it",
            hint=f"write provider:reference; {self.providers.hint(text)}",
        )

    def observe(self, hook: str, **kwargs: Any) -> None:
        """Tell every plugin of a run: ``zoo_run_started``, ``_finished`` or ``_failed``."""
        if hook not in _OBSERVERS:
            raise ValueError(f"'{hook}' is not an observing hook")
        for name, plugin in implementers(self._manager, hook):
            try:
                with fenced():
                    call_alone(self._manager, plugin, hook, **kwargs)
            except Fault as fault:
                self._warn(f"plugin '{name}' failed in {hook}: {fault.reason}")

    def report_sections(self, result: Any) -> list[Section]:
        """What plugins add to the report of a run, plugin by plugin."""
        sections: list[Section] = []
        hook = "zoo_report_sections"
        for name, plugin in implementers(self._manager, hook):
            try:
                with fenced():
                    for answer in call_alone(self._manager, plugin, hook, result=result):
                        sections.extend(_checked_sections(answer))
            except Fault as fault:
                self._warn(f"plugin '{name}' failed in {hook}: {fault.reason}")
        return sections

    def _admit(self, name: str, version: str, get: Callable[[], object]) -> None:
        try:
            found = load_plugin(self._manager, name, get)
        except Fault as fault:
            self._plugins.append(PluginInfo(name, version, fault.state, fault.reason))
            self._warn(f"plugin '{printable(name)}' is {fault.state}: {fault.reason}")
            return
        added: list[Registered] = []
        for kind, entries in found.items():
            for entry in entries:
                registered, holder = self._catalogues[kind].add(entry, name)
                added.append(registered)
                if holder is not None:
                    self._warn(
                        f"plugin '{name}': {kind} '{entry.name}' is '{holder.qualified}' already;"
                        f" this one is called '{registered.name}'"
                    )
        hooks = hooks_of(self._manager, name)
        self._plugins.append(PluginInfo(name, version, "loaded", "", hooks, tuple(added)))

    def _admit_installed(self, disabled: frozenset[str]) -> None:
        for entry_point in installed(PLUGINS):
            version = release(entry_point)
            if is_disabled(entry_point, disabled):
                reason = "named in ZOO_DISABLE_PLUGINS"
                self._plugins.append(PluginInfo(entry_point.name, version, "disabled", reason))
            else:
                self._admit(entry_point.name, version, entry_point.load)

    def _expanded(self, answer: object) -> Source:
        if not isinstance(answer, str):
            raise Fault("failed", f"gives a {type(answer).__name__}, not a source")
        source = Source.parse(answer)
        if source.provider not in self.providers:
            raise Fault("failed", f"gives '{answer}', and no provider is called so")
        return source


def _own_version() -> str:
    try:
        return importlib.metadata.version("zoo-transfer")
    except importlib.metadata.PackageNotFoundError:
        return ""  # run from a checkout


def _checked_sections(answer: Iterable[object]) -> list[Section]:
    sections: list[Section] = []
    for section in answer:
        if not isinstance(section, Section):
            raise Fault("failed", f"gives a {type(section).__name__}, not a Section")
        paragraphs: object = section.paragraphs
        if not isinstance(paragraphs, tuple | list):  # a bare string would be read by letters
            raise Fault("failed", "gives a Section whose paragraphs are not a tuple of strings")
        if not all(isinstance(text, str) for text in (section.title, *paragraphs)):
            raise Fault("failed", "gives a Section with something else than strings")
        sections.append(section)
    return sections
