"""What a run cost, and what the stored features saved: measured where it can be, else so marked.

``saved`` is always against an alternative that is named, with the assumptions it is reckoned by.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import settings
from zoo.engine import FeatureStore
from zoo.features.speed import recorded
from zoo.runs.energy import gpus_in_use

if TYPE_CHECKING:
    from zoo.data.splits import SplitPlan
    from zoo.features import Extracted, Model
    from zoo.runs.assess import Assessment
    from zoo.runs.energy import Meter
    from zoo.runs.plan import RunOptions

EPOCHS = 10  # assumed of who would train a head by running the backbone in each of them
_KWH = 3.6e6  # joules


def make_ledger(
    meter: Meter,
    extracted: Extracted,
    *,
    model: Model,
    assessment: Assessment,
    plan: SplitPlan,
    options: RunOptions,
    verdict: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The object of ledger.json and of ``ledger`` in the result.

    Returns:
        ``seconds`` by phase, wall time; ``cpu_seconds`` of all cores; ``peak_memory_bytes``, the
        process's since it began, and ``peak_memory_children_bytes``, that of its largest finished
        child, null where the system does not tell; ``energy_joules`` and ``energy`` with its
        sources, ``measured`` if none is an estimate; ``co2`` in grams at the stated intensity;
        ``saved``, what the run did not take against each named alternative.
    """
    seconds = {
        "data": meter.laps.get("data", 0.0),
        "features": extracted.seconds,
        "health": meter.laps.get("health", 0.0),
        "head": assessment.seconds,
        "evaluation": assessment.evaluation_seconds,
    }
    if verdict is not None:
        seconds["verdict"] = meter.laps.get("verdict", 0.0)
    peak, children = peak_memory()
    return {
        "seconds": {
            name: round(took, 4) for name, took in (*seconds.items(), ("total", meter.seconds))
        },
        "cpu_seconds": round(meter.cpu_seconds, 4),
        "peak_memory_bytes": peak,
        "peak_memory_children_bytes": children,
        **_energy(meter, options),
        "saved": saved(
            samples=extracted.distinct,
            fitted=_distinct(extracted.keys[plan.final]),
            forwards=extracted.forwards,
            features_seconds=extracted.seconds,
            folds=len(plan.folds),
            speed=_speed(model, extracted, options),
            verdict=verdict,
        ),
    }


