"""What of preparation is the same for every model: said for people, and counted by NUMERICS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def house_rules(modality: str, preprocess: Mapping[str, Any]) -> dict[str, Any]:
    """What is done to every sample of a modality, beside what a contract's `preprocess` states.

    A change of any of them raises the number beside its code, which is in every feature key.
    """
    if modality == "image":
        return {
            "decoder": "Pillow: 8-bit RGB, upright by EXIF, of 16 bits the upper 8, no profiles",
            "antialias": preprocess.get("filter") != "nearest",
            "resize_on": "8-bit channels, rounded once an axis",
        }
    if modality == "audio":
        return {
            "decoder": "libsndfile: float32 of -1..1",
            "channels": "mean",
            "resampler": "soxr HQ",
        }
    return {"decoder": "Unicode as it is"} if modality == "text" else {}
