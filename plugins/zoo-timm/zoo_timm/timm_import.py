"""Imports timm where torchvision is missing, or made for another torch: no forward pass needs it.

timm takes its training transforms and data sets from torchvision at import time. Beside a CPU build
of torch there is often none, or one from a package index whose operators were built for CUDA and
cannot be loaded. zoo prepares images itself and uses neither.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from functools import cache
from types import ModuleType
from typing import Any

from zoo.plugin import SourceError

_BOXES = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_timm() -> ModuleType:
    """The module `timm`; raises SourceError where it cannot be imported."""
    try:
        if importlib.util.find_spec("torchvision") is None:
            with _stand_in():
                return importlib.import_module("timm")
        _check_torchvision()
        return importlib.import_module("timm")
    except (ImportError, RuntimeError, AttributeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise SourceError(
            f"timm cannot be imported: {first}",
            hint="install timm, torch and torchvision versions that belong together",
        ) from error


def _check_torchvision() -> None:
    """Import torchvision; where its operators cannot be loaded, declare them and try again."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError:  # "operator torchvision::nms does not exist"
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        _declared()
        importlib.import_module("torchvision")


@cache  # torch forgets the operators when the library is collected
def _declared() -> Any:
    """The schemas that torchvision registers its Python side for, without an implementation."""
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        with suppress(RuntimeError):  # somebody else has declared it
            library.define(f"{name}{_BOXES}")
    return library


@contextmanager
def _stand_in() -> Iterator[None]:
    """What timm imports from torchvision, as names that refuse to work; gone at the end."""
    names = ("", ".datasets", ".ops", ".ops.misc", ".transforms", ".transforms.functional")
    modules = {f"torchvision{name}": ModuleType(f"torchvision{name}") for name in names}
    for name, module in modules.items():
        module.__getattr__ = _placeholder  # type: ignore[method-assign]
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    modules["torchvision.transforms.functional"].InterpolationMode = Enum(  # type: ignore[attr-defined]
        "InterpolationMode", "NEAREST BILINEAR BICUBIC BOX HAMMING LANCZOS"
    )
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            sys.modules.pop(name, None)


def _placeholder(name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    import torch

    def refuse(self: object, *args: object, **kwargs: object) -> None:
        del self, args, kwargs
        raise ImportError(f"torchvision, whose {name} this is, is not installed")

    return type(name, (torch.nn.Module,), {"__init__": refuse})
