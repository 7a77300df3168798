"""Runs a trusted repository's entry point: the one place where a model's own code is executed."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from zoo.errors import MissingExtraError, SourceError
from zoo.providers.guard import no_questions, no_sockets
from zoo.providers.torchhub_code import HUBCONF

_LONGEST = 300  # characters of a foreign message in a line of ours


def build(folder: Path, entry: str, *, pretrained: bool, seed: int, offline: bool) -> Any:
    """The torch module that an entry point gives.

    It is asked for its own weights or for none by whichever of the usual parameters it has,
    ``pretrained`` or ``weights``. Prints go to stderr; pickles that it reads may hold tensors
    alone; what it draws comes from `seed`.

    Raises:
        SourceError: no such entry point, a package it depends on is missing, it fails, opens a
            socket offline, or gives something else than a torch module.
    """
    import torch

    doors = no_sockets(_offline) if offline else nullcontext()
    with _imported(folder), torch.random.fork_rng(devices=[]), doors, no_questions():
        torch.manual_seed(seed)
        with _fenced(entry), redirect_stdout(sys.stderr):
            hubconf = _import(folder)
            function = _entry(hubconf, entry, folder)
            module = function(**_choice(function, pretrained=pretrained))
    if not isinstance(module, torch.nn.Module):
        raise SourceError(
            f"entry point '{entry}' gives a {type(module).__name__}, not a torch module"
        )
    return module


def first_argument(module: Any) -> str:
    """The name of the first parameter of a module's forward; raises SourceError without one."""
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    name = next((p.name for p in parameters if p.kind in by_name), "")
    if not name:
        raise SourceError(
            "the module's forward names no argument", hint="--preprocess input_name=NAME"
        )
    return name


def _import(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location("hubconf", folder / HUBCONF)
    if spec is None or spec.loader is None:  # a .py file always has both
        raise SourceError(f"'{folder / HUBCONF}' cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules["hubconf"] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    for name in getattr(module, "dependencies", ()):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(name, "", package=name)
    return module


def _entry(hubconf: Any, entry: str, folder: Path) -> Callable[..., Any]:
    function: Callable[..., Any] | None = getattr(hubconf, entry, None)
    if not callable(function):
        names = [n for n, v in vars(hubconf).items() if inspect.isfunction(v) and n[0] != "_"]
        raise SourceError(
            f"'{folder / HUBCONF}' has no entry point '{entry}'",
            hint=f"it has: {', '.join(sorted(names)) or 'none'}",
        )
    return function


def _choice(function: Callable[..., Any], *, pretrained: bool) -> dict[str, Any]:
    """What says whether the entry point's own weights are wanted."""
    parameters = inspect.signature(function).parameters
    if "pretrained" in parameters:
        return {"pretrained": pretrained}
    if "weights" in parameters:
        return {"weights": "DEFAULT" if pretrained else None}
    return {}


@contextmanager
def _fenced(entry: str) -> Iterator[None]:
    """Whatever the repository's code raises becomes one line; `exit()` in it ends nothing."""
    try:
        yield
    except (SourceError, KeyboardInterrupt):
        raise
    except BaseException as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]
        raise SourceError(
            f"entry point '{entry}' failed: {text}",
            hint="the repository's own code raised it; --debug shows where",
        ) from error


@contextmanager
def _imported(folder: Path) -> Iterator[None]:
    """The folder at the head of the import path, its modules imported anew and gone afterwards.

    Two repositories may both have a ``models.py``, and so may the user's program: without this
    the second to be loaded would silently run the first one's code.
    """
    names = {"hubconf"} | {p.stem for p in folder.glob("*.py")}
    names |= {p.parent.name for p in folder.glob("*/*.py")}
    hidden = {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] in names and not _installed(name, module)
    }
    before = set(sys.modules) - set(hidden)
    for name in hidden:
        del sys.modules[name]
    wrote, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    pickles = _environment(TORCH_FORCE_WEIGHTS_ONLY_LOAD="1", TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=None)
    sys.path.insert(0, str(folder.resolve()))
    importlib.invalidate_caches()
    try:
        with pickles:
            yield
    finally:
        sys.path.remove(str(folder.resolve()))
        sys.dont_write_bytecode = wrote
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in names:
                del sys.modules[name]
        sys.modules.update(hidden)


def _installed(name: str, module: Any) -> bool:
    """Whether a module belongs to the interpreter or to an installed package."""
    if name.partition(".")[0] in sys.stdlib_module_names:
        return True
    file = getattr(module, "__file__", None)
    roots = {sysconfig.get_path(kind) for kind in ("purelib", "platlib", "stdlib")}
    return file is not None and any(Path(file).is_relative_to(root) for root in roots)


@contextmanager
def _environment(**wanted: str | None) -> Iterator[None]:
    """Environment variables set, or unset where None, for a while."""
    before = {name: os.environ.get(name) for name in wanted}

    def apply(values: dict[str, str | None]) -> None:
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    apply(wanted)
    try:
        yield
    finally:
        apply(before)


def _offline() -> SourceError:
    return SourceError(
        "the entry point wants to download, and nothing may be offline",
        hint="run once without --offline, or name a file with ?weights=",
    )
