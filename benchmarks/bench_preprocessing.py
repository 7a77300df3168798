"""What wrong preprocessing costs, done as it is done by hand, and what zoo does with the same wish.

A ResNet-20 trained on CIFAR-10, 1,500 JPEG images for the head, 1,000 to judge it. Ten ways: the
exact one, and nine in which today's tools and notebooks go wrong. By hand is plain torch and
scikit-learn; zoo is asked for the same by its own means, and either refuses (the message is kept)
or gives an accuracy, whose features are compared with the exact ones. Heads are the same.

    python benchmarks/bench_preprocessing.py --assets ASSETS
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

import zoo
from zoo.errors import ZooError

REPOSITORY = Path(__file__).parents[1] / "tests" / "real" / "cifar_hub.py"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
STATED = f"""
input = "image"
size = 32
resize = "exact"
mean = {list(MEAN)}
std = {list(STD)}
"""
TRAINING = """

def left_in_training():
    return ResNet(3).train()


class Trains(ResNet):
    def forward(self, x):
        self.train()
        return super().forward(x)


def trains_itself():
    return Trains(3)
"""
LARGE = 128  # pixels of the enlarged images, for the ways to make them small again


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(n, 32, 32, 3) uint8 and the names of their classes, by path."""
    paths = sorted(folder.glob("*/*.jp*g"))
    images = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    return np.stack(images), np.array([path.parent.name for path in paths])


def tensor(images: np.ndarray) -> torch.Tensor:
    """(n, 3, h, w) float32 of 0..255."""
    return torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))


def normalised(images: np.ndarray, mean: Any = MEAN, std: Any = STD) -> torch.Tensor:
    """As the checkpoint was trained."""
    shape = (1, 3, 1, 1)
    return (tensor(images) / 255 - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)


def module(weights: Path) -> Any:
    """The network with its weights, in evaluation mode."""
    from safetensors.torch import load_file

    space: dict[str, Any] = {}
    exec(compile(REPOSITORY.read_text(), REPOSITORY.name, "exec"), space)
    net = space["resnet20"]()
    net.load_state_dict(load_file(weights))
    return net.eval()


def rows(net: Any, inputs: torch.Tensor, batch: int = 100) -> np.ndarray:
    """(n, 64): what the last Linear is given, in the mode that the network is in."""
    kept: list[torch.Tensor] = []
    hook = net.linear.register_forward_pre_hook(lambda _, given: kept.append(given[0].clone()))
    with torch.no_grad():
        for start in range(0, len(inputs), batch):
            net(inputs[start : start + batch])
    hook.remove()
    return torch.cat(kept).numpy()


