"""The plain way through a torch module of images: Pillow, NumPy, the module, one hook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.providers.plain import PlainReference, tapped

if TYPE_CHECKING:
    import numpy as np

    from zoo.plugin import Contract


def torch_reference(
    module: Any, name: str, stated: Mapping[str, Any], contract: Contract
) -> PlainReference:
    """A reference around a module that takes (b, 3, h, w) as its argument `name`."""
    import torch

    module = module.float().eval()

    def run(batch: np.ndarray) -> np.ndarray:
        values = tapped(module, contract.tap, {name: torch.from_numpy(batch).float()})
        array: np.ndarray = values.detach().numpy()
        return array

    return PlainReference(
        f"Pillow, NumPy and torch {torch.__version__}: {type(module).__name__}",
        stated,
        run,
        contract,
    )
