"""A system that refuses: calls cut short, no space, no descriptors, errors of the disk.

Work goes on, or ends with one StoreError in the system's own words; what was committed before stays
readable, and a run without the refusals completes the store.

``python -m proofs.refusals FOLDER PLAN`` is the process that is refused; PLAN is a JSON object.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from proofs import processes, rows, shims
from proofs.outcome import Outcome
from zoo.engine import FeatureStore
from zoo.errors import StoreError

BATCH = 16
BATCHES = 12
CALLS = {
    errno.ENOSPC: "open write reserve",
    errno.EDQUOT: "write reserve",
    errno.EIO: "read write reserve sync rename",
    errno.EMFILE: "open",
}


def numbers_of(batch):
    """The rows of a batch."""
    return range(batch * BATCH, (batch + 1) * BATCH)


def work(folder: Path, plan) -> dict:
    """Append all batches and read them; what was committed, and the error that ended it."""
    done: list[int] = []
    said = {"done": done, "error": "", "hint": "", "wrong": 0}
    store = None
    try:
        # The refusals begin after the imports, with this folder's files.
        store = FeatureStore(folder, shard_bytes=plan.get("shard_bytes", 6000))
        for batch in range(BATCHES):
            rows.put(store, numbers_of(batch))
            done.append(batch)
            if plan.get("flush"):
                store.flush()
        store.flush()
        numbers = [n for batch in done for n in numbers_of(batch)]
        for column in rows.COLUMNS:
            said["wrong"] += rows.wrong(numbers, rows.get(store, numbers, column), column)
        store.close()
    except StoreError as error:
        said.update(error=str(error), hint=error.hint)
    if store is not None and said["error"]:
        # What was committed is readable from the store that the error came from, too.
        with contextlib.suppress(StoreError):
            numbers = [n for batch in done for n in numbers_of(batch)]
            said["wrong"] += rows.wrong(numbers, rows.get(store, numbers, "x"), "x")
    return said


def jitters(root: Path, *, count: int, seed: int) -> Outcome:
    """Runs with reads and writes cut short or interrupted at random: nothing is to be noticed."""
    outcome = Outcome("calls cut short", seed)
    for run in range(count):
        folder = _fresh(root)
        env = shims.environment(root, folder=folder.name, jitter=seed + run)
        said = _run(outcome, folder, env, {})
        outcome.counts["runs"] += 1
        if said["error"]:
            outcome.fault(f"run {run}: {said['error']}")
        _complete(outcome, folder, said, f"run {run}")
    return outcome


def refusals(root: Path, *, count: int, seed: int) -> Outcome:
    """Runs in which a call is refused from the n-th on, once, a few times or for ever."""
    outcome = Outcome("refused calls", seed)
    outcome.counts.update(runs=0, refused=0)
    random_ = random.Random(seed)
    for run in range(count):
        code = list(CALLS)[run % len(CALLS)]
        first, times = random_.randrange(60), random_.choice([1, 5, 1 << 30])
        folder = _fresh(root)
        env = shims.environment(
            root,
            **{"folder": folder.name, "errno": code, "from": first, "times": times},
            calls=CALLS[code],
        )
        said = _run(outcome, folder, env, {"flush": random_.random() < 0.5})
        here = f"{errno.errorcode[code]} {times} times from call {first} on"
        outcome.counts["runs"] += 1
        if said["error"]:
            outcome.counts["refused"] += 1
            if os.strerror(code) not in said["error"]:
                outcome.fault(f"{here}: {said['error']}")
            if not said["hint"] or "\n" in said["error"]:
                outcome.fault(f"{here}: not one line and a hint: {said}")
            if code in {errno.ENOSPC, errno.EDQUOT} and "free space" not in said["hint"]:
                outcome.fault(f"{here}: hint: {said['hint']}")
        _complete(outcome, folder, said, here)
    return outcome


def few_files(root: Path, *, seed: int = 0) -> Outcome:
    """Processes that may open fewer files than the store has shards.

    The store keeps up to 128 open: with a little more than that it works, with less it may refuse.
    """
    outcome = Outcome("few descriptors", seed)
    for files in (160, 24):
        folder = _fresh(root)
        plan = {"flush": True, "shard_bytes": 1, "files": files}
        said = _run(outcome, folder, processes.environment(), plan)
        outcome.counts[f"batches_with_{files}"] = len(said["done"])
        outcome.counts[f"shards_with_{files}"] = len(list(folder.glob("*.safetensors")))
        refused = os.strerror(errno.EMFILE) in said["error"]
        if said["error"] and (files > 128 or not refused):
            outcome.fault(f"{files} descriptors: {said['error']}")
        _complete(outcome, folder, said, f"{files} descriptors")
    return outcome


def full_file(root: Path, *, seed: int = 0) -> Outcome:
    """A process whose files may not grow past 20,000 bytes."""
    outcome = Outcome("full file", seed)
    folder = _fresh(root)
    plan = {"shard_bytes": 64 << 20, "file_bytes": 20_000}
    said = _run(outcome, folder, processes.environment(), plan)
    if os.strerror(errno.EFBIG) not in said["error"]:
        outcome.fault(f"files of 20,000 bytes: {said['error']!r}")
    outcome.counts["batches_before_a_full_file"] = len(said["done"])
    _complete(outcome, folder, said, "files of 20,000 bytes")
    return outcome


def full_disk(root: Path, *, seed: int = 0) -> Outcome | None:
    """A file system of its own that gets full; None where none can be mounted."""
    outcome = Outcome("full disk", seed)
    small = root / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(small)]
    if shutil.which("mount") is None:
        return None
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return None
    try:
        folder = _fresh(small)
        said = _run(outcome, folder, processes.environment(), {"shard_bytes": 8000})
        if os.strerror(errno.ENOSPC) not in said["error"] or "free space" not in said["hint"]:
            outcome.fault(f"a full disk: {said}")
        outcome.counts["batches_before_a_full_disk"] = len(said["done"])
        subprocess.run(["mount", "-o", "remount,size=4m", str(small)], check=True)
        _complete(outcome, folder, said, "a full disk")
    finally:
        subprocess.run(["umount", str(small)], check=True)
    return outcome


def _fresh(root):
    shutil.rmtree(root / "stores", ignore_errors=True)
    with FeatureStore.create(root / "stores", rows.KEY) as store:
        return store.folder


def _run(outcome, folder, env, plan):
    done = processes.fresh("proofs.refusals", folder, json.dumps(plan), env=env)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        outcome.fault(f"a process ended with {done.returncode}: {done.stderr[-1500:]}")
        return {"done": [], "error": "", "hint": "", "wrong": 0}
    if said["wrong"]:
        outcome.fault(f"{said['wrong']} wrong rows were read")
    return said


def _complete(outcome, folder, said, here):
    """Without refusals: what was committed is there, and another run brings the rest."""
    store = FeatureStore(folder)
    if store.verify().damaged:
        outcome.fault(f"{here}: damaged {store.verify().damaged}")
    numbers = [n for batch in said["done"] for n in numbers_of(batch)]
    lost, wrong = rows.judge(store, numbers)
    outcome.counts["committed_rows"] += len(numbers)
    if lost or wrong:
        outcome.fault(f"{here}: {lost} lost and {wrong} wrong of {len(numbers)} rows")
    store.close()
    again = work(folder, {})
    if again["error"] or again["wrong"]:
        outcome.fault(f"{here}: and then {again['error']}")
    numbers = range(BATCHES * BATCH)
    if rows.judge(FeatureStore(folder), numbers) != (0, 0):
        outcome.fault(f"{here}: a run without refusals does not complete the store")
    left = [p.name for p in folder.iterdir() if p.suffix in {".journal", ".recover"}]
    if left:
        outcome.fault(f"{here}: {left} left behind")


if __name__ == "__main__":
    chosen = json.loads(sys.argv[2])
    if "files" in chosen:
        resource.setrlimit(resource.RLIMIT_NOFILE, (chosen["files"], chosen["files"]))
    if "file_bytes" in chosen:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (chosen["file_bytes"],) * 2)
    print(json.dumps(work(Path(sys.argv[1]), chosen)))
