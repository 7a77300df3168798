"""The ways in which preparation commonly goes wrong, each tried on a backbone on purpose.

What they move a row by says how much a check of rows can see, and what a mistake would cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.backbones import TextTrunk
from zoo.backbones.pooling import pool
from zoo.preprocess import AudioSpec, ImageSpec, TextSpec, Waveform
from zoo.preprocess.audio import OWN_RATE

if TYPE_CHECKING:
    from zoo.plugin import Backbone, Contract
    from zoo.runs.probes import Probe

_BATCH = 8
_NONE, _ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
_LONGEST = 100  # characters of a foreign message in a line of ours

Way = Callable[[], np.ndarray]


@dataclass(frozen=True)
class WrongWay:
    """What one mistake does.

    Attributes:
        name: the mistake.
        rows: (n, d) of the same samples as went in; None where the model refuses it.
        refusal: why, in one line.
    """

    name: str
    rows: np.ndarray | None
    refusal: str = ""


def wrong_ways(backbone: Backbone, samples: Sequence[Any]) -> Iterator[WrongWay]:
    """Every mistake that can be made with this backbone, one after the other.

    Args:
        backbone: in evaluation mode; so it is left, its buffers as they were.
        samples: decoded, as `Backbone.prepare` takes them.
    """
    modality = backbone.contract.modality
    kind = {"image": _images, "text": _texts, "audio": _recordings}[modality]
    ways = {**kind(backbone, samples), **_any(backbone, samples)}
    for name, way in ways.items():
        try:
            yield WrongWay(name, way())
        except Exception as error:  # noqa: BLE001 - whatever it does wrong: nobody overlooks it
            text = " ".join(str(error).split()) or type(error).__name__
            yield WrongWay(name, None, text[:_LONGEST])


def misreading(backbone: Backbone, probe: Probe) -> WrongWay | None:
    """One probe's file read as a quick script does, where zoo reads it otherwise; else None.

    An image as Pillow opens it, neither turned nor scaled to 8 bits; of a recording the first
    channel alone.
    """
    if backbone.contract.modality == "image" and probe.decoded:
        from PIL import Image

        with Image.open(probe.value) as image:
            stored = image.convert("RGB")
        return WrongWay(f"{probe.name}, as stored", rows_of(backbone, [backbone.prepare(stored)]))
    if backbone.contract.modality == "audio":
        import soundfile

        values, rate = soundfile.read(probe.value, dtype="float32", always_2d=True)
        if values.shape[1] > 1:
            left = Waveform(np.ascontiguousarray(values[:, 0]), rate)
            name = f"{probe.name}, one channel"
            return WrongWay(name, rows_of(backbone, [backbone.prepare(left)]))
    return None


def rows_of(
    backbone: Backbone,
    prepared: Sequence[Any],
    alter: Callable[[Any], Any] | None = None,
    pooling: str = "",
) -> np.ndarray:
    """(n, d) float32 rows of prepared samples, their batches changed by `alter`."""
    contract = backbone.contract
    size = min(_BATCH, backbone.max_batch or _BATCH)
    out = []
    for start in range(0, len(prepared), size):
        batch = backbone.collate(list(prepared[start : start + size]))
        features = backbone.forward(batch if alter is None else alter(batch))[contract.tap]
        values, mask = features.numpy()
        how = pooling or contract.pooling
        out.append(pool(values, mask, pooling=how, layout=contract.layout, tap=contract.tap))
    return np.concatenate(out)


def _any(backbone: Backbone, samples: Sequence[Any]) -> dict[str, Way]:
    """What can go wrong with samples of every kind."""

    def prepared() -> list[Any]:
        return [backbone.prepare(sample) for sample in samples]

    def training() -> np.ndarray:
        with _train_mode(backbone.module()):
            return rows_of(backbone, prepared())

    ways: dict[str, Way] = {}
    other = {"mean": "cls", "cls": "mean", "last": "mean"}.get(backbone.contract.pooling)
    if other:
        ways[f"pooling {other}"] = lambda: rows_of(backbone, prepared(), pooling=other)
    if backbone.module() is not None:
        ways["train mode"] = training
    return ways


@contextmanager
def _train_mode(module: Any) -> Iterator[None]:
    """A module in training mode, its draws from one seed; its buffers and modes are put back."""
    import torch

    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    modes = [(part, part.training) for part in module.modules()]
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module.train()
            yield
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        for part, mode in modes:
            part.training = mode


def _images(backbone: Backbone, images: Sequence[Any]) -> dict[str, Way]:
    spec = _image_spec(backbone.contract)
    right = backbone.prepare(images[0])
    if spec is None or getattr(right, "shape", None) != spec.apply(images[0]).shape:
        return {}  # a backbone that prepares in a way of its own
    kind = "bilinear" if spec.filter == "bicubic" else "bicubic"
    specs = {
        f"filter {kind}": replace(spec, filter=kind),
        "filter nearest": replace(spec, filter="nearest"),
        "BGR" if spec.color == "rgb" else "RGB": replace(
            spec, color="bgr" if spec.color == "rgb" else "rgb"
        ),
        "no crop" if spec.crop else "cropped": (
            replace(spec, resize=spec.size, crop=False)
            if spec.crop
            else replace(spec, resize=round(max(spec.size) * 8 / 7), crop=True)
        ),
    }
    if spec.dtype != "uint8":
        specs["0..1, no statistics"] = replace(spec, scale=1 / 255, mean=_NONE, std=_ONE)
        specs["0..255, raw"] = replace(spec, scale=1.0, mean=_NONE, std=_ONE)

    def prepared_by(wrong: ImageSpec) -> Way:
        return lambda: rows_of(backbone, [wrong.apply(image) for image in images])

    ways = {name: prepared_by(wrong) for name, wrong in specs.items() if wrong != spec}
    if spec.resize is not None and spec.filter != "nearest":
        ways["no antialias"] = lambda: rows_of(
            backbone, [_pointwise(spec, image) for image in images]
        )
    return ways


def _image_spec(contract: Contract) -> ImageSpec | None:
    """The spec that a contract's preprocessing is, unless it is something else."""
    told = contract.preprocess
    names = [field.name for field in fields(ImageSpec)]
    if not set(names) <= set(told):
        return None
    lists = ("size", "resize", "mean", "std")
    values: dict[str, Any] = {name: told[name] for name in names}
    values |= {k: tuple(values[k]) for k in lists if isinstance(values[k], list)}
    return ImageSpec(**values)


