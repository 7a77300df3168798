"""A fit on a store's rows beside the same fit on their array: time, and memory that stays.

Rows like a backbone's are appended to a store as bfloat16. Each fit runs in a process of its own,
which tells its wall time and the most memory it ever held beside the page cache (VmHWM, before the
fit and after).

    python benchmarks/bench_streaming.py [--n 1281167] [--d 768] [--k 10] [--store FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from bench_cached_run import processor

from zoo import engine
from zoo.engine.bfloat16 import from_bfloat16

BLOCK = 16_384
WAYS = ("memory", "store")


def main() -> None:
    """Make the store, run both fits in turns, print a line each and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1_281_167)
    parser.add_argument("--d", type=int, default=768)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--strength", type=float, default=1e-4)
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--store", type=Path, help="where there is room for the rows")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(_fit(arguments)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.store) as folder:
        arguments.store = Path(folder)
        _append(arguments)
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in arguments.ways}
        for _ in range(arguments.repeat):
            for way in arguments.ways:
                runs[way].append(_apart(arguments, way))
                print(way, runs[way][-1], flush=True)
    shape = {name: getattr(arguments, name) for name in ("n", "d", "k", "strength", "tolerance")}
    result = {
        "benchmark": "streaming",
        "machine": {"processor": processor(), "threads": arguments.threads},
        "isa": engine.build_info()["isa"],
        **shape,
        "runs": runs,
    }
    path = arguments.out / f"streaming-{arguments.n}x{arguments.d}-{arguments.k}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


def _append(arguments: argparse.Namespace) -> None:
    """Rows of falling spread under a ReLU, their labels from a noisy linear model."""
    d, k = arguments.d, arguments.k
    rng = np.random.default_rng(0)
    spread = 3 * np.arange(1, d + 1, dtype=np.float32) ** -0.5
    truth = rng.standard_normal((d, k), np.float32)
    codes = []
    with engine.FeatureStore.create(arguments.store, {"benchmark": "streaming"}) as store:
        for begin in range(0, arguments.n, BLOCK):
            x = rng.standard_normal((min(BLOCK, arguments.n - begin), d), np.float32) * spread
            np.maximum(x[:, ::2], 0, out=x[:, ::2])
            scores = x @ truth
            codes.append((scores + 8 * rng.gumbel(size=scores.shape)).argmax(axis=1))
            store.append(_keys(begin, begin + len(x)), {"x": x}, dtype="bfloat16")
    np.save(arguments.store / "codes.npy", np.concatenate(codes))


def _keys(begin: int, end: int) -> np.ndarray:
    numbers = np.arange(begin, end, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return np.ascontiguousarray(np.stack([numbers, ~numbers], axis=1)).view(np.uint8)


def _fit(arguments: argparse.Namespace) -> dict[str, Any]:
    codes = np.load(arguments.store / "codes.npy")
    folder = next(path for path in arguments.store.iterdir() if path.is_dir())
    store = engine.FeatureStore.at(folder)
    keys = _keys(0, arguments.n)
    rows: engine.AnyRows = engine.StoredRows(store, "x", keys)
    if arguments.way == "memory":
        rows = np.empty((arguments.n, arguments.d), np.float32)
        for begin in range(0, arguments.n, BLOCK):
            part = store.rows(keys[begin : begin + BLOCK], "x", dtype="bfloat16")
            rows[begin : begin + BLOCK] = from_bfloat16(part)
    before, start = _peak(), time.perf_counter()
    fit = engine.fit_logistic(
        rows,
        codes,
        arguments.k,
        strength=arguments.strength,
        tolerance=arguments.tolerance,
        threads=arguments.threads,
    )
    return {
        "seconds": time.perf_counter() - start,
        "peak_mib_before": before,
        "peak_mib": _peak(),
        "suboptimality": fit.suboptimality,
        "objective": fit.objective,
        "iterations": fit.iterations,
        "products": fit.products,
    }


def _peak() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _apart(arguments: argparse.Namespace, way: str) -> dict[str, Any]:
    names = ("n", "d", "k", "strength", "tolerance", "threads", "store")
    options = [part for name in names for part in (f"--{name}", str(getattr(arguments, name)))]
    command = [sys.executable, __file__, "--way", way, *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
