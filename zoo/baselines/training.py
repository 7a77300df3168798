"""Trains one network: a fixed plan of epochs, the best of them kept, cut where time runs out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from zoo.baselines.learner import Configuration, Learner
    from zoo.baselines.objectives import Objective

BATCH = 64  # samples of a step, fewer where there are few in all
_JUDGED_AT_ONCE = 256
_WARM = 0.2  # of the steps, until the learning rate is full


@dataclass
class Training:
    """A trained network.

    Attributes:
        configuration: of the learner's grid.
        network: with the weights of the best epoch.
        validation: the primary metric there; NaN where nothing was held out.
        epoch: that epoch, from 1; 0 where not one was finished.
        epochs: that were planned.
        curve: ``epoch``, ``train_loss`` and ``validation`` of every finished epoch.
        cut: whether time ran out before the plan was done.
        seconds: wall time.
        samples: that passed through it in training.
    """

    configuration: Configuration
    network: Any
    epochs: int
    validation: float = math.nan
    loss: float = math.inf
    epoch: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    cut: bool = False
    seconds: float = 0.0
    samples: int = 0


def train(
    learner: Learner,
    objective: Objective,
    configuration: Configuration,
    fit: np.ndarray,
    held: np.ndarray,
    *,
    epochs: int,
    until: int,
    seed: int,
    deadline: float,
    hurried: bool,
    done: Callable[[], None],
) -> Training:
    """Adam with decoupled decay (Loshchilov and Hutter 2019), one cycle of the learning rate.

    Equal arguments give equal weights, unless the deadline cuts.

    Args:
        learner: the inputs and networks.
        objective: loss and metric.
        configuration: one of the learner's.
        fit: places to train on.
        held: places that choose the epoch; of none the last one is kept.
        epochs: over which the learning rate falls.
        until: the last epoch that runs.
        seed: of weights, order and augmentation.
        deadline: of `time.perf_counter`; nothing begins a step after it.
        hurried: the learning rate falls by the clock, to be at its end at the deadline: for plans
            that won't be done by then.
        done: called after every epoch.
    """
    import torch

    begin = time.perf_counter()
    order = np.random.Generator(np.random.PCG64(seed))
    network = start(learner, objective, configuration, seed)
    out = Training(configuration, network, epochs)
    out.validation, out.loss = _validate(learner, objective, out, held)
    best = _copy(network)
    size = int(np.clip(len(fit) // 16, min(8, len(fit)), BATCH))
    steps = max(1, len(fit) // size)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=configuration["learning_rate"], weight_decay=0.02
    )
    patience = max(6, epochs // 3)
    lift = bool(configuration.get("lift", False))
    for epoch in range(1, until + 1):
        network.train()
        losses = []
        for places in np.array_split(order.permutation(fit), steps):
            if time.perf_counter() >= deadline:
                out.cut = True
                break
            loss = objective.loss(
                learner.scores(network, places, configuration, augment=True), places, lift=lift
            )
            share = out.samples / (epochs * len(fit))
            if hurried:
                share = max(share, (time.perf_counter() - begin) / (deadline - begin))
            optimizer.param_groups[0]["lr"] = configuration["learning_rate"] * _one_cycle(share)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimizer.step()
            losses.append(float(loss.detach()))
            out.samples += len(places)
        if not losses or not np.isfinite(losses).all():
            break
        value, loss_held = _validate(learner, objective, out, held)
        out.curve.append(
            {"epoch": epoch, "train_loss": float(np.mean(losses)), "validation": value}
        )
        if not len(held) or (value, -loss_held) > (out.validation, -out.loss):
            out.validation, out.loss, out.epoch = value, loss_held, epoch
            best = _copy(network)
        done()
        if out.cut or epoch - out.epoch >= patience:
            break
    network.load_state_dict(best)
    out.seconds = time.perf_counter() - begin
    return out


def judged(
    learner: Learner, objective: Objective, training: Training, places: np.ndarray
) -> np.ndarray:
    """(m, outputs) float64 scores of the rows at some places."""
    import torch

    training.network.eval()
    parts = [np.empty((0, objective.outputs), np.float32)]
    with torch.inference_mode():
        for begin in range(0, len(places), _JUDGED_AT_ONCE):
            some = places[begin : begin + _JUDGED_AT_ONCE]
            scores = learner.scores(training.network, some, training.configuration, augment=False)
            parts.append(scores.numpy())
    return objective.told(np.concatenate(parts))


def start(learner: Learner, objective: Objective, configuration: Configuration, seed: int) -> Any:
    """A network that gives every sample the shares of the training rows, until it has learnt."""
    import torch

    torch.manual_seed(seed)
    network = learner.network(configuration, objective.outputs)
    layer = learner.output_layer(network)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(objective.start())
    return network


def _validate(
    learner: Learner, objective: Objective, training: Training, held: np.ndarray
) -> tuple[float, float]:
    """The metric, and the loss that decides among equals."""
    import torch

    if not len(held):
        return math.nan, math.inf
    training.network.eval()
    with torch.inference_mode():
        parts = [
            learner.scores(
                training.network,
                held[begin : begin + _JUDGED_AT_ONCE],
                training.configuration,
                augment=False,
            )
            for begin in range(0, len(held), _JUDGED_AT_ONCE)
        ]
        scores = torch.cat(parts)
        loss = float(objective.loss(scores, held))
    return objective.judge(objective.told(scores.numpy()), held), loss


def _one_cycle(done: float) -> float:
    """The share of the full learning rate: up in a line, down in half a cosine (Smith 2018)."""
    if done < _WARM:
        return 0.05 + 0.95 * done / _WARM
    left = max(0.0, 1.0 - done) / (1.0 - _WARM)
    return 0.005 + 0.995 * 0.5 * (1.0 - math.cos(math.pi * left))


def _copy(network: Any) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
