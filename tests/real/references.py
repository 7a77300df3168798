"""Reference pipelines for real models: other people's code alone, nothing of zoo's."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np

BATCH = 32


def transformers_images(folder: Path, files: list[Path]) -> np.ndarray:
    """(n, d) `pooler_output` of AutoModel on what the checkpoint's Pillow processor makes."""
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModel

    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    for start in range(0, len(files), BATCH):
        images = [Image.open(file).convert("RGB") for file in files[start : start + BATCH]]
        with torch.no_grad():
            rows.append(model(**processor(images, return_tensors="pt")).pooler_output.numpy())
    return np.concatenate(rows)


def transformers_texts(folder: Path, texts: list[str], max_length: int) -> np.ndarray:
    """(n, d) mean of `last_hidden_state` over the tokens that the attention mask counts."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    rows = {}
    for start in range(0, len(texts), BATCH):
        part = order[start : start + BATCH]
        tokens = tokenizer(
            [texts[i] for i in part],
            padding=True,
            truncation=True,
            max_length=max_length,
            return_tensors="pt",
        )
        with torch.no_grad():
            hidden = model(**tokens).last_hidden_state
        mask = tokens["attention_mask"][..., None].float()
        pooled = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
        rows.update(zip(part, pooled, strict=True))
    return np.stack([rows[i] for i in range(len(texts))])


def onnx_images(folder: Path, files: list[Path]) -> np.ndarray:
    """(n, d) of ONNX Runtime on Pillow images prepared as the folder's preprocess.toml says."""
    import onnx
    import onnxruntime as ort
    from PIL import Image

    (path,) = folder.glob("*.onnx")
    stated = tomllib.loads((folder / "preprocess.toml").read_text())
    model = onnx.load(path)
    if stated["tap"] not in [output.name for output in model.graph.output]:
        model.graph.output.append(onnx.ValueInfoProto(name=stated["tap"]))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = []
    for file in files:
        image = Image.open(file).convert("RGB")
        size = stated["size"]
        if stated["resize"] == "exact":
            image = image.resize((size, size), Image.Resampling.BILINEAR)
        else:
            edge = stated["resize"]
            factor = edge / min(image.size)
            width, height = (
                edge if side == min(image.size) else int(side * factor + 1e-9)
                for side in image.size
            )
            image = image.resize((width, height), Image.Resampling.BILINEAR)
            left, top = (width - size) // 2, (height - size) // 2
            image = image.crop((left, top, left + size, top + size))
        pixels = np.asarray(image, np.float32)
        pixels = pixels[:, :, ::-1] if stated["color"] == "bgr" else pixels
        pixels = (pixels * np.float32(stated["scale"]) - np.float32(stated["mean"])) / np.float32(
            stated["std"]
        )
        batch = pixels.transpose(2, 0, 1)[None].astype(stated["dtype"])
        (value,) = session.run([stated["tap"]], {stated["input_name"]: batch})
        value = np.asarray(value, np.float32)
        rows.append(value.mean(axis=(2, 3)) if stated["pool"] == "mean" else value)
    return np.concatenate(rows)


def timm_images(module: object, files: list[Path]) -> np.ndarray:
    """(n, d) pre-logits of a timm model on Pillow images, resized and cut as torchvision does."""
    import math

    import torch
    from PIL import Image

    config = module.pretrained_cfg
    size = config["input_size"][-1]
    edge = math.floor(size / config["crop_pct"])
    rows = []
    for file in files:
        image = Image.open(file).convert("RGB")
        width, height = image.size
        long = int(edge * max(width, height) / min(width, height))
        resized = (edge, long) if width <= height else (long, edge)
        image = image.resize(resized, Image.Resampling[config["interpolation"].upper()])
        left, top = (round((side - size) / 2) for side in image.size)
        pixels = np.asarray(image.crop((left, top, left + size, top + size)), np.float32) / 255
        pixels = (pixels - np.float32(config["mean"])) / np.float32(config["std"])
        with torch.no_grad():
            maps = module.forward_features(torch.from_numpy(pixels.transpose(2, 0, 1)[None]))
            rows.append(module.forward_head(maps, pre_logits=True).numpy())
    return np.concatenate(rows)


def static_texts(folder: Path, texts: list[str]) -> np.ndarray:
    """(n, d) float32 means of token vectors, special tokens left out."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    (vectors,) = load_file(folder / "model.safetensors").values()
    encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    none = np.zeros(vectors.shape[1], np.float32)
    return np.stack([vectors[ids].astype(np.float32).mean(0) if ids else none for ids in encoded])


def onnx_audio(folder: Path, files: list[Path]) -> np.ndarray:
    """(n, d) of ONNX Runtime on each recording alone, prepared as preprocess.toml says."""
    import onnxruntime as ort
    import soundfile
    import soxr

    stated = tomllib.loads((folder / "preprocess.toml").read_text())
    session = ort.InferenceSession(
        folder / "speech_embedding.onnx", providers=["CPUExecutionProvider"]
    )
    rows = []
    for file in files:
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
        samples = soxr.resample(samples.mean(axis=1), rate, stated["rate"])
        missing = max(0, stated["min_samples"] - len(samples))
        padded = np.pad(samples, (missing // 2, missing - missing // 2)) * stated["scale"]
        batch = padded[None].astype(stated["dtype"])
        (value,) = session.run([stated["tap"]], {stated["input_name"]: batch})
        rows.append(value[0])
    return np.stack(rows)
