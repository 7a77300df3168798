"""Joules are read from counters where there are some, full ones included, else estimated."""

from __future__ import annotations

import sys
import threading
import time
from types import SimpleNamespace

import pytest

from zoo.runs.energy import WATTS_PER_CORE, Gpus, Meter, Rapl, gpus_in_use


@pytest.fixture
def powercap(tmp_path):
    """A tree as Linux shows it; gives a function that sets a zone's counter in microjoules."""
    root = tmp_path / "powercap"

    def zone(folder, name, counted=0, full=1_000_000):
        place = root / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / "name").write_text(f"{name}\n")
        (place / "max_energy_range_uj").write_text(f"{full}\n")
        (place / "energy_uj").write_text(f"{counted}\n")

    root.mkdir()
    zone.root = root
    return zone


class Nvml:
    """A library with the names that are used of pynvml, and counters to be set."""

    class NVMLError(Exception):
        pass

    def __init__(self, counted, *, broken=False):
        self.counted, self.broken = counted, broken

    def nvmlInit(self):
        if self.broken:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlDeviceGetCount(self):
        return len(self.counted)

    def nvmlDeviceGetHandleByIndex(self, number):
        return number

    def nvmlDeviceGetUUID(self, handle):
        return f"GPU-{handle}".encode() if handle else f"GPU-{handle}"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        if self.counted[handle] is None:
            raise self.NVMLError("Not Supported")
        return self.counted[handle]


def test_packages_and_their_memory_count_and_nothing_twice(powercap):
    def all_zones(joules):
        powercap("intel-rapl:0", "package-0", 100 + joules)
        powercap("intel-rapl:0:0", "core", 100 + 7 * joules)
        powercap("intel-rapl:0:1", "dram", 100 + joules // 2)
        powercap("intel-rapl:1", "psys", 100 + 9 * joules)
        powercap("intel-rapl-mmio:0", "package-0", 100 + joules)

    all_zones(0)
    (powercap.root / "intel-rapl").mkdir()
    rapl = Rapl(powercap.root)
    all_zones(400_000)
    found = {one.name: one.joules for one in rapl.sources()}
    assert found == {"RAPL package-0": 0.4, "RAPL dram-0": 0.2}
    assert all(one.measured for one in rapl.sources())
    assert rapl.note == ""


def test_a_counter_that_was_full_goes_on_from_zero(powercap):
    powercap("intel-rapl:0", "package-0", 900_000)
    rapl = Rapl(powercap.root)
    for counted in (200_000, 800_000, 100_000):  # full twice, read in between
        powercap("intel-rapl:0", "package-0", counted)
        rapl.poll()
    (source,) = rapl.sources()
    assert source.joules == pytest.approx(0.3 + 0.6 + 0.3)


def test_counters_for_root_alone_are_told_and_others_are_none(powercap, monkeypatch):
    assert "tells no energy" in Rapl(powercap.root).note
    assert "tells no energy" in Rapl(powercap.root / "nowhere").note
    powercap("intel-rapl:0", "package-0")
    real = type(powercap.root).read_text

    def guarded(self, *rest, **more):
        if self.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return real(self, *rest, **more)

    monkeypatch.setattr(type(powercap.root), "read_text", guarded)
    rapl = Rapl(powercap.root)
    assert "only root" in rapl.note
    assert rapl.sources() == []


def test_counters_of_another_form_and_memory_alone_are_left(powercap):
    powercap("intel-rapl:0", "package-0", "much")
    powercap("intel-rapl:0:0", "dram")
    assert Rapl(powercap.root).sources() == []
    powercap("intel-rapl:1", "package-1", 5)
    rapl = Rapl(powercap.root)
    assert [one.name for one in rapl.sources()] == ["RAPL dram-0", "RAPL package-1"]
    (powercap.root / "intel-rapl:1" / "energy_uj").unlink()  # gone, as with a removed module
    assert rapl.sources()[1].joules == 0.0


def test_gpus_in_use_count_by_their_own_counters():
    nvml = Nvml([1_000, 5_000, None])
    gpus = Gpus(nvml)
    nvml.counted = [3_500, 9_000, None]
    assert [(s.name, s.joules, s.measured) for s in gpus.sources({"GPU-0", "GPU-2"})] == [
        ("NVML GPU-0", 2.5, True)
    ]
    assert gpus.sources(set()) == []
    assert Gpus(Nvml([1], broken=True)).sources({"GPU-0"}) == []


def test_without_the_library_no_gpu_is_counted(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert Gpus().sources({"GPU-0"}) == []


def test_the_gpus_that_torch_has_memory_on_are_in_use(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert gpus_in_use() == set()
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 2,
        memory_reserved=lambda number: 0,
        max_memory_reserved=lambda number: 100 * number,
        get_device_properties=lambda number: SimpleNamespace(uuid=f"{number}-abc"),
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert gpus_in_use() == {"GPU-1-abc"}


def test_a_meter_counts_what_is_measured_and_estimates_the_rest(powercap):
    with Meter(powercap=powercap.root, nvml=Nvml([])) as meter:
        sum(i * i for i in range(200_000))
        meter.lap("sums")
        (source,), notes = meter.sources({"GPU-7"})
    assert source.measured is False
    assert 0 < source.joules <= WATTS_PER_CORE * meter.cpu_seconds
    assert 0 < meter.laps["sums"] <= meter.seconds
    assert any("1 GPU is not counted" in note for note in notes)
    powercap("intel-rapl:0", "package-0", 100)
    nvml = Nvml([0])
    with Meter(powercap=powercap.root, nvml=nvml) as meter:
        powercap("intel-rapl:0", "package-0", 600_100)
        nvml.counted = [2_000]
        sources, notes = meter.sources({"GPU-0"})
    assert [(one.name, one.joules) for one in sources] == [
        ("RAPL package-0", 0.6),
        ("NVML GPU-0", 2.0),
    ]
    assert notes == []
    with Meter(powercap=powercap.root, nvml=Nvml([])) as meter:
        sources, notes = meter.sources({"GPU-7"})
    assert [source.measured for source in sources] == [False], "a GPU's joules are missing"
    assert len(notes) == 1


def test_a_meter_that_may_use_no_gpu_asks_none(powercap):
    nvml = Nvml([0], broken=True)
    nvml.nvmlInit = lambda: pytest.fail("asked")
    with Meter(powercap=powercap.root, nvml=nvml, gpu=False) as meter:
        assert len(meter.sources(set())[0]) == 1


def test_two_threads_that_read_one_counter_find_no_full_turn(powercap, monkeypatch):
    powercap("intel-rapl:0", "package-0", 0)
    rapl = Rapl(powercap.root)
    (zone,) = rapl._zones
    counted = iter(range(100, 100_000, 100))
    lock = threading.Lock()

    def read():
        with lock:
            now = next(counted)
        time.sleep(0.001)  # the other thread reads meanwhile
        return now

    monkeypatch.setattr(zone, "_read", read)
    threads = [threading.Thread(target=lambda: [rapl.poll() for _ in range(20)]) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert zone.microjoules == 40 * 100
