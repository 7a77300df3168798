"""What a store gives back after its writer was killed, and after one of its bits has flipped."""

from __future__ import annotations

import collections
import os
import shutil
import time
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from store_rows import Plan, keys_of, numbers_in, rows_of
from store_timing import emptied

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from store_peers import Peer, Reader

KILL_PLAN = Plan(rows=600 * 64, batch=64)
KILL_COMMITS = 200  # the kill comes after at most so many
KILL_DELAY = 0.005  # seconds, at most
FLIP_PLAN = Plan(rows=4096, batch=4096)  # in one commit, so that few pages are free
PATIENCE = 60.0  # seconds for a reader
SEED = 41


class Faults:
    """Runs writers and readers as processes of their own, which may die.

    They are forked from a server that has loaded the libraries, so that a run takes milliseconds.
    """

    def __init__(self, modules: list[str]) -> None:
        here = str(Path(__file__).resolve().parent)
        os.environ["PYTHONPATH"] = os.pathsep.join(
            [here, *filter(None, [os.environ.get("PYTHONPATH")])]
        )
        # The server forks, but runs nothing of what it has loaded.
        os.environ["PYTHONWARNINGS"] = "ignore:lance is not fork-safe:UserWarning"
        self.context = get_context("forkserver")
        self.context.set_forkserver_preload(["store_faults", *modules])

    def kills(self, peer: Peer, folder: Path, count: int) -> dict[str, Any]:
        """Kill a writer while it appends, `count` times, and read what is left."""
        draw = np.random.default_rng(SEED)
        total: collections.Counter[str] = collections.Counter()
        why: collections.Counter[str] = collections.Counter()
        for _ in range(count):
            path = emptied(folder / "killed")
            commits = int(draw.integers(1, KILL_COMMITS + 1))
            acknowledged = self._killed(peer, path, commits, draw.uniform(0, KILL_DELAY))
            found = self._read(peer, path, acknowledged * KILL_PLAN.batch)
            total["acknowledged_rows"] += acknowledged * KILL_PLAN.batch
            if "error" in found:
                total["unreadable"] += 1
                why[found["error"]] += 1
                continue
            total["lost_rows"] += found["lost"]
            total["wrong_rows"] += found["wrong"]
            total["runs_with_lost_rows"] += found["lost"] > 0
            total["runs_with_wrong_rows"] += found["wrong"] > 0
        emptied(folder / "killed")
        names = ("unreadable", "runs_with_lost_rows", "runs_with_wrong_rows", "acknowledged_rows")
        return {
            "kills": count,
            **{name: total[name] for name in (*names, "lost_rows", "wrong_rows")},
            "errors": dict(why),
        }

    def flips(self, peer: Peer, folder: Path, count: int) -> dict[str, Any]:
        """Flip one bit of a sound store, `count` times, and read all rows each time.

        A flip is found by reading, or else by the store's own check where it has one; or it is read
        as data in silence; or it does no harm, as in bytes that hold nothing.
        """
        sound, path = emptied(folder / "sound"), folder / "flipped"
        writer = self.context.Process(target=_write, args=(peer, sound, FLIP_PLAN, None))
        writer.start()
        writer.join()
        if writer.exitcode or self._read(peer, sound, FLIP_PLAN.rows) != {"lost": 0, "wrong": 0}:
            raise RuntimeError(f"{peer.name} could not write a sound store")
        files = [part for part in sorted(sound.rglob("*")) if part.is_file()]
        ends = np.cumsum([part.stat().st_size for part in files])
        draw = np.random.default_rng(SEED)
        total: collections.Counter[str] = collections.Counter()
        why: collections.Counter[str] = collections.Counter()
        for _ in range(count):
            place, bit = int(draw.integers(ends[-1])), int(draw.integers(8))
            which = int(np.searchsorted(ends, place, side="right"))
            shutil.copytree(sound, emptied(path))
            offset = place - int(ends[which]) + files[which].stat().st_size
            _flip(path / files[which].relative_to(sound), offset, bit)
            found = self._read(peer, path, FLIP_PLAN.rows)
            if "error" in found:
                total["found"] += 1
                why[found["error"]] += 1
            elif self._check(peer, path):
                total["found_by_check"] += 1
            elif found["lost"] or found["wrong"]:
                total["silent"] += 1
            else:
                total["harmless"] += 1
        emptied(sound)
        emptied(path)
        names = ("found", "found_by_check", "silent", "harmless")
        return {"flips": count, **{name: total[name] for name in names}, "errors": dict(why)}

    def _killed(self, peer: Peer, path: Path, commits: int, delay: float) -> int:
        """The commits that a writer had acknowledged when it was killed."""
        here, there = self.context.Pipe(duplex=False)
        writer = self.context.Process(target=_write, args=(peer, path, KILL_PLAN, there))
        writer.start()
        there.close()
        acknowledged = 0
        try:
            while True:
                acknowledged = int.from_bytes(here.recv_bytes(), "little")
                if acknowledged == commits:
                    time.sleep(delay)
                    writer.kill()
        except EOFError:
            writer.join()
        if writer.exitcode != -9:
            raise RuntimeError(f"{peer.name}'s writer ended before it was killed")
        return acknowledged

    def _read(self, peer: Peer, path: Path, acknowledged: int) -> dict[str, Any]:
        return self._ask(_judge, peer, path, acknowledged)

    def _check(self, peer: Peer, path: Path) -> bool:
        return "error" in self._ask(_own_check, peer, path, 0)

    def _ask(self, work: Any, peer: Peer, path: Path, acknowledged: int) -> dict[str, Any]:
        """What the work answers in a process of its own, or how that process ended."""
        here, there = self.context.Pipe(duplex=False)
        reader = self.context.Process(
            target=_answer, args=(work, peer, path, acknowledged, there), daemon=True
        )
        reader.start()
        there.close()
        try:
            if here.poll(PATIENCE):
                return here.recv()
            reader.kill()
        except EOFError:
            reader.join()
            return {"error": f"signal {-(reader.exitcode or 0)}"}
        finally:
            reader.join()
        return {"error": f"no answer in {PATIENCE:g} s"}


