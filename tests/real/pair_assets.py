"""Real models and data as the command line takes them; what has another form is put into one.

Models that only a text file or a state dict carries get a folder around them, and two domains a
folder with the training part of one and the test part of the other.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
MODELS = {
    "torchhub-resnet20": "model-cifar-resnet20",
    "torchhub-resnet32": "model-cifar-resnet32",
    "onnx-resnet8": "model-onnx-resnet8-cifar10",
    "onnx-mobilenet-v1": "model-onnx-mobilenet-v1-0.25-128",
    "onnx-mobilenet-v2": "model-onnx-mobilenet-v2-1.0-224",
    "onnx-mobilenet-v2-int8": "model-onnx-mobilenetv2-12-int8",
    "onnx-squeezenet-fp16": "model-onnx-squeezenet1.1-fp16",
    "onnx-speech": "model-onnx-speech-embedding",
    "hf-mobilenet-v1": "model-hf-mobilenet-v1-0.25-128",
    "hf-mobilenet-v2": "model-hf-mobilenet-v2-1.0-224",
    "hf-random-bert": "model-hf-random-tiny-bert",
    "hf-minilm": "",  # of a wheel
    "st-minilm": "",
    "st-static": "model-static-minilm-64d",
    "st-glove": "model-glove-6b-50d-8k",
}
GIVEN = {
    "hymenoptera": ("img-hymenoptera",),
    "flowers5": ("img-flowers5",),
    "cifar10": ("img-cifar10-jpeg",),
    "mnist": ("img-digits-mnist-usps/mnist",),
    "usps": ("img-digits-mnist-usps/usps",),
    "photo": ("img-pacs-photo-cartoon/photo",),
    "cartoon": ("img-pacs-photo-cartoon/cartoon",),
    "sst2": ("text-sst2",),
    "sms-spam": ("text-sms-spam",),
    "trec6": ("text-trec6",),
    "trec50": ("text-trec6", "--target", "fine_label"),
    "books": ("text-amazon-books-kitchen/books.csv",),
    "kitchen": ("text-amazon-books-kitchen/kitchen.csv",),
    "fsdd": ("audio-fsdd", "--target", "label"),
}
# Trained on one domain and tested on another: domain -> the folders of its own train and test.
DOMAINS = {
    "mnist": ("img-digits-mnist-usps/mnist/train", "img-digits-mnist-usps/mnist/test"),
    "usps": ("img-digits-mnist-usps/usps/train", "img-digits-mnist-usps/usps/test"),
    "photo": ("img-pacs-photo-cartoon/photo",) * 2,
    "cartoon": ("img-pacs-photo-cartoon/cartoon",) * 2,
    "books": ("text-amazon-books-kitchen/books.csv",) * 2,
    "kitchen": ("text-amazon-books-kitchen/kitchen.csv",) * 2,
}


@dataclass(frozen=True)
class Assets:
    """Where models and data are: `asset` finds a folder, `minilm` the one of a wheel's model.

    What has to be made goes to `work`.
    """

    asset: Callable[[str], Path]
    minilm: Callable[[], Path]
    work: Path

    def data(self, data: str) -> tuple[object, ...]:
        """The options that name a data set; those of two domains are put together first."""
        if data.startswith("fsdd-without-"):
            return self._without(data.removeprefix("fsdd-without-"))
        if data in GIVEN:
            path, *more = GIVEN[data]
            name, _, inner = path.partition("/")
            return ("--data", self.asset(name) / inner, *more)
        source, _, target = data.partition("->")
        tree = self.work / data.replace("->", "-to-")
        for split, path in (("train", DOMAINS[source][0]), ("test", DOMAINS[target][1])):
            name, _, inner = path.partition("/")
            origin = self.asset(name) / inner
            if origin.is_dir():
                shutil.copytree(origin, tree / split, dirs_exist_ok=True)
            else:
                tree.mkdir(exist_ok=True)
                shutil.copy(origin, tree / f"{split}.csv")
        return ("--data", tree)

    def model(self, model: str) -> tuple[object, ...]:
        """The options that name a model."""
        provider = model.partition("-")[0]
        folder = self.asset(MODELS[model]) if MODELS[model] else self.minilm()
        if provider == "torchhub":
            (weights,) = folder.glob("*.safetensors")
            entry = model.removeprefix("torchhub-")
            source = f"torchhub:{self._hub()}/{entry}?weights={weights}"
            return ("--model", source, "--trust-repo")
        if model == "onnx-speech":
            folder /= "speech_embedding.onnx"
        elif provider == "onnx":
            (folder,) = folder.glob("*.onnx")
        elif model == "st-glove":
            folder = self._glove(folder)
        return ("--model", f"{provider}:{folder}")

    def speakers(self) -> list[str]:
        """Who speaks in audio-fsdd."""
        return sorted({line["speaker"] for line in self._recordings()})

    def _without(self, speaker: str) -> tuple[object, ...]:
        """All recordings, tested on one speaker alone."""
        folder, tree = self.asset("audio-fsdd"), self.work / "speakers"
        lines = ["file,label,split"]
        for line in self._recordings():
            target = tree / line["file"]
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(folder / line["file"], target)
            split = "test" if line["speaker"] == speaker else "train"
            lines.append(f"{line['file']},{line['label']},{split}")
        (tree / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return ("--data", tree, "--target", "label")

    def _recordings(self) -> list[dict[str, str]]:
        path = self.asset("audio-fsdd") / "metadata.csv"
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def _hub(self) -> Path:
        """A torch.hub repository with the CIFAR ResNets."""
        folder = self.work / "hub"
        folder.mkdir(exist_ok=True)
        shutil.copy(HERE / "cifar_hub.py", folder / "hubconf.py")
        (folder / "preprocess.toml").write_text(
            'input = "image"\nsize = 32\nresize = "exact"\n'
            "mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\n",
            encoding="utf-8",
        )
        return folder

    def _glove(self, carrier: Path) -> Path:
        """GloVe's text file as static embeddings: a word-level tokenizer and its vectors.

        Unknown words count as zero vectors.
        """
        from safetensors.numpy import save_file
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

        folder = self.work / "glove"
        if folder.exists():
            return folder
        (path,) = carrier.glob("*.txt")
        lines = [line.split(" ") for line in path.read_text(encoding="utf-8").splitlines()]
        words = {"[UNK]": 0} | {line[0]: i for i, line in enumerate(lines, start=1)}
        vectors = np.zeros((len(words), 50), np.float32)
        for line in lines:
            vectors[words[line[0]]] = np.float32(line[1:])
        tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        folder.mkdir()
        tokenizer.save(str(folder / "tokenizer.json"))
        save_file({"embedding.weight": vectors}, folder / "model.safetensors")
        (folder / "config.json").write_text('{"model_type": "static"}', encoding="utf-8")
        return folder