class Bench:
    """The images, and both ways through them."""

    def __init__(self, assets: Path, folder: Path) -> None:
        self.data = assets / "img-cifar10-jpeg"
        self.weights = assets / "model-cifar-resnet20" / "resnet20.safetensors"
        self.x, self.y = read(self.data / "train")
        self.tx, self.ty = read(self.data / "test")
        self.folder = folder
        hub = folder / "hub"
        hub.mkdir()
        shutil.copy(REPOSITORY, hub / "hubconf.py")
        with (hub / "hubconf.py").open("a") as file:
            file.write(TRAINING)
        (hub / "preprocess.toml").write_text(STATED)
        self.exact = np.concatenate([self.zoo_rows(self.x), self.zoo_rows(self.tx)])

    def source(self, entry: str = "resnet20") -> str:
        """The network as a torch.hub repository's entry point gives it."""
        return f"torchhub:{self.folder}/hub/{entry}?weights={self.weights}"

    def zoo_rows(self, images: Any, entry: str = "resnet20", **options: Any) -> np.ndarray:
        """(n, 64) by zoo."""
        options = {"threads": torch.get_num_threads(), **options}
        done = zoo.extract(self.source(entry), list(images), trust_repo=True, **options)
        return done.features

    def judged(self, train: np.ndarray, test: np.ndarray) -> float:
        """Accuracy of the one head that every way gets."""
        mean, std = train.mean(axis=0), train.std(axis=0) + 1e-6
        head = LogisticRegression(C=0.1, max_iter=2000).fit((train - mean) / std, self.y)
        return float((head.predict((test - mean) / std) == self.ty).mean())

    def by_hand(self, prepare: Callable[[np.ndarray], torch.Tensor], **how: Any) -> float:
        """A head on features of images prepared so, judged on images prepared the same way."""
        net = module(self.weights)
        if how.pop("training", False):
            net.train()
        return self.judged(rows(net, prepare(self.x), **how), rows(net, prepare(self.tx), **how))

    def served_otherwise(self) -> float:
        """A head on exact features, judged on images of 0..1 that nobody normalised."""
        net = module(self.weights)
        train, test = rows(net, normalised(self.x)), rows(net, tensor(self.tx) / 255)
        return self.judged(train, test)

    def left_training(self, epochs: int = 5) -> float:
        """requires_grad=False, a Linear trained on top in training mode, judged after eval()."""
        torch.manual_seed(0)
        net = module(self.weights).requires_grad_(requires_grad=False)
        names = sorted(set(self.y))
        codes = torch.tensor([names.index(name) for name in self.y])
        net.linear = torch.nn.Linear(64, len(names))
        optimiser = torch.optim.Adam(net.linear.parameters(), lr=1e-2)
        x = normalised(self.x)
        net.train()
        for _ in range(epochs):
            for some in torch.randperm(len(x)).split(32):
                optimiser.zero_grad()
                functional.cross_entropy(net(x[some]), codes[some]).backward()
                optimiser.step()
        net.eval()  # too late: BatchNorm's statistics are those of the last batches
        with torch.no_grad():
            told = net(normalised(self.tx)).argmax(dim=1).numpy()
        return float((np.array(names)[told] == self.ty).mean())

    def zoo_way(self, exact: np.ndarray | None = None, **options: Any) -> dict[str, Any]:
        """The accuracy of zoo's features, and how far they are from the exact ones."""
        exact = self.exact if exact is None else exact
        images = options.pop("train", self.x), options.pop("test", self.tx)
        try:
            train, test = (self.zoo_rows(some, **options) for some in images)
        except ZooError as error:
            return {"refused": str(error), "hint": error.hint, "exit_code": error.exit_code}
        apart = float(np.abs(np.concatenate([train, test]) - exact).max())
        return {"accuracy": self.judged(train, test), "greatest_difference": apart}

    def zoo_served(self, images: Any) -> dict[str, Any]:
        """What a run that was trained exactly says to other images."""
        said: list[str] = []
        source, out = self.source(), self.folder / "run"
        run = zoo.transfer(source, self.data / "train", out=out, trust_repo=True)
        try:
            found = run.predict(images, trust_repo=True, say=said.append)
        except ZooError as error:
            return {"refused": str(error), "hint": error.hint, "exit_code": error.exit_code}
        right = [p.label == label for p, label in zip(found, self.ty, strict=True)]
        return {"accuracy": float(np.mean(right)), "told": said}


def large(images: np.ndarray) -> np.ndarray:
    """(n, 128, 128, 3) uint8: enlarged, with the noise of a sensor in every pixel."""
    rng = np.random.default_rng(0)
    out = []
    for image in images:
        pixels = np.asarray(Image.fromarray(image).resize((LARGE, LARGE), Image.Resampling.LANCZOS))
        noisy = pixels + rng.normal(0, 50, pixels.shape)
        out.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return np.stack(out)


def antialiased(images: np.ndarray) -> torch.Tensor:
    """Made small as Pillow does it, and the checkpoint's own pipeline."""
    made = [Image.fromarray(x).resize((32, 32), Image.Resampling.BILINEAR) for x in images]
    return normalised(np.stack([np.asarray(x) for x in made]))


