"""Whether rows made under these versions may stand beside the rows that a store already has.

Versions of libraries, the device and the machine are not in a feature key: most new ones change
nothing that counts, and a key for each would throw every stored row away. Instead the first
extraction under new conditions computes a few stored rows again. Where they agree, the store's
folder gets a note that vouches for the conditions; where they don't, rows made under them go to a
key of their own, and a note says that, too.

Notes are for a whole key: columns (taps, poolings) of one backbone stand and fall together. What is
compared are stored rows of the samples and the column at hand. Where there are none nothing is
known, whatever other columns hold: rows made now go to the conditions' own key, without a note, and
later data that can be compared decides.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine import build_info
from zoo.engine.files import write_file

if TYPE_CHECKING:
    from zoo.engine import FeatureStore

_log = logging.getLogger(__name__)

CHECKED_ROWS = 8
# Largest distance of a row computed again from the stored one, relative to its norm.
TOLERANCE = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 1e-2}
_LIBRARIES = (
    "numpy",
    "torch",
    "transformers",
    "tokenizers",
    "onnxruntime",
    "onnxruntime-gpu",
    "pillow",
    "simplejpeg",
    "soundfile",
    "soxr",
    "torchaudio",  # AST's filter bank, where it is installed
)
# Of Linux, and of Linux on Windows. No backbone takes Apple's GPU unless it is told to.
_DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/dev/dxg"))
_NOTE_BYTES = 1 << 16

Conditions = dict[str, Any]


def conditions(device: str) -> Conditions:
    """What features are made with here, beside their key; imports nothing heavy.

    Args:
        device: as the user said it; ``auto`` is told from the presence of a driver. A wrong guess
            costs a comparison, and says another device in key.json.
    """
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"device": _device(device), "machine": platform.machine(), "versions": versions}


def processor(device: str) -> str:
    """What does the arithmetic, as the system names it; the last bits of features depend on it."""
    paths = [Path("/proc/cpuinfo")]
    if _device(device) == "cuda":
        paths += sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    named = {"model name", "Model", "CPU part"}
    found = {platform.processor(), str(build_info()["isa"])}
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        found |= {
            value.strip()
            for name, _, value in (x.partition(":") for x in lines)
            if name.strip() in named
        }
    return ", ".join(sorted(found - {""}))


def _device(device: str) -> str:
    if device != "auto":
        return device
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in {"", "-1"}
    return "cuda" if not hidden and any(path.exists() for path in _DRIVERS) else "cpu"


def changed(then: Any, now: Conditions) -> str:
    """What differs, in words; empty where nothing does. `then` was read from a file."""
    old, new = _flat(then), _flat(now)
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return ", ".join(f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}" for name in names)


def _flat(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {}
    versions = given.get("versions")
    flat = {name: given.get(name) for name in ("device", "machine") if name in given}
    return {**(versions if isinstance(versions, dict) else {}), **flat}


def vouched(store: FeatureStore, now: Conditions) -> bool | None:
    """Whether the store takes rows made under `now`: yes, no, or not decided yet."""
    if not changed(store.provenance.get("made_with"), now):
        return True
    path = _note(store.folder, now)
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        with path.open("rb") as file:
            note = json.loads(file.read(_NOTE_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        _log.debug("%s is ignored: %s", path, error)
        return None
    serves = note.get("serves") if isinstance(note, dict) else None
    if isinstance(serves, bool) and not changed(note.get("made_with"), now):
        return serves
    _log.debug("%s is ignored: it is no note about these versions", path)
    return None


def vouch(
    store: FeatureStore, now: Conditions, *, serves: bool, distance: float, rows: int
) -> None:
    """Note the outcome of a check; where that can't be written it is made again next time."""
    apart = distance if math.isfinite(distance) else None
    note = {"serves": serves, "distance": apart, "rows": rows, "made_with": now}
    content = json.dumps(note, indent=2, sort_keys=True).encode() + b"\n"
    try:
        write_file(_note(store.folder, now), content, replace=True)
    except OSError as error:
        _log.debug("the check of %s is not noted: %s", store.folder, error)


def distance(stored: np.ndarray, again: np.ndarray) -> float:
    """Largest distance of a row of `again` from that of `stored`, both (n, d), over its norm.

    Infinite where the rows have not even the same length, or hold what is not finite.
    """
    if stored.shape != again.shape or not np.isfinite(stored).all():
        return math.inf
    norms = np.linalg.norm(stored.astype(np.float64), axis=1)
    apart = np.linalg.norm(again.astype(np.float64) - stored, axis=1)
    return float((apart / np.maximum(norms, np.finfo(np.float32).tiny)).max(initial=0.0))


def spread(candidates: np.ndarray) -> np.ndarray:
    """At most `CHECKED_ROWS` of them, from the first to the last."""
    if len(candidates) <= CHECKED_ROWS:
        return candidates
    picked = np.linspace(0, len(candidates) - 1, CHECKED_ROWS).round().astype(np.int64)
    chosen: np.ndarray = candidates[picked]
    return chosen


def _note(folder: Path, now: Conditions) -> Path:
    text = json.dumps(_flat(now), sort_keys=True)
    return folder / f"vouched-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
