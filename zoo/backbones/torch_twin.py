"""Makes a second trunk around the same weights, so that two batches can run at the same time."""

from __future__ import annotations

import copy
import logging
from typing import Any, TypeVar

_log = logging.getLogger(__name__)

Trunk = TypeVar("Trunk")

# What a forward pass leaves behind in modules of these stays in the module, so that a twin's is its
# own. Code of a model repository may keep it anywhere: in a global, or in a hook's closure.
_KNOWN = frozenset({"torch", "transformers", "timm", "torchvision", "sentence_transformers", "zoo"})


def twin(trunk: Trunk, module: Any, shared: tuple[Any, ...]) -> Trunk | None:
    """A deep copy of a trunk which shares its module's parameters and buffers.

    None where a part of the module is of unknown code, or can't be copied.

    Args:
        trunk: holds the module.
        module: a torch module.
        shared: what else is not copied.
    """
    for part in module.modules():
        if type(part).__module__.partition(".")[0] not in _KNOWN:
            return None
    kept = (*shared, *module.parameters(), *module.buffers())
    try:
        return copy.deepcopy(trunk, {id(one): one for one in kept})
    except (TypeError, ValueError, RuntimeError, AttributeError, NotImplementedError) as error:
        _log.debug("batches run one by one: the backbone can't be copied: %s", error)
        return None
