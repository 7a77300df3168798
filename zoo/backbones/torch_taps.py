"""Catches what goes into or comes out of one layer of a torch module while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from zoo.errors import SourceError

# The tap of classifiers none of whose layers is known by name: what their last Linear is given.
LAST_LINEAR = "last_linear.input"


class LayerTap:
    """One layer's output by its dotted name, or its first input by ``name.input``.

    Args:
        layers: the module's submodules by dotted name.
        tap: what is wanted; `LAST_LINEAR` asks for the input of the Linear that ends a classifier.

    Raises:
        SourceError: the last Linear is wanted and there is none.
    """

    def __init__(self, layers: Mapping[str, Any], tap: str) -> None:
        self._ends = tap == LAST_LINEAR
        self._input = tap not in layers and tap.endswith(".input")
        name = tap.removesuffix(".input") if self._input else tap
        self._layer = _last_linear(layers) if self._ends else layers.get(name) if name else None
        self._given: Any = None
        self._gave: Any = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While this lasts a run of the module is watched."""
        if self._layer is None:
            yield
            return
        handle = self._layer.register_forward_hook(self._keep)
        try:
            yield
        finally:
            handle.remove()

    def value(self, output: Any) -> Any:
        """What was wanted, or None where there is no such layer or it didn't run.

        Args:
            output: what the module returned.

        Raises:
            SourceError: the last Linear is wanted and it isn't what ends the model.
        """
        if self._ends and not _same_rows(_first(output), self._gave):
            raise _no_classifier()
        return self._given if self._input else self._gave

    def _keep(self, layer: Any, given: Any, gave: Any) -> None:
        del layer
        # Copied: an activation in place may overwrite it as soon as the next layer runs.
        self._given = _copy(given[0]) if self._input and given else None
        self._gave = _copy(gave) if self._ends or not self._input else None


def _last_linear(layers: Mapping[str, Any]) -> Any:
    import torch

    linear = [layer for layer in layers.values() if isinstance(layer, torch.nn.Linear)]
    if not linear:
        raise _no_classifier()
    return linear[-1]


def _copy(value: Any) -> Any:
    value = value[0] if isinstance(value, tuple) and value else value
    return value.clone() if hasattr(value, "clone") else value


def _first(output: Any) -> Any:
    """The first tensor of a model's output: its logits by convention."""
    if isinstance(output, Mapping):
        output = tuple(output.values())
    return output[0] if isinstance(output, tuple) and output else output


def _same_rows(output: Any, gave: Any) -> bool:
    """Whether a layer's output has the shape (b, k) of the model's, as logits do."""
    shape = tuple(getattr(gave, "shape", ()))
    return len(shape) == 2 and shape == tuple(getattr(output, "shape", ()))


def _no_classifier() -> SourceError:
    return SourceError(
        "the model doesn't end in a Linear, so that no default tap is known",
        hint="name one: #output is what the model gives, #LAYER a layer's output by its dotted "
        "name, #LAYER.input what it is given; then /mean, /cls or /last",
    )