def _write(peer: Peer, path: Path, plan: Plan, acknowledge: Connection | None) -> None:
    for number, _ in enumerate(peer.write(path, plan)):
        if acknowledge is not None:
            acknowledge.send_bytes((number + 1).to_bytes(4, "little"))


def _answer(work: Any, peer: Peer, path: Path, acknowledged: int, reply: Connection) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # libraries that abort say so there
    try:
        answer = work(peer, path, acknowledged)
    except Exception as error:  # noqa: BLE001 - every refusal counts, of whatever kind
        answer = {"error": type(error).__name__}
    reply.send(answer)


def _own_check(peer: Peer, path: Path, _: int) -> dict[str, int]:
    peer.check(path)
    return {}


def _judge(peer: Peer, path: Path, acknowledged: int) -> dict[str, int]:
    """How many acknowledged rows are gone, and how many of those given are not what was written."""
    with peer.open(path) as reader:
        return _judged(reader, acknowledged)


def _judged(reader: Reader, acknowledged: int) -> dict[str, int]:
    present = np.zeros(acknowledged, bool)
    wrong = place = 0
    for keys, rows in reader.blocks():
        numbers = numbers_in(rows)
        bits = np.ascontiguousarray(rows).view(np.uint16)
        right = (bits == rows_of(numbers).view(np.uint16)).all(axis=1)
        if keys is None:
            right &= numbers == np.arange(place, place + len(rows))
        else:
            right &= (keys == keys_of(numbers)).all(axis=1)
        wrong += int((~right).sum())
        place += len(rows)
        present[numbers[right & (numbers < acknowledged)]] = True
    return {"lost": acknowledged - int(present.sum()), "wrong": wrong}


def _flip(path: Path, offset: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))
