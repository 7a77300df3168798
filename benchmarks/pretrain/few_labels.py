"""How well a linear head does on few labels of the handwritten digits of MNIST and USPS.

What the training's log shows. The digits of scikit-learn, which judge the demo, are not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

_SETS = {name: f"img-digits-mnist-usps/{name}" for name in ("mnist", "usps")}
_SHOTS, _DRAWS = 10, 5


@dataclass(frozen=True, eq=False)
class Labelled:
    """(n, 3, 32, 32) float32 in -1..1, (n,) labels, and which of the n may be trained on."""

    images: torch.Tensor
    labels: np.ndarray
    train: np.ndarray


def read(assets: Path) -> dict[str, Labelled]:
    """The sets by name, as zoo prepares pictures for the network."""
    found = {}
    for name, folder in _SETS.items():
        files = sorted((assets / folder).glob("*/*/*.png"))
        arrays = []
        for file in files:
            with Image.open(file) as image:
                grey = image.convert("L").resize((32, 32), Image.Resampling.BILINEAR)
            arrays.append(np.asarray(grey, np.float32) / 127.5 - 1)
        images = torch.from_numpy(np.stack(arrays))[:, None].expand(-1, 3, -1, -1).contiguous()
        labels = np.array([file.parent.name for file in files])
        train = np.array([file.parts[-3] == "train" for file in files])
        found[name] = Labelled(images, labels, train)
    return found


def features(module: torch.nn.Module, images: torch.Tensor) -> np.ndarray:
    """(n, d) float32 rows, with the statistics that the module has gathered."""
    training = module.training
    module.eval()
    with torch.inference_mode():
        rows = torch.cat([module(some) for some in images.split(256)])
    module.train(training)
    return np.asarray(rows.float().numpy())


def score(module: torch.nn.Module, of: Labelled) -> float:
    """Mean accuracy of a logistic head on ten labels of each class, over a few draws of them."""
    rows = features(module, of.images)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    told = []
    for draw in range(_DRAWS):
        mixed = np.random.default_rng(draw).permutation(np.flatnonzero(of.train))
        some = [mixed[of.labels[mixed] == name][:_SHOTS] for name in np.unique(of.labels)]
        fit = np.concatenate(some)
        head = LogisticRegression(C=30.0, max_iter=300).fit(rows[fit], of.labels[fit])
        told.append(head.score(rows[~of.train], of.labels[~of.train]))
    return float(np.mean(told))
