"""How near extraction comes to bare arithmetic, and how other libraries do beside it.

Files to committed rows, against the processor's seconds of the bare forward pass and of bare
decoding and preparing, both on one thread, divided by the threads: 1.0 would be perfect overlap.
Peers compute in float32 as they do by default; zoo in float32 and in bfloat16, with the least
cosine between the two beside it. Weights are loaded before the clock starts, for all. timm is
timed where the plugin zoo-timm is installed. OpenMP's threads do not spin while they wait, as with
the command line; peers gain from that as well.

    python benchmarks/bench_extract.py [--only NAME] [--threads 2] [--repeats 3] [--assets FOLDER]

With --assets, the accuracy of heads on features in both dtypes, by `zoo transfer`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from extract_cases import SAMPLES, Case, make
from extract_peers import BATCH, peers

HEADS = {
    "minilm-l6, text-trec6": ("", "text-trec6"),
    "hf-mobilenet-v2, img-flowers5": ("model-hf-mobilenet-v2-1.0-224", "img-flowers5"),
}


def measured(job: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the clock and of the processor, all threads and children together."""
    before, start = os.times(), time.perf_counter()
    job()
    seconds, after = time.perf_counter() - start, os.times()
    return seconds, sum(after[:4]) - sum(before[:4])


def opened(case: Case, dtype: str, threads: int) -> tuple[Any, Any]:
    """A loaded model and its samples as zoo has them."""
    from zoo.data import from_items
    from zoo.features import open_model
    from zoo.plugin import LoadOptions
    from zoo.registry import Registry

    options = LoadOptions(dtype=dtype, threads=threads, device="cpu", modality=case.modality)
    model = open_model(Registry(print), f"hf:{case.folder}", options)
    _ = model.backbone
    return model, from_items(case.items, name=case.name)


def ours(case: Case, dtype: str, threads: int) -> tuple[float, float, np.ndarray]:
    """Clock and processor seconds from files to committed rows, and the rows."""
    from zoo.features import ExtractOptions, extract

    model, data = opened(case, dtype, threads)
    with tempfile.TemporaryDirectory() as root:
        options = ExtractOptions(Path(root), batch_size=BATCH, threads=threads)
        rows: list[np.ndarray] = []
        seconds, cpu = measured(lambda: rows.append(extract(data, model, options).features))
    return seconds, cpu, rows[0]


def bare(case: Case, dtype: str) -> tuple[float, float]:
    """Processor seconds of the forward passes alone, and of decoding and preparing alone."""
    from zoo.features import ExtractOptions
    from zoo.features.bad import OnBad, Unreadable
    from zoo.features.batches import batches
    from zoo.preprocess.decode import decode

    model, data = opened(case, dtype, 1)
    backbone, items = model.backbone, list(data.items)
    for item in items[:4]:  # lazy imports
        backbone.prepare(decode(item, case.modality))
    decoding = time.process_time()
    for item in items:
        backbone.prepare(decode(item, case.modality))
    decoding = time.process_time() - decoding
    options = ExtractOptions(Path(), batch_size=BATCH, threads=1)
    forward = 0.0
    bad = Unreadable(OnBad(), items)
    for some in list(batches(items, list(range(len(items))), model, options, bad)):
        batch = backbone.collate([prepared for _, prepared in some])
        start = time.process_time()
        backbone.forward(batch)
        forward += time.process_time() - start
    return forward, decoding


def measure(case: Case, threads: int, repeats: int) -> dict[str, Any]:
    """All figures of one case; runs of zoo and peers alternate, and medians are told."""
    count = len(case.items)
    out: dict[str, Any] = {"samples": count, "weights": case.weights}
    rows: dict[str, np.ndarray] = {}
    jobs: dict[str, Callable[[], tuple[float, float]]] = {}

    def zoo(dtype: str) -> tuple[float, float]:
        seconds, cpu, rows[dtype] = ours(case, dtype, threads)
        return seconds, cpu

    for dtype in ("float32", "bfloat16"):
        forward, decoding = bare(case, dtype)
        out[f"bare {dtype}"] = {"forward_cpu": forward, "decode_cpu": decoding}
        jobs[f"zoo {dtype}"] = lambda dtype=dtype: zoo(dtype)
    import torch

    for name, job in peers(case, threads).items():
        jobs[name] = lambda job=job: (torch.set_num_threads(threads), measured(job))[1]
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            taken[name].append(job())
    for name, times in taken.items():
        seconds, cpu = (statistics.median(one[i] for one in times) for i in (0, 1))
        out[name] = {"seconds": seconds, "cpu": cpu, "samples_per_second": count / seconds}
        if name.startswith("zoo "):
            work = sum(out[f"bare {name.removeprefix('zoo ')}"].values())
            out[name] |= {"of_bare": seconds * threads / work, "cpu_of_bare": cpu / work}
    a, b = (rows[name].astype(np.float64) for name in ("float32", "bfloat16"))
    cosines = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    out["least_cosine"] = float(cosines.min())
    return out


def heads(assets: Path, minilm: Path) -> dict[str, Any]:
    """Accuracy of a head on features in float32 and in bfloat16."""
    out: dict[str, Any] = {}
    for name, (model, data) in HEADS.items():
        accuracy = {}
        for dtype in ("float32", "bfloat16"):
            with tempfile.TemporaryDirectory() as home:
                command = [sys.executable, "-m", "zoo", "transfer", "--json", "--dtype", dtype]
                command += ["--model", f"hf:{assets / model if model else minilm}"]
                command += ["--data", str(assets / data), "--out", f"{home}/run"]
                environment = {**os.environ, "ZOO_HOME": home}
                done = subprocess.run(command, capture_output=True, check=True, env=environment)
            metrics = json.loads(done.stdout)["evaluation"]["metrics"]
            accuracy[dtype] = metrics["accuracy"]["value"]
        points = 100 * (accuracy["bfloat16"] - accuracy["float32"])
        out[name] = {**accuracy, "difference_in_points": points}
    return out


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=SAMPLES, action="append")
    parser.add_argument("--samples", type=int, help="of each case, instead of its own number")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--assets", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results/extract.json")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    load = os.getloadavg()[0]
    cases: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as root:
        for name in arguments.only or SAMPLES:
            case = make(name, Path(root), arguments.samples or SAMPLES[name])
            cases[name] = measure(case, arguments.threads, arguments.repeats)
            print(json.dumps({name: cases[name]}, indent=1), flush=True)
        minilm = make("minilm-l6", Path(root), 1).folder
        accuracy = heads(arguments.assets, minilm) if arguments.assets else None
    result = {
        "benchmark": "extract",
        "cases": cases,
        "heads": accuracy,
        "threads": arguments.threads,
        "repeats": arguments.repeats,
        "load_at_start": load,
        "machine": platform.machine(),
        "versions": {
            name: metadata.version(name)
            for name in ("torch", "transformers", "timm", "sentence-transformers", "pillow")
        },
        "command": " ".join(["python", "benchmarks/bench_extract.py", *sys.argv[1:]]),
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
