"""Kill ``zoo extract`` again and again: it ends with the same rows, and little work done twice."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from proofs import processes
from proofs.outcome import Outcome
from zoo.engine import FeatureStore, list_stores

BATCH = 8
TOLERANCE = 1e-5  # relative: a batch of another size may sum in another order
PATIENCE = 120.0  # seconds until a run's first forward pass


def extract_kills(root: Path, *, count: int, seed: int, samples: int = 1797) -> Outcome:
    """Kill `count` runs over scikit-learn's digits, some before their first forward pass."""
    outcome = Outcome("extract kills", seed)
    random_ = random.Random(seed)
    outcome.counts.update(kills=0, killed_before_a_forward=0, runs_finished=0, forwards=0)
    log, home = root / "log", root / "home"
    arguments = [log, "extract", "--model", "builtin:tinyconv", "--data", "sklearn:digits"]
    arguments += ["--batch-size", BATCH, "--limit", samples, "--threads", 1, "--json"]
    want = _finish(outcome, arguments, root / "uninterrupted", log)
    needed = _forwards(log)
    if needed != len(want):
        outcome.fault(f"{needed} forward passes for {len(want)} rows without any kill")
    log.unlink()
    in_this = 0
    while outcome.counts["kills"] < count:
        if _killed(outcome, arguments, home, log, random_):
            in_this += 1
        else:
            _judge(outcome, home, log, want, in_this)
            in_this = 0
    _finish(outcome, arguments, home, log)
    _judge(outcome, home, log, want, in_this)
    return outcome


def _command(arguments):
    return [sys.executable, "-m", "proofs.counted_zoo", *map(str, arguments)]


def _finish(outcome, arguments, home, log):
    """Run to the end; the rows that are stored then, by key."""
    done = processes.fresh(
        "proofs.counted_zoo", *arguments, env=processes.environment(ZOO_HOME=str(home))
    )
    if done.returncode != 0:
        outcome.fault(f"the finishing run failed with {done.returncode}: {done.stderr[-300:]}")
    return _stored(outcome, home)


def _killed(outcome, arguments, home, log, random_):
    """Start a run and kill it at a random moment; False if it had ended by itself."""
    before = _forwards(log)
    with subprocess.Popen(
        _command(arguments),
        env=processes.environment(ZOO_HOME=str(home)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        if random_.random() < 0.1:
            time.sleep(random_.uniform(0.0, 1.5))
        else:
            end = time.monotonic() + PATIENCE
            while _forwards(log) == before and run.poll() is None and time.monotonic() < end:
                time.sleep(0.002)
            time.sleep(random_.uniform(0.0, 0.3))
        run.kill()
        code = run.wait()
    if code == 0:
        return False
    if code > 0:
        outcome.fault(f"a run failed with {code}")
    outcome.counts["kills"] += 1
    outcome.counts["killed_before_a_forward"] += _forwards(log) == before
    return True


def _forwards(log):
    return sum(map(int, log.read_text().split())) if log.exists() else 0


def _judge(outcome, home, log, want, in_this):
    """Compare a finished store with the uninterrupted one, and clear it away."""
    counts = outcome.counts
    forwards = _forwards(log)
    counts["runs_finished"] += 1
    counts["forwards"] += forwards
    counts["forwards_redone"] += forwards - len(want)
    if not 0 <= forwards - len(want) <= BATCH * in_this:
        outcome.fault(f"{forwards} forward passes for {len(want)} rows after {in_this} kills")
    got = _stored(outcome, home)
    if got.keys() != want.keys():
        outcome.fault(f"{len(got)} rows, not the {len(want)} of an uninterrupted run")
    worst = 0.0
    for key in got.keys() & want.keys():
        scale = float(np.abs(want[key]).max())
        worst = max(worst, float(np.abs(got[key] - want[key]).max()) / scale)
    outcome.notes["largest_difference"] = max(outcome.notes.get("largest_difference", 0.0), worst)
    if worst > TOLERANCE:
        outcome.fault(f"rows differ by {worst:g} of their largest value")
    shutil.rmtree(home)
    log.unlink()


def _stored(outcome, home):
    """Every row of the only store under this home, by key."""
    stores = list_stores(home / "store")
    if len(stores) != 1 or stores[0].damaged:
        outcome.fault(f"{len(stores)} stores: {stores}")
        return {}
    store = FeatureStore.at(stores[0].folder)
    if store.verify().damaged:
        outcome.fault(f"damaged: {store.verify().damaged}")
    (column,) = store.columns()
    return {
        key.tobytes(): row
        for keys, block in store.stream(column)
        for key, row in zip(keys, block, strict=True)
    }
