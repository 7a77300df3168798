"""SIGKILLs of ``zoo extract``: the next run goes on where the last one stopped."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import proof

from zoo.engine import FeatureStore

SAMPLES = 320
BATCH = 8


def command(export: Path | None = None) -> list[str]:
    """The run that is killed, and at the end finished."""
    words = f"extract --model builtin:tinyconv --data sklearn:digits --limit {SAMPLES} --seed 0"
    exporting = ["--export", str(export)] if export else []
    return [sys.executable, "-m", "zoo", *words.split(), "--batch-size", str(BATCH), *exporting]


def finish(home: Path, export: Path) -> int:
    """Run to the end; the forwards it took."""
    done = subprocess.run(
        [*command(export), "--json"],
        env={**os.environ, "ZOO_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(json.loads(done.stdout)["features"]["forwards"])


def committed(home: Path) -> int:
    """Rows that the store has, after whoever was killed."""
    folders = [path.parent for path in (home / "store").glob("*/key.json")]
    rows = 0
    for folder in folders:
        with FeatureStore.at(folder) as store:
            if store.verify().damaged:
                raise AssertionError("the store is damaged")
            rows += sum(count for _, _, count in store.columns().values())
    return rows


def prove(count: int, seed: int) -> dict[str, object]:
    """Kill `count` extractions, each store's last one finishing, and compare the rows."""
    rng = random.Random(seed)
    root = Path(tempfile.mkdtemp(prefix="zoo-extract-"))
    faults = {"lost": 0, "wrong": 0, "forwards_too_many": 0}
    kills = stores = went_on = 0
    try:
        finish(root / "reference", root / "reference.npz")
        reference = np.load(root / "reference.npz")["features"]
        while kills < count:
            home = root / f"home{stores}"
            rows = 0
            for _ in range(min(5, count - kills)):
                run = subprocess.Popen(
                    [*command(), "--quiet"],
                    env={**os.environ, "ZOO_HOME": str(home)},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                time.sleep(rng.uniform(1.0, 4.5))
                kills += run.poll() is None
                run.kill()
                run.wait()
                now = committed(home)
                faults["lost"] += max(0, rows - now)
                went_on += now > rows > 0
                rows = now
            forwards = finish(home, root / "finished.npz")
            faults["forwards_too_many"] += max(0, forwards - (SAMPLES - rows))
            features = np.load(root / "finished.npz")["features"]
            apart = np.linalg.norm(features - reference, axis=1)
            faults["wrong"] += int((apart > 1e-5 * np.linalg.norm(reference, axis=1)).sum())
            shutil.rmtree(home)
            stores += 1
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return {"kills": kills, "stores": stores, "went_on": went_on, "faults": faults}


if __name__ == "__main__":
    proof.main("extract_kills", prove, short=2, long=50)
