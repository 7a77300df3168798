"""The feature store against the machine it runs on, and against other ways to keep rows.

Rows are 768 float16 with 16-byte keys. First zoo alone is held against its goals, each a ratio to
what numpy or dd does with the same bytes. Then every peer does the same works beside zoo: write
(40,960 rows a commit) and append (256 a commit) from nothing to durable, open and read one row,
gather 10,000 random rows, scan all. Then the faults: writers killed while appending, and flipped
bits. All single-threaded but where a line says otherwise; reads are from the page cache.

    python benchmarks/bench_store.py [--rows 1000000] [--peers lmdb sqlite] [--no-faults]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import platform
import statistics
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench_cached_run import processor
from store_faults import Faults
from store_goals import measure_goals
from store_peers import Peer, Zoo
from store_peers_arrays import Hdf5, Npy, Safetensors, Zarr, ZarrChecked
from store_peers_keyed import Lmdb, Sqlite, SqliteNormal
from store_peers_tables import Lance, Parquet, ParquetFolder, ParquetUnchecked
from store_rows import DIM, ROW_BYTES, keys_of, rows_of
from store_speed import measure_peer

from zoo.engine import build_info

PEERS: tuple[type[Peer], ...] = (
    *(Lmdb, Sqlite, SqliteNormal),
    *(Parquet, ParquetUnchecked, ParquetFolder, Lance),
    *(Zarr, ZarrChecked, Hdf5, Npy, Safetensors),
)
# One thread each, as zoo has; read by the libraries when they are loaded. Lance keeps the threads
# that it reads files with: with one it waits for ever on small appends (14.0.2).
THREADS = {
    "LANCE_CPU_THREADS": "1",
    "LANCE_LOG": "error",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ZARR_THREADING__MAX_WORKERS": "1",
}
FAULT_SHARD_BYTES = 2 << 20  # so that kills strike zoo's sealing too


def main() -> None:
    """Measure, print the tables and write the result."""
    arguments = _parser().parse_args()
    os.environ.update(THREADS)
    logging.getLogger("zoo").setLevel(logging.ERROR)  # damaged shards are expected here
    peers, versions = _installed(arguments.peers)
    result: dict[str, Any] = {"benchmark": "store", "rows": arguments.rows, "dim": DIM}
    result |= {"dtype": "float16", "bytes": arguments.rows * ROW_BYTES, "goals": []}
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="bench-store-") as name:
        folder = Path(name)
        if arguments.goals or arguments.speed:
            numbers = np.arange(arguments.rows)
            data = keys_of(numbers), rows_of(numbers)
        if arguments.goals:
            for goal in measure_goals(data, folder, arguments.repeat):
                print(goal.line(), flush=True)
                result["goals"].append(goal.as_json())
        speed = {}
        if arguments.speed:
            for peer in peers:
                with _told(f"{peer.name}, speed"):
                    speed[peer.name] = measure_peer(peer, data, folder, arguments.repeat)
            del data
        faults = _faults(peers, folder, arguments) if arguments.faults else {}
    result["peers"] = {
        peer.name: {"settings": peer.settings, "by": peer.by, "durable": peer.durable}
        | {"speed": speed.get(peer.name), "faults": faults.get(peer.name)}
        for peer in (Zoo(), *peers)
    }
    result["machine"] = {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "isa": build_info()["isa"],
    }
    result["versions"] = {"python": platform.python_version(), "numpy": np.__version__} | versions
    result["command"] = _command(arguments)
    _print_speed(speed)
    _print_faults(faults)
    path = arguments.out or Path(__file__).parent / f"results/store-{arguments.rows}x{DIM}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [peer.name for peer in PEERS]
    yes_no = argparse.BooleanOptionalAction
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--peers", nargs="*", choices=names, default=names, metavar="NAME")
    parser.add_argument("--goals", action=yes_no, default=True, help="zoo against its goals")
    parser.add_argument("--speed", action=yes_no, default=True, help="peers' times")
    parser.add_argument("--faults", action=yes_no, default=True, help="kills and flipped bits")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--flips", type=int, default=40)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: temporary")
    parser.add_argument("--out", type=Path, help="default: results/store-ROWSx768.json")
    return parser


def _command(arguments: argparse.Namespace) -> str:
    """The command again, without where it wrote to."""
    parts = ["bench_store.py"]
    defaults = _parser().parse_args([])
    for name, value in vars(arguments).items():
        if value == getattr(defaults, name) or name in {"folder", "out"}:
            continue
        if isinstance(value, bool):
            parts.append(f"--{'' if value else 'no-'}{name}")
        else:
            parts += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return " ".join(parts)


def _installed(names: list[str]) -> tuple[list[Peer], dict[str, str]]:
    peers, versions = [], {"zoo": Zoo().version()}
    for kind in PEERS:
        if kind.name not in names:
            continue
        peer = kind()
        try:
            versions[peer.package or peer.module] = peer.version()
        except ImportError:
            print(f"{peer.name}: left out, {peer.package} is not installed")
            continue
        peers.append(peer)
    return peers, versions


def _faults(peers: list[Peer], folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    faults = Faults([peer.module for peer in peers])
    results = {}
    for peer in (Zoo(shard_bytes=FAULT_SHARD_BYTES), *peers):
        with _told(f"{peer.name}, faults"):
            kills = faults.kills(peer, folder, arguments.kills)
            flips = faults.flips(peer, folder, arguments.flips)
            results[peer.name] = {"kills": kills, "flips": flips}
    return results


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Say what is measured; a peer that fails is told of and missing, the others go on."""
    print(f"{what} ...", file=sys.stderr, flush=True)
    try:
        yield
    except Exception:  # noqa: BLE001 - a long run is not lost to one peer
        print(f"{what}: FAILED\n{traceback.format_exc()}", file=sys.stderr, flush=True)


