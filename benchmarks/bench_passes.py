"""Passes of the logistic solver beside the machine's own product rates and memory bandwidth.

    cmake --preset release -DZOO_BENCHMARKS=ON && cmake --build --preset release
    python benchmarks/bench_passes.py build/release/benchmarks/native/pass_rates

A pass over n rows of d columns for v vectors is 4 n d v operations. It is set against torch.mm in
the arithmetic that it uses (bf16 for a Hessian product on the way, float32 for a loss), and where
there are two classes against the rate at which torch sums the same bytes. Medians of alternating
rounds at the same number of threads.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import torch
from bench_cached_run import processor

CLASSES = (2, 10, 100, 1000)


def main() -> None:
    """Print a line for each number of classes and row type, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("--n", type=int, default=50_000)
    parser.add_argument("--d", type=int, default=768)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cells = [_cell(arguments, k, kind) for k in CLASSES for kind in ("bf16", "f32")]
    result = {
        "machine": processor(),
        "threads": arguments.threads,
        "shape": [arguments.n, arguments.d],
        "torch": torch.__version__,
        "cells": cells,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / f"passes-{arguments.n}x{arguments.d}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _cell(arguments: argparse.Namespace, k: int, kind: str) -> dict[str, object]:
    n, d = arguments.n, arguments.d
    vectors = 1 if k == 2 else k
    rows = torch.randn(n, d).to(torch.bfloat16 if kind == "bf16" else torch.float32)
    weights = {t: torch.randn(d, vectors, dtype=t) for t in (torch.bfloat16, torch.float32)}
    wide = rows.to(torch.float32)
    mm: dict[str, list[float]] = {"bf16": [], "f32": []}
    passes: dict[str, list[float]] = {"loss": [], "curve": []}
    read: list[float] = []
    isa = ""
    for _ in range(arguments.repeat):
        command = [str(arguments.binary), *map(str, (n, d, k, arguments.threads, 5)), kind]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        isa = found["isa"]
        for name, seconds in passes.items():
            seconds.append(statistics.median(found[name]))
        mm["f32"].append(_seconds(lambda: wide @ weights[torch.float32]))
        if kind == "bf16":
            mm["bf16"].append(_seconds(lambda: rows @ weights[torch.bfloat16]))
        integers = rows.view(torch.int64)
        read.append(_seconds(integers.sum))
    operations = 2.0 * n * d * vectors
    rates = {f"torch_mm_{t}": operations / statistics.median(s) / 1e9 for t, s in mm.items() if s}
    cell: dict[str, object] = {"classes": k, "rows": kind, "isa": isa}
    cell |= {
        f"{name}_gflops": 2 * operations / statistics.median(passes[name]) / 1e9 for name in passes
    }
    cell |= {f"{t}_gflops": rate for t, rate in rates.items()}
    size = rows.numel() * rows.element_size()
    cell |= {f"{name}_gb_s": size / statistics.median(passes[name]) / 1e9 for name in passes}
    cell["torch_sum_gb_s"] = size / statistics.median(read) / 1e9
    print(json.dumps({a: round(b, 1) if isinstance(b, float) else b for a, b in cell.items()}))
    return cell


def _seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(4):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
