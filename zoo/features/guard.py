"""Refuses inputs that can't be what a backbone was trained on, and warns of those that look it.

An error is what no real data shows: it names the mistake. What real data of another kind may show
as well, such as a sky that makes pictures bluer than the training's, is a warning. The bounds were
measured on real pictures and recordings; tests/real/test_guard.py holds them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import DataError, SourceError, UsageError, ZooError
from zoo.features.inputs import BANDS_PER_OCTAVE, Seen, see, spec_of
from zoo.preprocess import ImageSpec
from zoo.preprocess.decode import decode
from zoo.preprocess.plausible import NUMBERS, UNITS, contradiction, quarrel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.features.model import Model
    from zoo.plugin import Item

Say = Callable[[str], None]

_FEW = 5  # samples: fewer may look like anything
_MANY = 16  # files that hold nothing but 0 and 1: fewer may be the black frames of a film
_LOUD, _INT16 = 1.5, 16.0  # peaks where -1..1 is expected: float files overshoot by a little
_QUIET = 2.0**-15  # the least peak of a 16-bit recording that isn't silent
_SILENT_LEVELS = 64  # different values: a silent recording has a few steps of its converter
# Of the swapped colours: a clipped log likelihood ratio over the root of the count. The lowest of
# real pictures: -2.4 of a class among its own data set's, -6.9 of another set's (all sky).
_SWAPPED_MAYBE, _SWAPPED = -2.5, -8.0
# Of the rate: distance of mean log10 spectra, and how much nearer they are at another rate. Of
# 2,560 draws of spoken digits none reached the second pair, and one the first.
_RATE_MAYBE, _RATE = (0.9, 1.5), (1.2, 2.0)
_RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_FLOOR = 5.0  # decades below a spectrum's peak
_SHIFT = 3.0  # standard deviations between the training's samples
_CONTRAST = 4.0
_DECIBELS = 20.0


def guard(
    model: Model, items: Sequence[Item], trained: Mapping[str, Any], say: Say | None
) -> dict[str, Any]:
    """Check what is about to reach a model's backbone, and describe it.

    Args:
        model: not loaded for it.
        items: the samples that could be read.
        trained: `Seen.summary` of the data that a head was trained on; empty where there is none.
        say: hears of what is odd and not impossible.

    Returns:
        `Seen.summary` of these samples.

    Raises:
        UsageError: ``--preprocess`` contradicts itself or the model.
        DataError: the samples are of another scale, colour order or rate than the model takes.
    """
    tell = say or (lambda _: None)
    _check_stated(model, tell)
    seen = see(items, model.contract.modality, model.contract.preprocess)
    if seen.modality == "image" and seen.items:
        _check_levels(seen)
    elif seen.items:
        _check_scale(seen, tell)
    found = seen.summary()
    if found and _comparable(trained, found):
        (_compare_images if seen.modality == "image" else _compare_sounds)(
            seen, found, trained, model, tell
        )
    return found


def check_prepared(model: Model, item: Item) -> None:
    """Raise SourceError where the loaded backbone prepares an image otherwise than it promises."""
    spec = spec_of(model.contract.preprocess)
    if not isinstance(spec, ImageSpec) or spec.dtype == "uint8":
        return
    image = decode(item, "image")
    try:
        got, want = model.backbone.prepare(image), spec.apply(image)  # type: ignore[arg-type]
    except DataError:  # a bad sample, which is told of by name where features are made
        return
    if not isinstance(got, np.ndarray) or got.shape != want.shape or got.dtype.kind != "f":
        return
    swapped = {"rgb": "bgr", "bgr": "rgb"}[spec.color]
    plain: dict[str, Any] = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    ways = {
        "without mean and std, as 0..1": replace(spec, scale=1 / 255, **plain),
        "raw, as 0..255": replace(spec, scale=1.0, **plain),
        f"as {swapped}": replace(spec, color=swapped),
    }
    own = _apart(got, want)
    for name, way in ways.items():
        if own > 10 * _apart(got, way.apply(image)) + 0.05:  # type: ignore[arg-type]
            raise SourceError(
                f"'{model.source}' prepares images {name}, which is not what its contract states",
                hint="its provider is at fault: features would be those of other inputs",
            )


def _comparable(trained: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether statistics that a file held are of the same kind, shape and finite."""
    if not isinstance(trained, Mapping) or trained.get("modality") != found["modality"]:
        return False
    try:
        return all(
            np.shape(trained[name]) == np.shape(value) and np.isfinite(trained[name]).all()
            for name, value in found.items()
            if name not in {"modality", "quantiles"}
        )
    except (KeyError, TypeError, ValueError):
        return False


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean distance of two inputs over the spread of the second."""
    difference = np.abs(one.astype(np.float64) - other.astype(np.float64)).mean()
    return float(difference / max(float(other.std()), 1e-6))


def _check_stated(model: Model, tell: Say) -> None:
    given = model.options.preprocess.keys()
    problem = contradiction(model.contract.preprocess)
    if problem and given & NUMBERS:
        raise UsageError(f"--preprocess: {problem}", hint=UNITS)
    if problem:
        tell(f"warning: the configuration of '{model.source}' is odd: {problem}")
    if not given & {*NUMBERS, "color"}:
        return
    try:
        own = model.provider.describe(model.source, replace(model.options, preprocess={}))
    except ZooError:  # it states nothing by itself
        return
    problem = quarrel(own.preprocess, model.contract.preprocess)
    if problem:
        raise UsageError(
            f"--preprocess makes {problem}",
            hint="leave it out; where the model's configuration is wrong, mend that",
        )


def _check_levels(seen: Seen) -> None:
    """Grey levels that only numbers of another scale have, once they are cut to whole ones."""
    varied = [i for i, share in enumerate(seen.shares) if share.max() < 1]
    if not varied:
        return
    shares = np.stack([seen.shares[i] for i in varied])
    arrays = all(seen.arrays[i] for i in varied)
    shown = f"'{seen.items[varied[0]]}'"
    if not shares[:, 2:].any() and (
        len(varied) >= (_FEW if arrays else _MANY) or (arrays and shares[:, 1].mean() >= 0.01)
    ):
        raise DataError(
            f"images hold 0 and 1 alone where 0..255 is expected, from {shown} on: they look "
            "scaled to 0..1",
            hint="multiply them by 255 before they are cut to whole numbers",
        )
    wrapped = shares[:, [1, 2, 3]].sum(axis=1).mean() > 0.02, shares[:, 253:].sum() > 0
    if arrays and all(wrapped) and not shares[:, 4:253].any() and shares[:, 0].mean() > 0.02:
        raise DataError(
            f"images hold no level between 3 and 253, from {shown} on: they look normalised and "
            "then cut to whole numbers",
            hint="give the pixels themselves, 0..255: zoo normalises them as the model states",
        )


def _check_scale(seen: Seen, tell: Say) -> None:
    peak = float(np.median(seen.peaks))
    if peak >= _INT16:
        raise DataError(
            f"recordings reach {peak:.6g} where -1..1 is expected, as '{seen.items[0]}': they look "
            "like 16-bit integers",
            hint="divide them by 32768",
        )
    if peak > _LOUD:
        tell(f"warning: recordings reach {peak:.3g} where -1..1 is expected")
    if 0 < peak < _QUIET and float(np.median(seen.levels)) > _SILENT_LEVELS:
        raise DataError(
            f"recordings reach {peak:.1e} where -1..1 is expected, as '{seen.items[0]}': they look "
            "scaled down twice",
            hint="give them as they are read, -1..1",
        )


def _compare_images(
    seen: Seen, found: dict[str, Any], trained: Mapping[str, Any], model: Model, tell: Say
) -> None:
    del model
    if len(seen.items) < _FEW:
        return
    swapped = _swapped(seen, trained)
    if swapped <= _SWAPPED and all(seen.arrays):
        raise DataError(
            "red and blue of these images look swapped (BGR) beside those the head was trained on",
            hint="give RGB, as images[..., ::-1]; files always come as RGB",
        )
    if swapped <= _SWAPPED_MAYBE:
        tell(
            "warning: red and blue look swapped (BGR?) beside the images the head was trained on"
            + (": give RGB" if all(seen.arrays) else ", or these show other things")
        )
    mean, old, between, spread = (
        np.array(values, np.float64)
        for values in (found["mean"], trained["mean"], trained["between"], trained["std"])
    )
    far = np.abs(mean - old) / np.maximum(between, 0.05 * spread + 1e-9)
    ratio = np.array(found["std"], np.float64) / np.maximum(spread, 1e-9)
    if far.max() > _SHIFT or not 1 / _CONTRAST < float(np.median(ratio)) < _CONTRAST:
        tell(
            "warning: these images differ from those the head was trained on: mean "
            f"{_list(mean)} against {_list(old)}, standard deviation {_list(found['std'])} against "
            f"{_list(spread)} as they reach the backbone"
        )


def _swapped(seen: Seen, trained: Mapping[str, Any]) -> float:
    """How much likelier these warmths are as they are than swapped, under a normal distribution."""
    mean = np.array(trained["warmth"], np.float64)
    covariance = np.array(trained["warmth_covariance"], np.float64) + 4 * np.eye(3)
    weights = 2 * np.linalg.solve(covariance, mean)
    each = np.clip(np.stack(seen.warmth) @ weights, -2, 2)  # no sample alone decides
    return float(each.mean() * math.sqrt(len(each)))


def _compare_sounds(
    seen: Seen, found: dict[str, Any], trained: Mapping[str, Any], model: Model, tell: Say
) -> None:
    if len(seen.items) < _FEW:
        return
    rate = model.contract.preprocess.get("rate")
    if rate and all(seen.arrays):  # a file states its own
        base, times, other = _at_another_rate(found["spectrum"], trained["spectrum"], rate)
        text = (
            f"recordings sound as if they were made at about {other} Hz, "
            f"and the model takes {rate} Hz"
        )
        if base >= _RATE[0] and times >= _RATE[1]:
            raise DataError(
                text, hint=f"resample the arrays to {rate} Hz, or give files, which state a rate"
            )
        if base >= _RATE_MAYBE[0] and times >= _RATE_MAYBE[1]:
            tell(f"warning: {text}; arrays are taken to be at the model's rate")
    apart = found["decibels"] - trained["decibels"]
    if abs(apart) > max(_DECIBELS, _SHIFT * trained["between"]):
        tell(
            f"warning: these recordings are {abs(apart):.0f} dB "
            f"{'louder' if apart > 0 else 'quieter'} than those the head was trained on"
        )


def _at_another_rate(
    found: list[float], trained: list[float], rate: int
) -> tuple[float, float, int]:
    """Distance of two spectra, how much less it is at the best of other rates, and that rate."""
    base = _fit(found, trained, 0)
    others = [
        (_fit(found, trained, round(BANDS_PER_OCTAVE * math.log2(rate / other))), other)
        for other in _RATES
        if other != rate
    ]
    best, other = min(others)
    return base, base / max(best, 1e-6), other


def _fit(found: list[float], trained: list[float], bands: int) -> float:
    """Distance of the spectra where `found` lies so many bands too high; infinite for too few."""
    new, old = np.array(found, np.float64), np.array(trained, np.float64)
    count = len(old)
    if count - abs(bands) < count // 2:
        return math.inf
    new, old = (new[bands:], old[: count - bands]) if bands >= 0 else (new[:bands], old[-bands:])
    new, old = np.maximum(new - new.max(), -_FLOOR), np.maximum(old - old.max(), -_FLOOR)
    return float(np.sqrt(np.mean((new - new.mean() - old + old.mean()) ** 2)))


def _list(values: Any) -> str:
    return ", ".join(f"{value:.3g}" for value in values)
