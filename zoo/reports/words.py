"""How the report says things: foreign text made harmless, numbers with their unit, sentences."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

NONE = "\u2013"  # where there is no number
LONGEST_NAME = 80  # characters of a class, file or column
LONGEST_TEXT = 280  # characters of a sample's text
_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and emoji are misspelt without them
_IN_POINTS = frozenset(
    "accuracy balanced_accuracy macro_f1 f1 precision recall auroc macro_auroc".split()
)
_NAMES = {
    "auroc": "AUROC",
    "brier": "Brier score",
    "conformal_coverage": "in conformal set",
    "conformal_set_size": "classes in a set",
    "ece": "calibration error (ECE)",
    "f1": "F1",
    "log_loss": "log loss",
    "log_loss_uncalibrated": "log loss, uncalibrated",
    "macro_f1": "macro F1",
    "mae": "MAE",
    "mean_average_precision": "mean average precision",
    "micro_f1": "micro F1",
    "r2": "R²",
    "rmse": "RMSE",
    "spearman": "Spearman's rho",
}


def shown(text: object, longest: int = LONGEST_NAME) -> str:
    """Foreign text as a page may show it: one line, no control characters, of bearable length.

    What would steer a terminal or turn the direction of the text around it becomes U+FFFD, so that
    one sees that something was there. Markup is the template's to escape.
    """
    out: list[str] = []
    for character in str(text)[: 4 * longest]:
        if character.isspace():
            out.append(" ")
        elif character in _JOINERS or not unicodedata.category(character).startswith("C"):
            out.append(character)
        else:
            out.append("\ufffd")
    line = " ".join("".join(out).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def metric_name(name: str) -> str:
    """A metric as people call it."""
    return _NAMES.get(name, shown(name.replace("_", " ")))


def is_share(name: str) -> bool:
    """Whether differences of a metric are told in points of a hundred."""
    return name in _IN_POINTS


def number(value: Any, digits: int = 3) -> str:
    """A number with so many decimals, fewer of large ones; a dash for none."""
    if not _is_number(value):
        return NONE
    size_of = abs(value)
    if value and not 1e-3 <= size_of < 1e6:
        told = f"{value:.{digits}g}"
    else:
        told = f"{value:,.{digits if size_of < 100 else 1 if size_of < 1000 else 0}f}"
    return told.replace("-", "\u2212", 1) if value < 0 else told


def points(value: Any, *, sign: bool = True) -> str:
    """A difference that is in points already, with one decimal."""
    if not _is_number(value):
        return NONE
    return f"{value:{'+' if sign else ''}.1f}".replace("-", "\u2212")


def percent(value: Any) -> str:
    """A share as per cent."""
    return f"{100 * value:.1f}\u00a0%" if _is_number(value) else NONE


def interval(metric: Mapping[str, Any]) -> str:
    """A value's interval, ``0.912 to 0.947``."""
    return f"{number(metric.get('low'))} to {number(metric.get('high'))}"


def seconds(value: Any) -> str:
    """A time as people say it."""
    if not _is_number(value):
        return NONE
    if value < 90:
        return f"{value:.3g} s"
    return f"{value / 60:.1f} min" if value < 5400 else f"{value / 3600:.1f} h"


def count(value: Any, thing: str = "", things: str = "") -> str:
    """A count with thousands apart, and the word for what is counted."""
    text = f"{int(value):,}" if _is_number(value) else NONE
    if not thing:
        return text
    return f"{text} {thing if value == 1 else things or thing + 's'}"


def size(value: Any) -> str:
    """Bytes as people say them."""
    if not _is_number(value):
        return NONE
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{int(value)} B"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