def _pointwise(spec: ImageSpec, image: Any) -> np.ndarray:
    """An image resized as OpenCV and a plain `interpolate` do: without a low-pass filter."""
    from PIL import Image

    if isinstance(spec.resize, tuple):
        target = (spec.resize[1], spec.resize[0])
    else:
        factor = (spec.resize or 1) / min(image.size)
        target = (round(image.width * factor), round(image.height * factor))
    kind = Image.Resampling.BICUBIC if spec.filter == "bicubic" else Image.Resampling.BILINEAR
    box = (0, 0, *image.size)
    small = image.transform(target, Image.Transform.EXTENT, box, resample=kind)
    return replace(spec, resize=None).apply(small)


def _texts(backbone: Backbone, texts: Sequence[Any]) -> dict[str, Way]:
    prepared = [backbone.prepare(text) for text in texts]
    ways: dict[str, Way] = {}
    batch = backbone.collate(list(prepared[:_BATCH]))
    if isinstance(batch, Mapping) and "attention_mask" in batch:
        ways["padding not masked"] = lambda: rows_of(backbone, prepared, _unmasked)
    if not isinstance(backbone, TextTrunk):
        return ways
    told = backbone.contract.preprocess
    spec = TextSpec(**{f.name: told[f.name] for f in fields(TextSpec) if f.name in told})

    def encoded(how: TextSpec, **settings: Any) -> np.ndarray:
        settings = {"truncation": True, "max_length": how.max_length, **settings}
        return rows_of(
            backbone, [dict(backbone.tokenizer(how.apply(text), **settings)) for text in texts]
        )

    ways["no special tokens"] = lambda: encoded(spec, add_special_tokens=False)
    double = replace(spec, max_length=2 * spec.max_length)
    ways[f"cut at {double.max_length} tokens"] = lambda: encoded(double)
    half = replace(spec, max_length=max(4, spec.max_length // 2))
    ways[f"cut at {half.max_length} tokens"] = lambda: encoded(half)
    if spec.prefix:
        ways["without the prefix"] = lambda: encoded(replace(spec, prefix=""))
    return ways


def _unmasked(batch: Any) -> dict[str, Any]:
    import torch

    return {**batch, "attention_mask": torch.ones_like(batch["attention_mask"])}


def _recordings(backbone: Backbone, sounds: Sequence[Any]) -> dict[str, Way]:
    told = backbone.contract.preprocess
    spec = AudioSpec(**{f.name: told[f.name] for f in fields(AudioSpec) if f.name in told})

    def heard(change: Callable[[Waveform], Waveform]) -> Way:
        # One at a time: the longest of them would make a batch too large for some machines.
        return lambda: np.concatenate(
            [rows_of(backbone, [backbone.prepare(change(sound))]) for sound in sounds]
        )

    ways = {
        "rate not changed": heard(lambda sound: replace(sound, rate=OWN_RATE)),
        "resampled pointwise": heard(lambda sound: _interpolated(sound, spec.rate)),
        "16-bit range": heard(lambda sound: replace(sound, samples=sound.samples * 32768)),
    }
    if spec.scale != 1.0:
        ways["-1..1 range"] = heard(
            lambda sound: replace(sound, samples=sound.samples / np.float32(spec.scale))
        )
    if told.get("settings", {}).get("do_normalize") and told.get("settings", {}).get(
        "feature_size"
    ):
        ways["not normalised"] = lambda: rows_of(backbone, [spec.apply(sound) for sound in sounds])
    prepared = [backbone.prepare(sound) for sound in sounds]
    if isinstance(backbone.collate(list(prepared[:1])), list) and not backbone.max_batch:
        ways["padding not masked"] = lambda: rows_of(backbone, prepared, _padded)
    return ways


def _interpolated(sound: Waveform, rate: int) -> Waveform:
    """A recording at another rate by straight lines between samples, as a quick script does."""
    own = sound.rate or rate
    count = round(len(sound.samples) * rate / own)
    places = np.arange(count) * (own / rate)
    values = np.interp(places, np.arange(len(sound.samples)), sound.samples)
    return Waveform(values.astype(np.float32), rate)


def _padded(batch: list[np.ndarray]) -> np.ndarray:
    """(b, n) of recordings, zeros behind the shorter ones."""
    out = np.zeros((len(batch), max(map(len, batch))), batch[0].dtype)
    for row, one in zip(out, batch, strict=True):
        row[: len(one)] = one
    return out
