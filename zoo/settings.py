"""Where zoo keeps things and how many threads it takes: the environment, read when asked."""

from __future__ import annotations

import os
from pathlib import Path

from zoo.errors import UsageError


def home() -> Path:
    """The folder of the feature store: ``ZOO_HOME``, else the platform's cache folder."""
    given = os.environ.get("ZOO_HOME")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("zoo", appauthor=False))


def store_root() -> Path:
    """The folder that holds one folder per feature key."""
    return home() / "store"


def offline(*, flag: bool = False) -> bool:
    """Whether sockets are forbidden: by flag or by Hugging Face's own variable."""
    return flag or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def no_verdict(*, flag: bool = False) -> bool:
    """Whether transfers go without a verdict: by flag or by ``ZOO_NO_VERDICT``."""
    return flag or os.environ.get("ZOO_NO_VERDICT", "").upper() in {"1", "ON", "YES", "TRUE"}


def threads(requested: int | None = None) -> int:
    """Threads to use: the request, else the affinity mask's count capped by OMP_NUM_THREADS."""
    if requested is not None:
        if requested < 1:
            raise UsageError(f"threads must be at least 1, not {requested}")
        return requested
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    cap = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return max(1, min(available, int(cap))) if cap.isdigit() and int(cap) else available


def co2_g_per_kwh(stated: float | None = None) -> tuple[float, str]:
    """Grams of CO2 equivalents a kilowatt-hour, and who says so.

    What is stated, else ``ZOO_CO2_G_PER_KWH``, else the world's average of 2023: 480 g (Ember,
    Global Electricity Review 2024).

    Raises:
        UsageError: the value is no number of at least 0.
    """
    text = os.environ.get("ZOO_CO2_G_PER_KWH", "") if stated is None else str(stated)
    if not text:
        return 480.0, "world average of 2023 (Ember, Global Electricity Review 2024)"
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise UsageError(f"{text!r} is no number of grams of CO2 a kilowatt-hour")
    return value, "stated"


def disabled_plugins() -> frozenset[str]:
    """Names in ``ZOO_DISABLE_PLUGINS``; ``all`` disables every one."""
    text = os.environ.get("ZOO_DISABLE_PLUGINS", "")
    return frozenset(name.strip() for name in text.split(",") if name.strip())
