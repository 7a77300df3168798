"""Loads one plugin: import, version, hooks, entries; all of it or none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pluggy

from zoo.plugin import API_VERSION, Entry
from zoo.registry.catalogue import KINDS, Kind, Registered, check_entries, check_plugin_name
from zoo.registry.fence import Fault, State, fenced, one_line


@dataclass(frozen=True)
class PluginInfo:
    """A plugin as ``zoo plugins`` lists it.

    Attributes:
        name: of its entry point.
        version: of its distribution; empty where that states none.
        state: ``loaded``, ``failed``, ``incompatible`` or ``disabled``.
        reason: why it is not loaded, in one line; empty where it is.
        hooks: the hooks it implements, sorted.
        entries: what it registered.
    """

    name: str
    version: str
    state: State
    reason: str = ""
    hooks: tuple[str, ...] = ()
    entries: tuple[Registered, ...] = ()


def load_plugin(
    manager: pluggy.PluginManager, name: str, get: Callable[[], object]
) -> dict[Kind, list[Entry]]:
    """Import a plugin with `get`, register its hooks and collect its entries.

    Raises:
        Fault: why it is out; the manager then no longer knows it.
    """
    check_plugin_name(name)
    if manager.has_plugin(name):
        raise Fault("failed", "another plugin has this name")
    with fenced():
        plugin = get()
        hash(plugin)  # pluggy keeps plugins in sets, also while it calls another's hook
        twin = manager.get_name(plugin)
    if twin is not None:  # unregistering this one would take the other away
        raise Fault("failed", f"is the same object as plugin '{twin}'")
    try:
        with fenced():
            _check_version(plugin)
            _register(manager, name, plugin)
            return {
                kind: check_entries(kind, _collected(manager, plugin, f"zoo_register_{kind}s"))
                for kind in KINDS
            }
    except BaseException:
        # Also where register() itself raised: pluggy up to 1.6 keeps half of the plugin then.
        if manager.has_plugin(name):
            manager.unregister(name=name)
        raise


def call_alone(manager: pluggy.PluginManager, plugin: object, hook: str, **kwargs: Any) -> Any:
    """What one plugin answers to a hook: a list, or one value of a firstresult hook."""
    others = [other for _, other in manager.list_name_plugin() if other is not plugin]
    return manager.subset_hook_caller(hook, others)(**kwargs)


def implementers(manager: pluggy.PluginManager, hook: str) -> list[tuple[str, object]]:
    """The plugins that implement a hook and their names, in order of registration."""
    having = [impl.plugin for impl in getattr(manager.hook, hook).get_hookimpls()]
    return [(n, p) for n, p in manager.list_name_plugin() if any(p is one for one in having)]


def hooks_of(manager: pluggy.PluginManager, name: str) -> tuple[str, ...]:
    """The hooks that a registered plugin implements, sorted."""
    callers = manager.get_hookcallers(manager.get_plugin(name)) or []
    return tuple(sorted(caller.name for caller in callers))


def _check_version(plugin: object) -> None:
    module = sys.modules.get(getattr(plugin, "__module__", None) or "")
    stated = getattr(plugin, "ZOO_API_VERSION", getattr(module, "ZOO_API_VERSION", API_VERSION))
    if stated != API_VERSION:
        raise Fault(
            "incompatible",
            f"is written for plugin API {stated!r}, and this zoo has {API_VERSION}",
        )


def _register(manager: pluggy.PluginManager, name: str, plugin: object) -> None:
    try:
        manager.register(plugin, name)
    except pluggy.PluginValidationError as error:
        raise Fault("incompatible", one_line(error)) from error
    for caller in manager.get_hookcallers(plugin) or []:
        for impl in caller.get_hookimpls():
            if impl.plugin is not plugin:
                continue
            if not caller.has_spec() and not impl.optionalhook:
                raise Fault("incompatible", f"this zoo has no hook '{caller.name}'")
            if impl.wrapper or impl.hookwrapper:
                raise Fault(
                    "incompatible",
                    f"'{caller.name}' is a wrapper, and hooks are called plugin by plugin",
                )


def _collected(manager: pluggy.PluginManager, plugin: object, hook: str) -> list[object]:
    """What a plugin gives for a collecting hook; empty where it does not implement it."""
    if not any(other is plugin for _, other in implementers(manager, hook)):
        return []
    answers = call_alone(manager, plugin, hook)
    if not answers or not isinstance(answers[0], Iterable):  # pluggy drops a None
        kind = type(answers[0]).__name__ if answers else "None"
        raise Fault("failed", f"'{hook}' gives {kind}, not entries")
    return list(answers[0])