def sampled(images: np.ndarray) -> torch.Tensor:
    """Made small by the nearest pixels alone: torch's and OpenCV's default, without antialias."""
    made = functional.interpolate(tensor(images), (32, 32), mode="bilinear", align_corners=False)
    return normalised(made.numpy().transpose(0, 2, 3, 1))


def cropped(images: np.ndarray) -> torch.Tensor:
    """Resized to 40 and the centre of 32 cut out."""
    made = [Image.fromarray(x).resize((40, 40), Image.Resampling.BILINEAR) for x in images]
    return normalised(np.stack([np.asarray(x)[4:36, 4:36] for x in made]))


def conditions(bench: Bench) -> dict[str, dict[str, Any]]:
    """By hand and by zoo, of each of the ten."""
    half = {"mean": [0.0], "std": [1.0]}
    clip = {"mean": list(CLIP[0]), "std": list(CLIP[1])}
    served = [x / 255 for x in bench.tx]
    big = [large(bench.x), large(bench.tx)]
    net = module(bench.weights)
    right = [rows(net, antialiased(images)) for images in big]
    wrong = [rows(net, sampled(images)) for images in big]
    return {
        "exact": {"by_hand": bench.by_hand(normalised), "zoo": bench.zoo_way()},
        "0..1 without mean and std": {
            "by_hand": bench.by_hand(lambda x: tensor(x) / 255),
            "zoo": bench.zoo_way(preprocess=half),
        },
        "raw 0..255": {
            "by_hand": bench.by_hand(tensor),
            "zoo": bench.zoo_way(preprocess={**half, "scale": 1.0}),
        },
        "BGR": {
            "by_hand": bench.by_hand(lambda x: normalised(x[..., ::-1])),
            "zoo": bench.zoo_way(preprocess={"color": "bgr"}),
            "zoo_served_bgr": bench.zoo_served([x[..., ::-1] for x in bench.tx]),
        },
        "trained exactly, served 0..1": {
            "by_hand": bench.served_otherwise(),
            "zoo": bench.zoo_served(served),
            "zoo_served_as_bytes": bench.zoo_served([x.round().astype(np.uint8) for x in served]),
        },
        "training mode, batch of 1": {
            "by_hand": bench.by_hand(normalised, training=True, batch=1),
            "zoo": bench.zoo_way(entry="left_in_training", batch_size=1),
        },
        "left in training mode with its head": {
            "by_hand": bench.left_training(),
            "zoo": bench.zoo_way(entry="trains_itself"),
        },
        "CLIP's statistics": {
            "by_hand": bench.by_hand(lambda x: normalised(x, *CLIP)),
            "zoo": bench.zoo_way(preprocess=clip),
        },
        "noisy 128 pixels made 32 without antialiasing": {
            "exact": bench.judged(*right),
            "by_hand": bench.judged(*wrong),
            "zoo": bench.zoo_way(np.concatenate(right), train=big[0], test=big[1]),
        },
        "resized to 40, centre of 32": {
            "by_hand": bench.by_hand(cropped),
            "zoo": bench.zoo_way(preprocess={"resize": 40, "crop": "center"}),
        },
    }


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ZOO_HOME"] = str(Path(folder) / "home")
        found = conditions(Bench(arguments.assets.resolve(), Path(folder)))
    text = json.dumps(found).replace(str(folder), "FOLDER")
    text = text.replace(str(arguments.assets.resolve()), "ASSETS")
    result = {
        "benchmark": "preprocessing",
        "model": "ResNet-20 trained on CIFAR-10",
        "data": {"train": 1500, "test": 1000, "of": "img-cifar10-jpeg"},
        "conditions": json.loads(text),
        "machine": {"processor": platform.machine(), "python": platform.python_version()},
        "command": "bench_preprocessing.py --assets ASSETS",
        "versions": {name: metadata.version(name) for name in ("torch", "numpy", "scikit-learn")},
    }
    path = Path(__file__).parent / "results" / "preprocessing.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    for name, one in result["conditions"].items():
        sys.stdout.write(f"{name}: {json.dumps(one)}\n")


if __name__ == "__main__":
    main()