def saved(
    *,
    samples: int,
    fitted: int,
    forwards: int,
    features_seconds: float,
    folds: int,
    speed: float | None,
    verdict: dict[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Seconds that a run did not take, against each alternative whose cost is known.

    ``store``: an empty feature store, so that every sample goes through the backbone once.
    ``rerun``: no feature store, as tools work that train a head behind a frozen backbone: all
    samples to fit on go through it in each epoch of each fold and of the last fit, at one strength,
    the others once; what this run took for its features is taken off. ``scratch``: the verdict's
    learner from scratch, against its head on the same rows and these once through the backbone.
    All are estimates: nobody ran the alternative here.

    Args:
        samples: distinct ones of the run.
        fitted: how many of them the last fit is on.
        forwards: how many of them went through the backbone just now.
        features_seconds: what that took.
        folds: of the choice of strength.
        speed: samples a second through the backbone on this machine, None where nobody measured.
        verdict: that of the run, or None.
    """
    out: dict[str, dict[str, Any]] = {}
    if speed is not None:
        each = 1.0 / speed
        stored = max(0, samples - forwards)
        out["store"] = _reckoned(stored * each, samples=stored, seconds_per_sample=each)
        passes = fitted * (folds + 1) * EPOCHS + samples - fitted
        out["rerun"] = _reckoned(
            passes * each - features_seconds,
            samples=fitted,
            fits=folds + 1,
            epochs=EPOCHS,
            seconds_per_sample=each,
        )
    arms = (verdict or {}).get("arms") or {}
    scratch, head = ((arms.get(name) or {}).get("seconds") for name in ("scratch", "transfer"))
    if verdict and scratch is not None and head is not None and speed is not None:
        rows = verdict["train_rows"] + verdict["rows"]
        own = {"scratch_seconds": scratch, "transfer_seconds": head, "samples": rows}
        out["scratch"] = _reckoned(scratch - head - rows / speed, **own)
    return out


def ledger_line(ledger: dict[str, Any]) -> str:
    """The ledger in one line for people."""
    energy, co2, memory = ledger["energy"], ledger["co2"], ledger["peak_memory_bytes"]
    parts = [f"{ledger['seconds']['total']:.1f} s"]
    parts += [] if memory is None else [f"{memory / 1e9:.2f} GB"]
    mark = "" if energy["measured"] else "~"
    parts += [f"{mark}{energy['joules']:.3g} J", f"~{co2['grams']:.2g} g CO2"]
    line = ", ".join(parts) + ("" if energy["measured"] else " (estimated)")
    rerun = ledger["saved"].get("rerun")
    if rerun is not None and rerun["seconds"] > 0:
        fits, epochs = rerun["assumed"]["fits"], rerun["assumed"]["epochs"]
        line += f"; ~{_duration(rerun['seconds'])} less than the backbone run in {fits:g} fits of"
        line += f" {epochs:g} epochs"
    return line


def peak_memory() -> tuple[int | None, int | None]:
    """Bytes of memory at most: this process's since it began, and its largest finished child's."""
    if sys.platform == "win32":
        return _windows_peak(), None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own, children = (resource.getrusage(kind).ru_maxrss * unit for kind in kinds)
    return own, children


def _windows_peak() -> int | None:
    """The peak working set, by PROCESS_MEMORY_COUNTERS; nobody has run it so far."""
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        sizes = "peak_set set peak_paged paged peak_nonpaged nonpaged page peak_page".split()

        class Counters(ctypes.Structure):
            _fields_ = (
                ("cb", wintypes.DWORD),
                ("faults", wintypes.DWORD),
                *((name, ctypes.c_size_t) for name in sizes),
            )

        kernel = ctypes.WinDLL("kernel32")
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        ask = kernel.K32GetProcessMemoryInfo
        ask.argtypes = wintypes.HANDLE, ctypes.POINTER(Counters), wintypes.DWORD
        counters = Counters(cb=ctypes.sizeof(Counters))
        if ask(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.cb):
            return int(counters.peak_set)
    return None


def _energy(meter: Meter, options: RunOptions) -> dict[str, Any]:
    sources, notes = meter.sources(set() if options.device == "cpu" else gpus_in_use())
    joules = sum(source.joules for source in sources)
    measured = all(source.measured for source in sources)
    if measured:
        notes.append("counted by the chips, idle power and other programs included")
    told = {one.name: {"joules": round(one.joules, 3), "measured": one.measured} for one in sources}
    intensity, stated = settings.co2_g_per_kwh(options.co2_g_per_kwh)
    return {
        "energy_joules": round(joules, 3),
        "energy": {
            "joules": round(joules, 3),
            "measured": measured,
            "sources": told,
            "notes": notes,
        },
        "co2": {
            "grams": round(joules / _KWH * intensity, 6),
            "g_per_kwh": intensity,
            "source": stated,
            "measured": False,  # the intensity is an average, whatever the joules are
        },
    }


def _speed(model: Model, extracted: Extracted, options: RunOptions) -> float | None:
    """Samples a second of this backbone here, by the note that its store keeps."""
    store = FeatureStore.find(settings.store_root(), extracted.key, read_only=True)
    if store is None:
        return None
    with store:
        return recorded(store.folder, model.conditions, options.thread_count)


def _reckoned(seconds: float, **assumed: float) -> dict[str, Any]:
    plain = {name: round(value, 6) for name, value in assumed.items()}
    return {"seconds": round(seconds, 3), "estimate": True, "assumed": plain}


def _distinct(keys: np.ndarray) -> int:
    return len(np.unique(keys, axis=0))


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1.5:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
