"""Rows of a backbone's architecture with random weights: what pretraining adds is the difference.

The contract, preprocessing, taps and pooling stay; the weights are drawn anew, by the constructor
of a transformers model with its configuration (which is where its authors initialise it), else by
each module's own `reset_parameters`. Batch normalisation with the statistics of an untrained
network (mean 0, variance 1) would let activations fade or explode with depth: its running
statistics are set by some of the samples, without their labels.
"""

from __future__ import annotations

import copy
import inspect
import math
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.baselines.torch_state import borrowed
from zoo.baselines.unfit import OverBudgetError, UnfitError
from zoo.errors import SourceError
from zoo.features import ExtractOptions, Model, OnBad
from zoo.features.bad import Unreadable
from zoo.features.batches import batches
from zoo.features.computing import computed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zoo.plugin import Item

_CALIBRATED_BY = 256  # samples that set the statistics of batch normalisation,
_AT_ONCE = 32  # in batches of their own size: rows do not depend on the user's
_TELL = 48  # samples whose pace is believed, once they took the share below of the budget as well:
_SHARE = 0.1  # the first batches may wait for caches and threads
_TOKEN_DEVIATION = 0.02  # of tokens and positions that nobody initialises, as in Devlin et al. 2019


def random_rows(
    model: Model,
    items: Sequence[Item],
    *,
    seed: int,
    threads: int,
    batch_size: int,
    budget: float = math.inf,
    begun: Callable[[], None] = lambda: None,
) -> np.ndarray | None:
    """Rows of the same architecture with random weights, computed in float32.

    The model's own backbone is not touched: another is loaded, once.

    Args:
        model: what is to be compared with.
        items: n samples.
        seed: of the weights.
        threads: upper bound.
        batch_size: samples a forward pass.
        budget: seconds, loading included; what the samples so far forecast to take longer is given
            up.
        begun: called once it is known that there is a torch module.

    Returns:
        (n, d) float32 in the order of the items; None where the backbone is no torch module, or
        gives tokens.

    Raises:
        DataError: a sample can't be read.
        SourceError: the backbone can't be loaded, its architecture can't be made anew, or its rows
            are not finite.
        UnfitError: it does not run with random weights.
        OverBudgetError: it does not within the budget.
    """
    start = time.perf_counter()
    if model.tokens or (model.loaded and model.backbone.module() is None):
        return None
    options = replace(model.options, dtype="float32", threads=threads, deterministic=False)
    untrained = Model(model.source, model.provider, options)
    module = untrained.backbone.module()
    if module is None:
        return None
    begun()
    import torch

    run = ExtractOptions(Path(), batch_size, threads, on_bad=OnBad("fail"))
    try:
        with borrowed(threads):
            torch.manual_seed(seed)
            randomise(module)
            deadline = _Deadline(start, budget, len(items))
            _calibrate(untrained, list(items), run, seed, deadline)
            return _rows(untrained, list(items), run, deadline)
    except (ValueError, TypeError, AttributeError, NotImplementedError) as error:
        told = str(error).partition("\n")[0]
        raise UnfitError(f"the architecture does not run with random weights: {told}") from error


def randomise(module: Any) -> None:
    """Draw every parameter of a torch module anew, in place, from torch's generator.

    What neither a constructor nor `reset_parameters` changes is drawn by its shape: matrices and
    kernels with variance 1 / fan-in, tokens and positions with deviation 0.02; biases are 0, and
    other vectors 1.

    Raises:
        SourceError: a transformers model's configuration gives another architecture.
    """
    import torch

    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    with torch.no_grad():
        _renew(module)
        for name, value in module.named_parameters():
            if value.is_floating_point() and torch.equal(value, before[name]):
                _draw(name, value)


def _renew(module: Any) -> None:
    if hasattr(module, "_init_weights") and hasattr(module, "config"):  # of transformers
        _copy_fresh(type(module)(copy.deepcopy(module.config)), module)
        return
    for child in module.children():
        _renew(child)
    # After its children: attention initialises its projections otherwise than they do themselves.
    for name in ("reset_parameters", "_reset_parameters"):
        reset = getattr(module, name, None)
        if callable(reset) and not _needs_arguments(reset):
            reset()
            return


def _needs_arguments(function: Any) -> bool:
    return any(
        one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        for one in inspect.signature(function).parameters.values()
    )


def _copy_fresh(fresh: Any, module: Any) -> None:
    made = fresh.state_dict()
    for name, value in module.state_dict().items():
        if name not in made or made[name].shape != value.shape:
            raise SourceError(
                f"'{type(module).__name__}' can't be made with random weights: its configuration "
                f"gives another '{name}'",
                hint="--no-verdict goes without",
            )
        value.copy_(made[name])


def _draw(name: str, value: Any) -> None:
    if value.ndim < 2:
        value.fill_(0.0 if name.endswith("bias") else 1.0)
    elif value.shape[0] == 1:
        value.normal_(std=_TOKEN_DEVIATION)
    else:
        value.normal_(std=float(value[0].numel()) ** -0.5)


def _calibrate(
    model: Model, items: list[Item], run: ExtractOptions, seed: int, deadline: _Deadline
) -> None:
    """Set the running statistics of batch normalisation to their means over a few batches."""
    from torch.nn.modules.batchnorm import _BatchNorm

    layers = [
        part
        for part in model.backbone.module().modules()
        if isinstance(part, _BatchNorm) and part.track_running_stats
    ]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over batches, each counted alike
        layer.train()
    mixed = np.random.Generator(np.random.PCG64(seed)).permutation(len(items))
    some = np.sort(mixed[:_CALIBRATED_BY]).tolist()
    deadline.expect(len(some))
    run = replace(run, batch_size=_AT_ONCE)
    with closing(batches(items, some, model, run, Unreadable(run.on_bad, items))) as source:
        for batch in source:
            if len(batch) > 1:  # one has no variance
                model.backbone.forward(model.backbone.collate([prepared for _, prepared in batch]))
            deadline.passed(len(batch))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()


class _Deadline:
    """Gives up on samples that would not be through in time, or are not.

    Args:
        start: by the clock, before the backbone was loaded.
        budget: seconds from then on.
        count: samples that are to go through.
    """

    def __init__(self, start: float, budget: float, count: int) -> None:
        self._start, self._budget = start, budget
        self._began = time.perf_counter()
        self._count, self._done = count, 0

    def expect(self, count: int) -> None:
        """So many more are to go through."""
        self._count += count

    def passed(self, count: int) -> None:
        """So many are through.

        Raises:
            OverBudgetError: they tell that all of them would take too long, or it is too late.
        """
        self._done += count
        if self._done == self._count:
            return
        now = time.perf_counter()
        took = now - self._began
        late = now - self._start > self._budget
        if not late and (self._done < _TELL or took < _SHARE * self._budget):
            return
        expected = self._began - self._start + took * self._count / self._done
        if late or expected > self._budget:
            raise OverBudgetError(f"it would take {expected:.0f} s: more than --scratch-budget")


def _rows(model: Model, items: list[Item], run: ExtractOptions, deadline: _Deadline) -> np.ndarray:
    out = np.empty((0, 0), np.float32)
    todo = list(range(len(items)))
    # Closed at once where it is given up: an error would keep its threads for as long as it lives.
    with closing(computed(items, todo, model, run, Unreadable(run.on_bad, items))) as source:
        for numbers, columns in source:
            rows = np.concatenate([columns[name] for name in model.columns], axis=1)
            if not len(out):
                out = np.zeros((len(items), rows.shape[1]), np.float32)
            out[numbers] = rows
            deadline.passed(len(numbers))
    return out
