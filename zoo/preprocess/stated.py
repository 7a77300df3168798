"""Reads preprocessing that a user states: preprocess.toml, or ``key=value,...`` on a command line.

The keys are one flat set: image keys (size, resize, crop, filter, color, layout, scale, mean, std,
dtype, batch), audio keys (rate, scale, min_samples, pad, dtype, batch) and keys of every modality
(input, input_name, tap, pool). A key that is not known is an error, never ignored.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import UsageError

BESIDE = "preprocess.toml"
_COMMON = frozenset({"input", "input_name", "tap", "pool"})
_KEYS: dict[str, frozenset[str]] = {
    "image": _COMMON
    | {"size", "resize", "crop", "filter", "color", "layout", "scale", "mean", "std"}
    | {"dtype", "batch"},
    "audio": _COMMON | {"rate", "scale", "min_samples", "pad", "dtype", "batch"},
    "text": _COMMON | {"max_length", "prefix"},
}
_LISTS = frozenset({"mean", "std"})
_CHOICES = {
    "input": ("image", "audio", "text"),
    "pool": ("none", "mean", "cls", "last"),
    "crop": ("center", "none"),
    "filter": ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"),
    "color": ("rgb", "bgr"),
    "layout": ("nchw", "nhwc"),
    "dtype": ("float32", "float16", "uint8"),
    "pad": ("center", "end"),
}


def read_beside(folder: Path) -> dict[str, Any]:
    """The keys of a folder's preprocess.toml, none where there is none; raises as `read_toml`."""
    path = folder / BESIDE
    return read_toml(path) if path.is_file() else {}


def read_toml(path: Path) -> dict[str, Any]:
    """The keys of a preprocess.toml; raises UsageError naming the file and the key."""
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"cannot read '{path}': {error.strerror}", hint="--preprocess takes a file or key=value"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"'{path}' is not valid TOML: {error}") from error
    return check_keys(stated, str(path))


def parse_overrides(text: str) -> dict[str, Any]:
    """``--preprocess``: a TOML file, or ``key=value,...`` with lists separated by ``;``.

    Raises:
        UsageError: an unknown key, a value of the wrong type, or a file that cannot be read.
    """
    if not text:
        return {}
    if "=" not in text:
        return read_toml(Path(text).expanduser())
    stated: dict[str, Any] = {}
    for part in text.split(","):
        key, mark, value = part.partition("=")
        if not mark:
            raise UsageError(
                f"--preprocess: '{part}' is not key=value", hint="lists are separated by ';'"
            )
        stated[key.strip()] = _value(value.strip())
    return check_keys(stated, "--preprocess")


def check_keys(stated: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The same keys, checked by name, type and choice; raises UsageError where one fails."""
    modality = stated.get("input", "")
    if modality and modality not in _KEYS:
        raise UsageError(f"{where}: input = '{modality}' is not image, audio or text")
    known = _KEYS[modality] if modality else frozenset().union(*_KEYS.values())
    out: dict[str, Any] = {}
    for key, value in stated.items():
        if key not in known:
            kind = f" for {modality} input" if modality else ""
            raise UsageError(
                f"{where}: unknown key '{key}'{kind}", hint="known: " + ", ".join(sorted(known))
            )
        if key in _CHOICES and value not in _CHOICES[key]:
            raise UsageError(
                f"{where}: {key} = '{value}'", hint=f"one of {', '.join(_CHOICES[key])}"
            )
        if key in _LISTS:
            out[key] = _floats(key, value, where)
            continue
        _check_type(key, value, where)
        out[key] = value
    return out


def _check_type(key: str, value: Any, where: str) -> None:
    positive = {"batch", "rate", "max_length"}
    if key in positive and not (_is_int(value) and value > 0):
        raise UsageError(f"{where}: {key} = {value!r} is not a positive whole number")
    if key == "min_samples" and not (_is_int(value) and value >= 0):
        raise UsageError(f"{where}: {key} = {value!r} is not a whole number")
    if key == "size" and not _is_size(value):
        raise UsageError(
            f"{where}: size = {value!r}", hint="pixels, or height and width as a list of two"
        )
    if key == "resize" and value not in ("exact", "none") and not _is_size(value):
        raise UsageError(
            f"{where}: resize = {value!r}", hint="pixels of the shortest edge, 'exact' or 'none'"
        )
    if key == "scale" and not _is_number(value):
        raise UsageError(f"{where}: scale = {value!r} is not a finite number")
    if key in {"tap", "input_name", "prefix"} and not isinstance(value, str | int):
        raise UsageError(f"{where}: {key} = {value!r} is not a name")


def _floats(key: str, value: Any, where: str) -> list[float]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(_is_number(x) for x in values):
        raise UsageError(f"{where}: {key} = {value!r} is not a list of numbers")
    return [float(x) for x in values]


def _value(text: str) -> Any:
    if ";" in text:
        return [_value(part.strip()) for part in text.split(";") if part.strip()]
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text.strip("\"'")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_size(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return len(values) in (1, 2) and all(_is_int(x) and 0 < x <= 16384 for x in values)
