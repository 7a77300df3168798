"""Names the layers of a torch module and the shapes of their outputs, without its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zoo.backbones.torch_trunk import named_outputs


def trace(
    build: Callable[[], Any], inputs: Mapping[str, tuple[tuple[int, ...], str]]
) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Parameters of a module, and its outputs and layers with the shape of one sample's output.

    The module is built and run on torch's meta device, where tensors have shapes and no values: a
    model of any size costs no memory. Some modules look at values; of those only the parameters
    are known.

    Args:
        build: makes the module.
        inputs: shape, batch included, and dtype of each keyword argument.

    Returns:
        The number of parameters, and shapes without the batch axis by tap: the module's outputs
        first, then layers by their dotted names in the order in which they run.
    """
    import torch

    with torch.device("meta"), torch.inference_mode():
        module = build().eval()
        shapes: dict[str, tuple[int, ...]] = {}

        def keep(name: str) -> Callable[..., None]:
            def hook(*call: Any) -> None:
                value = call[2][0] if isinstance(call[2], tuple) and call[2] else call[2]
                if isinstance(value, torch.Tensor) and value.ndim > 1:
                    shapes[name] = tuple(value.shape[1:])

            return hook

        for name, layer in module.named_modules():
            if name:
                layer.register_forward_hook(keep(name))
        parameters = sum(p.numel() for p in module.parameters())
        arguments = {
            name: torch.zeros(shape, dtype=getattr(torch, dtype))
            for name, (shape, dtype) in inputs.items()
        }
        try:
            outputs = named_outputs(module(**arguments))
        except (RuntimeError, ValueError, TypeError, NotImplementedError, AttributeError):
            return parameters, {}
    whole = {
        name: tuple(value.shape[1:])
        for name, value in outputs.items()
        if isinstance(value, torch.Tensor) and value.ndim > 1
    }
    return parameters, {**whole, **shapes}
