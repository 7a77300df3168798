"""Reads what processors and GPUs say of the energy they took; what says nothing is estimated.

Counters of processors (RAPL, Linux) and GPUs (NVML) are of the whole chip: idle power and other
programs are in them. Since 2020 only root may read RAPL's (CVE-2020-8694), unless who runs the
machine allows it: then, as on other systems, joules are estimated from the processor's time.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

_log = logging.getLogger(__name__)

POWERCAP = Path("/sys/class/powercap")
# Watts of a busy core of a processor nobody knows: Green Algorithms (Lannelongue, Grealey, Inouye
# 2021, doi:10.1002/advs.202100707), data/latest/TDP_cpu.csv, "Any". A hyperthread's second counts
# as a core's here, so that the estimate is rather above than below.
WATTS_PER_CORE = 12.0
_POLL_SECONDS = 60.0  # a counter of 65 kJ is full after 5 minutes at 200 W: it is read more often
# Top zones and those in them; intel-rapl-mmio counts the same packages again, psys the machine.
_ZONE = re.compile(r"intel-rapl:\d+(:\d+)?")


@dataclass(frozen=True)
class Source:
    """Joules of one part of the machine.

    Attributes:
        name: of the counter, or what was estimated.
        joules: taken.
        measured: false for an estimate.
    """

    name: str
    joules: float
    measured: bool


class Rapl:
    """Counters of Linux's powercap tree: each package, and its memory where that is counted apart.

    Attributes:
        note: why there is nothing to read; empty where there is.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self.note = "this machine tells no energy of its processor"
        self._zones: list[_Zone] = []
        for folder in sorted(root.glob("intel-rapl:*")):
            if not _ZONE.fullmatch(folder.name):
                continue
            try:
                name = (folder / "name").read_text(encoding="ascii").strip()
                if name.startswith("package"):
                    self._zones.append(_Zone(name, folder))
                elif name == "dram":
                    socket = folder.name.split(":")[1]
                    self._zones.append(_Zone(f"dram-{socket}", folder))
            except PermissionError:
                self.note = "the processor's counters are there, but only root may read them"
            except (OSError, ValueError) as error:
                _log.debug("%s is not read: %s", folder, error)
        if any(zone.name.startswith("package") for zone in self._zones):
            self.note = ""
        else:
            self._zones = []  # memory alone is not what people take it for

    def poll(self) -> None:
        """Read the counters, so that none is full twice between two readings."""
        for zone in self._zones:
            zone.poll()

    def sources(self) -> list[Source]:
        """Joules since this was made, a counter each."""
        self.poll()
        return [
            Source(f"RAPL {zone.name}", zone.microjoules / 1e6, measured=True)
            for zone in self._zones
        ]


class _Zone:
    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.microjoules = name, 0
        self._file = folder / "energy_uj"
        self._lock = threading.Lock()  # a reading between another's two would pass for a full turn
        self._range = int((folder / "max_energy_range_uj").read_text(encoding="ascii"))
        self._last = self._read()

    def _read(self) -> int:
        return int(self._file.read_text(encoding="ascii"))

    def poll(self) -> None:
        with self._lock:
            try:
                now = self._read()
            except (OSError, ValueError) as error:
                _log.debug("%s is not read: %s", self._file, error)
                return
            gone = now - self._last
            self.microjoules += gone if gone >= 0 else gone + self._range
            self._last = now


class Gpus:
    """NVIDIA's counters, by nvidia-ml-py (module pynvml) where that is installed.

    Args:
        nvml: the module; None looks for it.
    """

    def __init__(self, nvml: Any = None) -> None:
        self._nvml = nvml
        self._start: dict[str, tuple[Any, int]] = {}
        if nvml is None:
            try:
                self._nvml = importlib.import_module("pynvml")
            except ImportError:
                return
        try:
            self._nvml.nvmlInit()
            for number in range(self._nvml.nvmlDeviceGetCount()):
                handle = self._nvml.nvmlDeviceGetHandleByIndex(number)
                uuid = self._nvml.nvmlDeviceGetUUID(handle)
                uuid = uuid.decode() if isinstance(uuid, bytes) else uuid
                with suppress(self._nvml.NVMLError):  # older than Volta: no counter
                    counted = int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
                    self._start[uuid] = handle, counted
        except self._nvml.NVMLError as error:
            _log.debug("NVML tells nothing: %s", error)

    def sources(self, used: set[str]) -> list[Source]:
        """Joules since this was made of the GPUs of these UUIDs that tell them."""
        out = []
        for uuid, (handle, before) in self._start.items():
            if uuid in used:
                with suppress(self._nvml.NVMLError):
                    now = int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
                    out.append(Source(f"NVML {uuid}", (now - before) / 1e3, measured=True))
        return out


def gpus_in_use() -> set[str]:
    """UUIDs of the GPUs on which this process's torch has memory; loads nothing."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return set()
    return {
        f"GPU-{str(torch.cuda.get_device_properties(number).uuid).removeprefix('GPU-')}"
        for number in range(torch.cuda.device_count())
        if torch.cuda.memory_reserved(number) or torch.cuda.max_memory_reserved(number)
    }


class Meter:
    """Counts a run's seconds, processor time and joules from when it is entered.

    Args:
        powercap: where Linux shows its counters.
        nvml: the module pynvml, or one like it; None looks for it.
        gpu: whether a GPU may be used at all.
    """

    def __init__(self, *, powercap: Path = POWERCAP, nvml: Any = None, gpu: bool = True) -> None:
        self.laps: dict[str, float] = {}
        self._powercap, self._nvml, self._gpu = powercap, nvml, gpu
        self._done = threading.Event()

    def __enter__(self) -> Self:
        self._rapl = Rapl(self._powercap)
        self._gpus = Gpus(self._nvml) if self._gpu else None
        self._start = self._last = time.perf_counter()
        self._cpu = cpu_seconds()
        if not self._rapl.note:
            threading.Thread(target=self._watch, name="zoo-energy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def lap(self, name: str) -> None:
        """What was done since the last lap was `name`."""
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now

    @property
    def seconds(self) -> float:
        """Since it was entered."""
        return time.perf_counter() - self._start

    @property
    def cpu_seconds(self) -> float:
        """Time of this process and of finished child processes on all cores."""
        return cpu_seconds() - self._cpu

    def sources(self, used: set[str]) -> tuple[list[Source], list[str]]:
        """Joules by part of the machine, and what is to be known of them.

        Args:
            used: UUIDs of the GPUs in use, whose joules count.
        """
        notes = [self._rapl.note] if self._rapl.note else []
        sources = self._rapl.sources()
        if not sources:
            name = f"processor at {WATTS_PER_CORE:g} W a busy core"
            sources = [Source(name, WATTS_PER_CORE * self.cpu_seconds, measured=False)]
        told = [] if self._gpus is None else self._gpus.sources(used)
        if len(told) < len(used):
            lacks = len(used) - len(told)
            notes.append(f"the energy of {lacks} GPU is not counted: nvidia-ml-py does not tell it")
            sources = [replace(source, measured=False) for source in sources]  # not of all
        return [*sources, *told], notes

    def _watch(self) -> None:
        while not self._done.wait(_POLL_SECONDS):
            self._rapl.poll()


def cpu_seconds() -> float:
    """User and system time of this process and of its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
