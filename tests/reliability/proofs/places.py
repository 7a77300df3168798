"""Odd places: folders that cannot be written to or are gone, no home, names in any script."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from proofs import processes, rows
from proofs.outcome import Outcome
from zoo.engine import FeatureStore
from zoo.errors import StoreError

NOBODY = 65534
SEALED, COMMITTED = range(40), range(40, 70)
SCRIPTS = ("猫", "собака", "كلب", "σκύλος", "naïve café", "🦆", "कुत्ता")


def read_only(root: Path, *, seed: int = 0) -> Outcome:
    """A folder that this user may only read, with the journal of a writer that died."""
    outcome = Outcome("read-only folder", seed)
    with tempfile.TemporaryDirectory(prefix="zoo-read-only-") as open_root:
        Path(open_root).chmod(0o755)
        with FeatureStore.create(open_root, rows.KEY) as store:
            rows.put(store, SEALED)
        processes.ended(processes.fork(_commit_and_die, store.folder))
        for path in (*store.folder.iterdir(), store.folder):
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = sorted((p.name, p.stat().st_size) for p in store.folder.iterdir())
        report = root / "report"
        report.touch()
        report.chmod(0o666)
        with report.open("w") as file:
            code = processes.ended(processes.fork(_read_as_nobody, store.folder, file))
        if code != 0:
            outcome.fault(f"the reader ended with {code}")
        told = json.loads(report.read_text() or "{}")
        outcome.counts.update(told.get("counts", {}))
        for fault in told.get("faults", ["nothing was told"]):
            outcome.fault(fault)
        if sorted((p.name, p.stat().st_size) for p in store.folder.iterdir()) != before:
            outcome.fault("the folder was changed")
        outcome.counts["journals"] = sum(name.endswith(".journal") for name, _ in before)
        store.folder.chmod(0o755)
    return outcome


def _commit_and_die(folder):
    store = FeatureStore(folder)
    rows.put(store, COMMITTED)
    os.kill(os.getpid(), 9)


def _read_as_nobody(folder, file):
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    faults = []
    store = FeatureStore(folder)
    everything = [*SEALED, *COMMITTED]
    lost, wrong = rows.judge(store, everything)
    if lost or wrong:
        faults.append(f"{lost} lost and {wrong} wrong of {len(everything)} rows")
    known = rows.numbers_by_key(everything)
    for column in rows.COLUMNS:
        there, twice, bad = rows.judge_stream(store, known, column)
        if there != set(everything) or twice or bad:
            faults.append(f"a stream of {column} is wrong")
    store.refresh()
    if store.verify().damaged:
        faults.append("damaged")
    try:
        rows.put(store, range(100, 110))
    except StoreError as error:
        if "Permission denied" not in str(error) or "ZOO_HOME" not in error.hint:
            faults.append(f"{error}; {error.hint}")
    else:
        faults.append("rows were taken in a folder that cannot be written to")
    store.close()
    counts = {"uid": os.geteuid(), "rows": len(everything)}
    file.write(json.dumps({"counts": counts, "faults": faults}))
    file.flush()


def gone(root: Path, *, seed: int = 0) -> Outcome:
    """A folder that is deleted under open stores: errors that say so, and new rows are kept."""
    outcome = Outcome("folder gone", seed)
    writer = FeatureStore.create(root / "gone", rows.KEY)
    rows.put(writer, SEALED)
    writer.flush()
    rows.put(writer, COMMITTED)
    reader = FeatureStore(writer.folder)
    shutil.rmtree(writer.folder)
    for name, act in {
        "rows": lambda: rows.judge(reader, SEALED)[1] or rows.get(reader, SEALED, "x"),
        "stream": lambda: list(reader.stream("x")),
        "views": lambda: reader.views("x"),
        "refresh": reader.refresh,
        "contains": lambda: rows.lacking(reader, SEALED),
        "verify": reader.verify,
        "compact": reader.compact,
        "columns": reader.columns,
        "info": reader.info,
        "open": lambda: FeatureStore(writer.folder),
    }.items():
        outcome.counts["acts"] += 1
        try:
            act()
        except StoreError as error:
            outcome.counts["refused"] += 1
            if not error.hint or str(writer.folder) not in str(error):
                outcome.fault(f"{name}: {error}; {error.hint}")
        except Exception as error:  # noqa: BLE001 - any other kind is the fault looked for
            outcome.fault(f"{name}: {type(error).__name__}: {error}")
    rows.put(writer, range(100, 120))
    writer.close()
    store = FeatureStore(writer.folder)
    kept = [*COMMITTED, *range(100, 120)]
    if rows.judge(store, kept) != (0, 0):
        outcome.fault(f"rows in hand were not kept: {rows.judge(store, kept)}")
    with contextlib.suppress(StoreError):
        reader.refresh()
    return outcome


def scripts(root: Path, *, seed: int = 0) -> Outcome:
    """``zoo extract`` and ``zoo cache list`` of class names in any script, in the C locale."""
    from PIL import Image

    outcome = Outcome("names in any script", seed)
    draw = np.random.default_rng(seed)
    data = root / "bilder-鳥"
    for name in SCRIPTS:
        (data / name).mkdir(parents=True)
        for i in range(3):
            pixels = draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(data / name / f"{name} {i}.png")
    command = ["extract", "--model", "builtin:tinyconv", "--data", data, "--threads", 1]
    for number, locale in enumerate(
        ({"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"})
    ):
        home = root / f"home-{number}"
        env = processes.environment(ZOO_HOME=str(home), **locale)
        wanted = {"rows": 3 * len(SCRIPTS), "classes": len(SCRIPTS)}
        for arguments in ([*command, "--json"], ["cache", "list"]):
            done = processes.fresh("zoo", *arguments, env=env, errors="surrogateescape")
            outcome.counts["commands"] += 1
            if done.returncode != 0 or "Traceback" in done.stderr:
                outcome.fault(f"{locale} {arguments[0]}: {done.returncode} {done.stderr[-500:]}")
            elif "--json" in arguments:
                told = json.loads(done.stdout)["data"]
                if {name: told[name] for name in wanted} != wanted:
                    outcome.fault(f"{locale}: {told}")
    return outcome


def latin(root: Path, *, seed: int = 0) -> Outcome:
    """A store in a folder whose name is not UTF-8."""
    outcome = Outcome("folder in Latin-1", seed)
    place = os.fsdecode(os.fsencode(root) + b"/caf\xe9")
    try:
        with FeatureStore.create(place, rows.KEY) as store:
            rows.put(store, SEALED)
        outcome.counts["rows"] = len(SEALED)
        if rows.judge(FeatureStore(store.folder), SEALED) != (0, 0):
            outcome.fault("rows are lost or wrong")
    except (TypeError, UnicodeError) as error:
        outcome.fault(f"{type(error).__name__}: {error}")
    return outcome


def homeless(root: Path, *, seed: int = 0) -> Outcome:
    """Without HOME and ZOO_HOME the command line works, or says in one line what it lacks."""
    outcome = Outcome("no home", seed)
    env = processes.environment()
    for name in ("HOME", "ZOO_HOME"):
        env.pop(name, None)
    for arguments in (
        ["cache", "list"],
        ["extract", "--model", "builtin:tinyconv", "--data", "sklearn:digits", "--dry-run"],
    ):
        done = processes.fresh("zoo", *arguments, env=env, cwd=root)
        outcome.counts["commands"] += 1
        clean = done.returncode == 0 or "hint:" in done.stderr
        if not clean or "Traceback" in done.stderr or "bug in zoo" in done.stderr:
            outcome.fault(f"{arguments[0]}: {done.returncode} {done.stderr[-500:]}")
    return outcome