def _print_speed(speed: dict[str, Any]) -> None:
    if not speed:
        return
    heads = ("write MB/s", "append MB/s", "open ms", "gather ms", "scan MB/s", "disk")
    print(f"\n{'(times zoo)':14}" + "".join(f"{head:>18}" for head in heads))
    for name, sides in speed.items():
        pairs = zip(_cells(sides["peer"]), _cells(sides["zoo"]), strict=True)
        print(
            f"{name:14}"
            + "".join(f"{_cell(own):>9} {f'({_cell(own / z)})':>8}" for own, z in pairs)
        )
    whole = zip(*(_cells(sides["zoo"]) for sides in speed.values()), strict=True)
    print(f"{'zoo':14}" + "".join(f"{_cell(statistics.median(each)):>9}{'':9}" for each in whole))


def _cells(side: dict[str, Any]) -> list[float]:
    times = {name: side[name]["median"] for name in ("write", "append", "open", "gather", "scan")}
    return [
        side["write"]["bytes"] / times["write"] / 1e6,
        side["append"]["bytes"] / times["append"] / 1e6,
        times["open"] * 1e3,
        times["gather"] * 1e3,
        side["scan"]["bytes"] / times["scan"] / 1e6,
        side["disk"] / side["write"]["bytes"],
    ]


def _cell(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}" if value < 10 else f"{value:.1f}"


def _print_faults(faults: dict[str, Any]) -> None:
    if not faults:
        return
    print(
        f"\n{'':14}{'kills':>6}{'unreadable':>12}{'lost':>6}{'wrong':>7}"
        f"{'flips':>9}{'found':>7}{'by check':>10}{'silent':>8}{'harmless':>10}"
    )
    for name, both in faults.items():
        kills, flips = both["kills"], both["flips"]
        print(
            f"{name:14}{kills['kills']:6}{kills['unreadable']:12}"
            f"{kills['runs_with_lost_rows']:6}{kills['runs_with_wrong_rows']:7}"
            f"{flips['flips']:9}{flips['found']:7}{flips['found_by_check']:10}"
            f"{flips['silent']:8}{flips['harmless']:10}"
        )


if __name__ == "__main__":
    main()
