"""A contract as people read it: one fact a line, and nothing of it left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_WIDTH = 16
_NAMES = {  # as people say them; the others are printed by their keys
    "rate": "sample rate",
    "pad": "short ones",
    "min_samples": "least samples",
    "input": "input name",
    "max_length": "most tokens",
    "prefix": "prompt prefix",
    "config": "configuration",
}


def contract_lines(told: Mapping[str, Any]) -> list[str]:
    """The lines of a contract as `zoo.features.Model.stated` gives it."""
    facts = [*_about(told), *_prepared(told), *_model(told)]
    return [f"  {name:<{_WIDTH}}{_text(value)}" for name, value in facts]


def _about(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "modality", told["modality"]
    for key, value in told["info"].items():
        if key not in {"licence", "parameters"}:  # told above, with the model's size
            yield key.replace("_", " "), value


def _prepared(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """From the file to the backbone's input, in the order in which it happens."""
    rules, stated = dict(told["rules"]), dict(told["preprocess"])
    for key in ("input", "numerics"):  # the modality; told with the other numbers
        stated.pop(key, None)
    yield "decoder", rules.pop("decoder", None)
    if told["modality"] == "image" and {"size", "resize", "filter", "mean", "std"} <= set(stated):
        yield from _image(stated, rules)
    if "rate" in stated:
        by = rules.pop("resampler", "")
        yield "channels", rules.pop("channels", None)
        yield "sample rate", f"{stated.pop('rate')} Hz" + (f", by {by}" if by else "")
    settings = stated.pop("settings", {})
    for key, value in {**stated, **settings, **rules}.items():
        yield _NAMES.get(key, key.replace("_", " ")), value


def _image(stated: dict[str, Any], rules: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    size, resize = stated.pop("size"), stated.pop("resize")
    kind, antialias = stated.pop("filter"), rules.pop("antialias", None)
    on = rules.pop("resize_on", "")
    yield "colour order", stated.pop("color", "rgb").upper()
    if resize is None:
        yield "resize", "none"
    else:
        edge = f"to {_by(resize)}" if isinstance(resize, list) else f"shortest edge to {resize}"
        yield "resize", edge
        yield "filter", f"{kind}, on {on}" if on else kind
        yield "antialias", antialias
    cropped = stated.pop("crop", False)
    yield "crop", f"centre, {_by(size)}" if cropped else f"none: {_by(size)}"
    scale, mean, std = stated.pop("scale", 1.0), stated.pop("mean"), stated.pop("std")
    raw = stated.get("dtype") == "uint8"
    yield "scale", "none" if raw else f"times {scale:.6g}"
    yield "mean", None if raw else mean
    yield "std", None if raw else std
    low = 0 if raw else min(-m / s for m, s in zip(mean, std, strict=True))
    high = 255 if raw else max((255 * scale - m) / s for m, s in zip(mean, std, strict=True))
    yield "range", f"{low:.4g}..{high:.4g}"


def _model(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in told["model"].items():
        if not key.endswith("numerics"):
            yield _NAMES.get(key, key.replace("_", " ")), value
    yield "tap", told["tap"]
    yield "pooling", told["pooling"]
    yield "channels at", told["layout"].replace("channels_", "")
    yield "mode", told["mode"]
    yield "revision", told["revision"]
    yield "weights", told["weights"]
    yield "numerics", told["numerics"]
    yield "digest", told["digest"]


def _by(size: list[int]) -> str:
    """Height and width as people write them."""
    return f"{size[0]} x {size[1]} (height x width)"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(one)}" for key, one in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "-"
    if isinstance(value, float):
        return f"{value:.7g}"
    return "-" if value is None or not str(value) else str(value)
