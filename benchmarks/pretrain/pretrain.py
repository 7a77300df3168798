"""Pretrains the embedded backbone on drawn pictures alone, and writes its weights and its log.

Supervised contrastive learning (Khosla et al. 2020): of 384 pictures in a batch, 4 of each class,
each is to be nearer to its own than to all others. Classes are never named, so that tens of
thousands of them cost nothing; a classifier over 4,000 had learnt nothing by the time at which this
was better than raw pixels.

    python benchmarks/pretrain/pretrain.py --out FOLDER [--steps 3600] [--seed 0] [--assets ASSETS]
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import few_labels
import numpy as np
import torch
from pictures import Counts, Pictures
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional

from zoo.backbones import formulanet

_EACH = 4  # pictures of a class in a batch
_CLASSES = 96  # of a batch
_TEMPERATURE = 0.1
_RATE, _DECAY = 3e-3, 0.05
_PROJECTED = 128


def main() -> None:
    """Train, log every hundred steps, write float16 weights."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--assets", type=Path, help="for figures of MNIST and USPS in the log")
    chosen = parser.parse_args()
    torch.manual_seed(chosen.seed)
    torch.set_num_threads(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    sets = few_labels.read(chosen.assets) if chosen.assets else {}
    with (chosen.out / "log.jsonl").open("w", encoding="utf-8") as log:

        def tell(line: dict[str, Any]) -> None:
            log.write(json.dumps(line) + "\n")
            log.flush()
            print(json.dumps(line), flush=True)

        tell({"steps": chosen.steps, "seed": chosen.seed, "torch": torch.__version__})
        tell({"machine": platform.machine(), "threads": chosen.threads})
        module = trained(chosen.steps, chosen.seed, tell, sets)
    save_file(kept(module), chosen.out / "formulanet.safetensors")


def trained(
    steps: int,
    seed: int,
    tell: Callable[[dict[str, Any]], None],
    sets: dict[str, few_labels.Labelled],
    *,
    counts: Counts | None = None,
) -> nn.Module:
    """The network after so many steps under one cycle of the learning rate."""
    module = formulanet.network().to(memory_format=torch.channels_last)
    projection = nn.Sequential(
        nn.Linear(formulanet.DIM, formulanet.DIM),
        nn.ReLU(),
        nn.Linear(formulanet.DIM, _PROJECTED),
    )
    parameters = [*module.parameters(), *projection.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, steps, pct_start=0.15)
    pictures = Pictures(counts or Counts(), seed)
    start, losses, nearest = time.perf_counter(), [], []
    for step in range(1, steps + 1):
        images, labels = pictures.batch(_CLASSES, _EACH)
        with torch.autocast("cpu", torch.bfloat16):
            features = module(images.contiguous(memory_format=torch.channels_last))
        loss, share = contrast(projection(features.float()), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        nearest.append(share)
        if step % 100 == 0 or step == steps:
            line = {"step": step, "seconds": round(time.perf_counter() - start, 1)}
            line |= {"loss": round(float(np.mean(losses)), 4)}
            line |= {"nearest": round(float(np.mean(nearest)), 4)}
            if step % 500 == 0 or step == steps:
                line |= {name: round(few_labels.score(module, of), 4) for name, of in sets.items()}
            tell(line)
            losses, nearest = [], []
    return module.eval()


def contrast(projected: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The loss of (b, p) rows, and the share of them whose nearest other is of their class."""
    rows = functional.normalize(projected, dim=1)
    itself = torch.eye(len(rows), dtype=torch.bool)
    close = (rows @ rows.T / _TEMPERATURE).masked_fill(itself, -1e9)
    same = (labels[:, None] == labels) & ~itself
    told = (close.log_softmax(dim=1) * same).sum(dim=1) / same.sum(dim=1)
    nearest = same.gather(1, close.argmax(dim=1, keepdim=True)).float().mean()
    return -told.mean(), float(nearest)


def kept(module: nn.Module) -> dict[str, np.ndarray]:
    """What a user needs, as float16: no counters of batches."""
    return {
        name: tensor.detach().contiguous().numpy().astype(np.float16)
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point()
    }


if __name__ == "__main__":
    main()
