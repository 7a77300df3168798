"""Makes what an entry names: requirements looked for, factory imported, instance checked."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from zoo.errors import MissingExtraError, PluginError, ZooError
from zoo.registry.fence import Fault, fenced

if TYPE_CHECKING:
    from zoo.registry.catalogue import Registered


def make(found: Registered, base: type, *, foreign: bool) -> Any:
    """Import the factory and call it; `foreign` says whether its faults are a plugin's.

    Raises:
        MissingExtraError: a module that the entry requires is not installed.
        PluginError: the factory of a plugin fails, or anybody's makes something not a `base`.
        ZooError: what the factory itself raises on purpose.
    """
    _check_requirements(found, foreign=foreign)
    # A bug of zoo's own deserves its traceback, and a ZooError already says what to do.
    passing = ZooError if foreign else BaseException
    try:
        with fenced(passing):
            module, _, attribute = found.entry.factory.partition(":")
            factory: Any = functools.reduce(
                getattr, attribute.split("."), importlib.import_module(module)
            )
            made = factory()
    except Fault as fault:
        raise _plugin_error(found, fault.reason) from fault.__cause__
    if not isinstance(made, base):
        raise _plugin_error(found, f"makes a {type(made).__name__}, not a {base.__name__}")
    return made


def _check_requirements(found: Registered, *, foreign: bool) -> None:
    for module in found.entry.requires:
        if not _importable(module):
            package = (found.entry.extra or module.partition(".")[0]) if foreign else ""
            raise MissingExtraError(module, found.entry.extra, package=package)


def _importable(module: str) -> bool:
    try:
        with fenced():  # of a dotted name the parents are imported
            return importlib.util.find_spec(module) is not None
    except Fault:
        return False


def _plugin_error(found: Registered, reason: str) -> PluginError:
    return PluginError(
        f"plugin '{found.plugin}': {found.kind} '{found.entry.name}'"
        f" ({found.entry.factory}) does not work: {reason}",
        hint=f"ask its author, or set ZOO_DISABLE_PLUGINS={found.plugin}",
    )
