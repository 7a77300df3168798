"""Reads a source's tap, ``layer`` or ``layer/pooling``, beside what a model states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.backbones.pooling import POOLINGS
from zoo.errors import SourceError


def choose(
    wanted: str, stated: Mapping[str, Any], default: tuple[str, str] | None = None
) -> tuple[str, str]:
    """Tap and pooling: from the source's ``#``, else as stated, else the default.

    A tap may hold slashes (ONNX tensors do): only a known pooling after the last one counts.
    Naming a tap drops the default's pooling unless the tap is the default's own.

    Raises:
        SourceError: nothing says which layer to take, or several are named.
    """
    if "," in wanted:
        raise SourceError(
            f"'{wanted}' names several taps, where one is to be taken", hint="name one"
        )
    layer, _, pooling = wanted.rpartition("/")
    if pooling not in POOLINGS:
        layer, pooling = wanted, ""
    tap = layer or str(stated.get("tap", ""))
    base = default or ("", "none")
    if not tap:
        if not base[0]:
            raise SourceError("nothing says which layer to take", hint="name it: SOURCE#layer/mean")
        tap = base[0]
    if not pooling:
        own = tap == str(stated.get("tap", "")) or "tap" not in stated
        pooling = str(stated["pool"]) if "pool" in stated and own else ""
    return tap, pooling or (base[1] if tap == base[0] else "none")
