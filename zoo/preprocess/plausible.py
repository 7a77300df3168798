"""Whether stated preprocessing can be right, told from its numbers alone.

A mean in units of 0..255 beside a scale of 1/255, or the reverse, gives inputs that no backbone was
trained on; so does a ``--preprocess`` that undoes what the model's own configuration states.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.errors import SourceError

NUMBERS = frozenset({"scale", "mean", "std"})  # keys of an image that make its range
UNITS = "mean and std are in units of scale times 0..255; scale is 1/255 unless stated"
LEVELS = 255  # of a decoded image
# Width of a backbone's input range: 1 of [0, 1], 2 of [-1, 1], 4.5 of ImageNet's statistics, 255 of
# raw pixels. The bounds leave a factor of 4 beyond the widest and of 5 below the narrowest known.
_WIDTHS = (0.2, 1024.0)
_TIMES = 3.0  # ImageNet's statistics make a range 2.2 times as wide as mean and std of 0.5 do


def implied_range(preprocess: Mapping[str, Any]) -> tuple[float, float] | None:
    """Least and greatest value that 0..255 can come to; None where that isn't stated."""
    stated = [preprocess.get(key) for key in ("scale", "mean", "std")]
    if preprocess.get("input") != "image" or None in stated or preprocess.get("dtype") == "uint8":
        return None
    scale, mean, std = float(stated[0] or 0), stated[1] or [], stated[2] or []
    ends = [(x - m) / s for x in (0.0, LEVELS * scale) for m, s in zip(mean, std, strict=True)]
    return min(ends), max(ends)


def contradiction(preprocess: Mapping[str, Any]) -> str:
    """What in an image's scale, mean and std can't be together; empty where nothing is wrong."""
    found = implied_range(preprocess)
    if found is None:
        return ""
    low, high = found
    scale, mean, std = preprocess["scale"], preprocess["mean"], preprocess["std"]
    top = LEVELS * abs(scale)
    width = max(top / abs(s) for s in std)
    stated = f"scale {scale:.6g}, mean {_list(mean)} and std {_list(std)}"
    if not _WIDTHS[0] <= width <= _WIDTHS[1]:
        other = "0..255" if width < 1 else "0..1"
        return f"{stated} make 0..255 into {low:.4g}..{high:.4g}: std is in units of {other}"
    if max(abs(m) for m in mean) > 2 * top:
        return f"{stated} make 0..255 into {low:.4g}..{high:.4g}: mean is in units of 0..255"
    if top > 100 and 0 < max(abs(m) for m in mean) <= 1:
        return f"{stated} make 0..255 into {low:.4g}..{high:.4g}: mean is in units of 0..1"
    return ""


def check_beside(preprocess: Mapping[str, Any], given: Mapping[str, Any], source: object) -> None:
    """Raise SourceError where a preprocess.toml beside a model contradicts itself.

    Args:
        preprocess: as the contract states it.
        given: what the user overrides; numbers of his are judged by who knows that they are his.
        source: of the model, for the message.
    """
    problem = contradiction(preprocess)
    if problem and not NUMBERS & given.keys():
        raise SourceError(f"the preprocess.toml of '{source}': {problem}", hint=UNITS)


def quarrel(own: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """How overridden preprocessing undoes what the model states; empty where it does not."""
    ours, theirs = implied_range(given), implied_range(own)
    if ours is None or theirs is None:
        return ""
    if own.get("color") != given.get("color"):
        return f"color {given.get('color')} where the model's own is {own.get('color')}"
    times = (ours[1] - ours[0]) / (theirs[1] - theirs[0])
    if 1 / _TIMES <= times <= _TIMES:
        return ""
    return (
        f"inputs of {ours[0]:.4g}..{ours[1]:.4g} where the model's own configuration makes "
        f"{theirs[0]:.4g}..{theirs[1]:.4g}"
    )


def _list(values: list[float]) -> str:
    return ";".join(f"{value:.6g}" for value in values)
