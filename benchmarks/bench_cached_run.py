"""How long a fully cached ``zoo transfer`` on 1,000 images takes, from process start to exit.

The peer does the same question the usual way in one process: read the cached features, search the
same 5 folds x 20 strengths with scikit-learn's LogisticRegression, refit and judge.

    python benchmarks/bench_cached_run.py --model hf:FOLDER --data FOLDER [--repeats 5]
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
from importlib import metadata
from pathlib import Path

PEER = """
import sys, numpy as np
from sklearn.linear_model import LogisticRegressionCV
with np.load(sys.argv[1]) as f:
    x, y, split = f["features"], f["labels"], f["split"]
train = split == "train"
variance = x[train].var(axis=0).sum()
cs = 1 / (np.logspace(-1, -6, 20) * variance * train.sum())
model = LogisticRegressionCV(Cs=cs, cv=5, scoring="neg_log_loss", max_iter=1000, tol=1e-4,
                             n_jobs=int(sys.argv[2]), l1_ratios=(0.0,), use_legacy_attributes=False)
model.fit(x[train], y[train])
print((model.predict(x[~train]) == y[~train]).mean())
"""


def timed(command: list[str], folder: str) -> float:
    """Seconds of wall time of a command that must succeed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stderr)
    return seconds


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()} ({platform.machine()})"


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--limit", default="1000")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", default=str(len(os.sched_getaffinity(0))))
    parser.add_argument("--peer", action="store_true", help="time scikit-learn too")
    arguments = parser.parse_args()
    common = ["--model", arguments.model, "--data", arguments.data, "--limit", arguments.limit]
    zoo = [sys.executable, "-m", "zoo"]
    with tempfile.TemporaryDirectory() as folder:
        timed([*zoo, "extract", *common, "--export", "rows.npz"], folder)
        run = [*zoo, "transfer", *common, "--threads", arguments.threads, "--json"]
        peer = [sys.executable, "-c", PEER, "rows.npz", arguments.threads]
        ours, theirs = [], []
        for _ in range(arguments.repeats):
            ours.append(timed(run, folder))
            if arguments.peer:
                theirs.append(timed(peer, folder))
        last = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=True)
    summary = json.loads(last.stdout)
    result = {
        "benchmark": "cached_run",
        "seconds": {"median": statistics.median(ours), "all": ours},
        "peer_seconds": {"median": statistics.median(theirs), "all": theirs} if theirs else None,
        "rows": summary["data"]["rows"],
        "dim": summary["model"]["dim"],
        "classes": summary["data"]["classes"],
        "forwards": summary["features"]["forwards"],
        "head_seconds": summary["head"]["seconds"],
        "protocol": summary["evaluation"]["protocol"],
        "machine": {"processor": processor(), "threads": int(arguments.threads)},
        "model": arguments.model.rsplit("/", 1)[-1],
        "data": Path(arguments.data).name,
        "command": f"bench_cached_run.py --limit {arguments.limit} --repeats {arguments.repeats}"
        + (" --peer" if arguments.peer else ""),
        "versions": {name: metadata.version(name) for name in ("numpy", "scikit-learn")},
    }
    name = f"cached_run-{result['rows']}x{result['dim']}.json"
    path = Path(__file__).parent / "results" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
