"""Exact neighbours beside faiss's flat index: same float32 rows, queries and threads.

    python benchmarks/bench_neighbours.py [--n 100000] [--queries 10000] [--d 768] [--k 20]

faiss (``pip install faiss-cpu``) keeps a copy of the rows, made before the clock runs. It orders by
float32 distances and zoo by float64's, so the share of equal row numbers is written beside.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from importlib import metadata
from pathlib import Path

import faiss
import numpy as np
from bench_cached_run import processor
from heads_rows import synthetic
from store_timing import in_turns, summary

from zoo import engine


def main() -> None:
    """Measure in alternating rounds, print the ratio, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--d", type=int, default=768)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    made = synthetic(arguments.n + arguments.queries, arguments.d, 2).x_train
    train, queries = made[: arguments.n], made[arguments.n :]
    threads, k = arguments.threads, arguments.k
    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatL2(arguments.d)
    index.add(train)

    def zoo() -> np.ndarray:
        return engine.knn_search(train, queries, k, threads=threads)[0]

    def flat() -> np.ndarray:
        return np.asarray(index.search(queries, k)[1])

    same = float((zoo() == flat()).mean())
    times = in_turns(arguments.repeat, zoo=zoo, faiss=flat)
    medians = {name: statistics.median(each) for name, each in times.items()}
    result = {
        "benchmark": "neighbours",
        "machine": {"processor": processor(), "threads": threads, "load": os.getloadavg()[0]},
        "versions": {"numpy": np.__version__, "faiss-cpu": metadata.version("faiss-cpu")},
        "isa": engine.build_info()["isa"],
        **{name: getattr(arguments, name) for name in ("n", "queries", "d", "k")},
        "seconds": {name: summary(each) for name, each in times.items()},
        "faiss_over_zoo": medians["faiss"] / medians["zoo"],
        "same_rows": same,
    }
    path = arguments.out / f"neighbours-{arguments.n}x{arguments.d}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"zoo {medians['zoo']:.2f} s, faiss {medians['faiss']:.2f} s, same rows {same:.5f}")


if __name__ == "__main__":
    main()
