"""Preparation, taps and pooling as anybody would write them: for references, and for nothing else.

It shares no code with `zoo.preprocess` and `zoo.backbones`, so that a fault there shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import SourceError
from zoo.plugin import Contract, Reference

LAST_LINEAR = "last_linear.input"


class PlainReference(Reference):
    """Pillow, or soundfile and soxr; NumPy; then a function on a batch of one.

    Args:
        name: what it is made of.
        stated: preprocess.toml's keys.
        run: from (1, ...) of the stated dtype to (1, ...) of the tap.
        contract: whose pooling and layout are taken.
    """

    def __init__(
        self,
        name: str,
        stated: Mapping[str, Any],
        run: Callable[[np.ndarray], np.ndarray],
        contract: Contract,
    ) -> None:
        self.name = name
        self._stated, self._run, self._contract = stated, run, contract

    def row(self, sample: Any) -> np.ndarray:
        """(d,) float32 of an image or a recording."""
        audio = self._stated.get("input") == "audio"
        prepared = stated_samples if audio else stated_pixels
        return pooled(self._run(prepared(sample, self._stated)[None]), self._contract)


def opened_image(sample: Any) -> Any:
    """An RGB Pillow image of a file's path, or the image that the sample is already."""
    from PIL import Image

    if not isinstance(sample, Path):
        return sample
    with Image.open(sample) as image:
        return image.convert("RGB")


def opened_sound(path: Path, rate: int) -> np.ndarray:
    """(n,) float32: the mean of a recording's channels, at `rate` by soxr."""
    import soundfile
    import soxr

    values, own = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(values.mean(axis=1), own, rate), np.float32)


def stated_pixels(sample: Any, stated: Mapping[str, Any]) -> np.ndarray:
    """(3, h, w) or (h, w, 3) of an image, as preprocess.toml's keys say."""
    from PIL import Image

    image = opened_image(sample)
    height, width = _two(stated["size"])
    kind = Image.Resampling[str(stated.get("filter", "bilinear")).upper()]
    resize = stated["resize"]
    cropped = resize not in ("exact", stated["size"])
    if isinstance(resize, int):
        factor = resize / min(image.size)
        wide, high = (
            resize if side == min(image.size) else int(side * factor + 1e-9) for side in image.size
        )
        image = image.resize((wide, high), kind)
    elif resize != "none":
        high, wide = (height, width) if resize == "exact" else _two(resize)
        image = image.resize((wide, high), kind)
    if stated.get("crop", "center" if cropped else "none") == "center":
        left, top = (image.width - width) // 2, (image.height - height) // 2
        image = image.crop((left, top, left + width, top + height))
    values = np.asarray(image)
    values = values[:, :, ::-1] if stated.get("color") == "bgr" else values
    if stated.get("dtype") != "uint8":
        mean, std = (np.float32(stated.get(key, base)) for key, base in (("mean", 0), ("std", 1)))
        scaled = values.astype(np.float32) * np.float32(stated.get("scale", 1 / 255))
        values = ((scaled - mean) / std).astype(stated.get("dtype", "float32"))
    values = values if stated.get("layout") == "nhwc" else values.transpose(2, 0, 1)
    return np.ascontiguousarray(values)


def stated_samples(sample: Path, stated: Mapping[str, Any]) -> np.ndarray:
    """(n,) of a recording, as preprocess.toml's keys say."""
    values = opened_sound(sample, stated["rate"])
    missing = max(0, stated.get("min_samples", 0) - len(values))
    before = missing // 2 if stated.get("pad", "center") == "center" else 0
    values = np.pad(values, (before, missing - before)) * np.float32(stated.get("scale", 1.0))
    return values.astype(stated.get("dtype", "float32"))


def tapped(module: Any, tap: str, inputs: Mapping[str, Any]) -> Any:
    """What a torch module gives at a tap, in evaluation mode and without gradients.

    Raises:
        SourceError: it has no such layer or output.
    """
    import torch

    layers = dict(module.named_modules())
    before = tap not in layers and tap.endswith(".input")
    layer = layers.get(tap.removesuffix(".input"))
    if tap == LAST_LINEAR:
        layer = [part for part in layers.values() if isinstance(part, torch.nn.Linear)][-1]
    caught: list[Any] = []

    def keep(_: Any, given: Any, gave: Any) -> None:
        value = given if before else gave
        caught.append((value[0] if isinstance(value, tuple) else value).clone())

    handle = None if layer is None else layer.register_forward_hook(keep)
    hidden = {"output_hidden_states": True} if tap.startswith("hidden_states.") else {}
    with torch.no_grad():
        output = module.eval()(**inputs, **hidden)
    if handle is not None:
        handle.remove()
        return caught[-1]
    if tap == "output":
        return output
    name, _, index = tap.partition(".")
    if name not in output:
        raise SourceError(f"the reference has no tap '{tap}'")
    return output[name][int(index)] if index else output[name]


def pooled(values: Any, contract: Contract, count: int | None = None) -> np.ndarray:
    """(d,) float32 of (1, d), (1, t, d) or maps; of the first `count` positions where given.

    Raises:
        SourceError: a pooling that has not been written down here.
    """
    one: np.ndarray = np.asarray(values, np.float64)[0]
    if one.ndim > 2:
        first = contract.layout == "channels_first"
        one = one.reshape(one.shape[0], -1).T if first else one.reshape(-1, one.shape[-1])
    if one.ndim > 1:
        one = one[:count]
        chosen = {"mean": one.mean(axis=0), "cls": one[0], "last": one[-1], "none": one[0]}
        if contract.pooling not in chosen:
            raise SourceError(f"references know no pooling '{contract.pooling}'")
        one = chosen[contract.pooling]
    return np.asarray(one, np.float32)


def _two(value: Any) -> tuple[int, int]:
    values = value if isinstance(value, list) else [value]
    return int(values[0]), int(values[-1])
