"""The solver of the logistic head against others: same rows, threads, objective and optimum.

Every solver gets the loosest setting at which its objective, judged in float64, is within 1e-6
(relative) of the best that anyone found; only then is it timed, in alternating rounds.
`heads_peers.py` says how each is set up. Three parts, each into a result of its own:

- ``--synthetic``: rows like a backbone's, 75 % attainable, at k = 10 and 100;
- ``--search``: the default search in single fits of the same rows, and LogisticRegressionCV;
- ``--real``: the sets that `heads_real.py` has made in the folder ``--rows``, at 8 strengths.

    python benchmarks/bench_heads.py --synthetic --search --real --rows FOLDER [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import warnings
from collections.abc import Iterable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import heads_goals as goals
import numpy as np
from bench_cached_run import processor
from heads_cells import GOAL, Cell, Rules, measure
from heads_objective import Problem
from heads_peers import Peer, Zoo
from heads_peers_others import Cyanure, CyanureMiso, Liblinear, Torch
from heads_peers_sklearn import Intelex, SklearnCholesky, SklearnLbfgs, SklearnNewtonCg
from heads_real import load
from heads_rows import ATTAINABLE, synthetic
from heads_search import measure_cv_peer, measure_search

from zoo.engine import build_info

PEERS: tuple[type[Peer], ...] = (
    *(SklearnLbfgs, SklearnNewtonCg, SklearnCholesky, Intelex),
    *(Torch, Liblinear, Cyanure, CyanureMiso),
)
STRENGTHS = tuple(10.0**-i for i in range(8))
QUICK_SETS = ("v2-flowers5-few", "v1-hymenoptera", "speech-fsdd", "static64-trec6")
QUICK_STRENGTHS = (1e-1, 1e-4, 1e-7)
QUICK_SHAPE = {"n": 3000, "d": 96, "k": [10], "cv_rows": 1000}
# A goal that says how many times faster wants the slower one's time; one that says who is lost
# only wants those that come near.
PATIENCE = {"synthetic": 300.0, "real": 10.0}


def main() -> None:
    """Measure, print a line a cell and the goals, and write a result a part."""
    parser = _parser()
    arguments = parser.parse_args()
    parts = [part for part in ("synthetic", "search", "real") if getattr(arguments, part)]
    if not parts:
        parser.error("name at least one of --synthetic, --search, --real")
    if arguments.real and arguments.rows is None:
        parser.error("--real needs --rows, a folder that heads_real.py has filled")
    if arguments.quick:
        vars(arguments).update(QUICK_SHAPE)
    warnings.simplefilter("ignore")  # who stops early is judged by what it found
    _mute_libraries()
    peers, versions = _installed(arguments.peers)
    measured = {"synthetic": _synthetic, "search": _search, "real": _real}
    for part in parts:
        result: dict[str, Any] = {"benchmark": f"heads-{part}", "goal_gap": GOAL}
        result["machine"] = {
            "processor": processor(),
            "cores": len(os.sched_getaffinity(0)),
            "threads": arguments.threads,
            "isa": build_info()["isa"],
            "load": os.getloadavg()[0],
        }
        result["versions"] = versions
        result["command"] = _command(arguments)
        result["settings"] = {peer.name: peer.settings for peer in (Zoo(), *peers)}
        path = arguments.out / f"heads-{part}{'-quick' if arguments.quick else ''}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        for body, found in measured[part](arguments, peers):
            result |= body
            result["goals"] = [goal.as_json() for goal in found]
            path.write_text(json.dumps(result, indent=1) + "\n")  # at once: runs are long
        print()
        for goal in found:
            print(goal.line(), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [peer.name for peer in PEERS]
    parser.add_argument("--synthetic", action="store_true", help="made rows")
    parser.add_argument("--search", action="store_true", help="the search, on made rows")
    parser.add_argument("--real", action="store_true", help="real feature sets")
    parser.add_argument(
        "--quick", action="store_true", help="small shapes, few sets, few strengths"
    )
    parser.add_argument("--n", type=int, default=50_000, help="made rows to fit")
    parser.add_argument("--d", type=int, default=768)
    parser.add_argument("--k", type=int, nargs="*", default=[10, 100])
    parser.add_argument("--strength", type=float, default=1e-4, help="of made rows")
    parser.add_argument("--cv-rows", type=int, default=10_000, help="for LogisticRegressionCV")
    parser.add_argument("--skip-cv-peer", action="store_true", help="no LogisticRegressionCV")
    parser.add_argument("--rows", type=Path, help="folder of real sets")
    parser.add_argument("--sets", nargs="*", metavar="NAME", help="only these real sets")
    parser.add_argument("--strengths", type=float, nargs="*", help="of real sets")
    parser.add_argument("--peers", nargs="*", choices=names, default=names, metavar="NAME")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeat", type=int, default=5, help="alternating rounds")
    parser.add_argument(
        "--patience", type=float, help="times zoo's time that a peer's fit may take"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser


Steps = Iterable[tuple[dict[str, Any], list[goals.Goal]]]  # the result so far, and its goals


def _synthetic(arguments: argparse.Namespace, peers: list[Peer]) -> Steps:
    print(goals.HEAD, flush=True)
    cells: list[Cell] = []
    for k in arguments.k:
        rows = synthetic(arguments.n, arguments.d, k)
        cells.append(
            measure(Problem(rows, arguments.strength), peers, _rules(arguments, "synthetic"))
        )
        print(goals.line(cells[-1]), flush=True)
        _print_peers(cells[-1])
        body = {"attainable": ATTAINABLE, "cells": [cell.as_json() for cell in cells]}
        yield body, goals.synthetic_goals(cells)


def _search(arguments: argparse.Namespace, peers: list[Peer]) -> Steps:
    del peers
    repeat, threads = arguments.repeat, arguments.threads
    found: dict[str, Any] = {"searches": [], "cv_peer": []}
    for k in arguments.k:
        rows = synthetic(arguments.n, arguments.d, k)
        found["searches"].append(measure_search(rows, arguments.strength, repeat, threads))
        yield found, goals.search_goals(found)
        if arguments.skip_cv_peer:
            continue
        part = rows if len(rows.x_train) <= arguments.cv_rows else None
        part = part or replace(
            rows,
            name=f"{rows.name}, first {arguments.cv_rows}",
            x_train=rows.x_train[: arguments.cv_rows],
            y_train=rows.y_train[: arguments.cv_rows],
        )
        found["cv_peer"].append(measure_cv_peer(part, repeat, threads))
        yield found, goals.search_goals(found)


def _real(arguments: argparse.Namespace, peers: list[Peer]) -> Steps:
    names = arguments.sets or (list(QUICK_SETS) if arguments.quick else None)
    strengths = arguments.strengths or (QUICK_STRENGTHS if arguments.quick else STRENGTHS)
    sets = load(arguments.rows, names)
    if not sets:
        sys.exit(f"no sets in {arguments.rows}: make them with heads_real.py")
    print(goals.HEAD, flush=True)
    cells: list[Cell] = []
    for rows in sets:
        for strength in strengths:
            cells.append(measure(Problem(rows, strength), peers, _rules(arguments, "real")))
            print(goals.line(cells[-1]), flush=True)
            yield {"cells": [cell.as_json() for cell in cells]}, goals.real_goals(cells)


def _rules(arguments: argparse.Namespace, part: str) -> Rules:
    patience = arguments.patience or PATIENCE[part]
    return Rules(arguments.threads, arguments.repeat, patience)


def _print_peers(cell: Cell) -> None:
    for name, peer in cell.peers.items():
        if peer["seconds"]:
            ratio = peer["seconds"]["median"] / cell.ours["seconds"]["median"]
            told = f"{peer['seconds']['median'] * 1e3:11.1f} ms {ratio:8.2f} x zoo"
            told += (
                f"  {peer['dtype']}, {peer['threads']} threads, tolerance {peer['tolerance']:.0e}"
            )
            told += f", gap {peer['gap']:.0e}"
        else:
            told = peer["note"]
        print(f"    {name:26}{told}", flush=True)


def _mute_libraries() -> None:
    """Keep stdout and stderr for Python: Cyanure's core prints warnings for every fit."""
    sys.stdout, sys.stderr = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(2), "w", buffering=1)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)


def _installed(names: list[str]) -> tuple[list[Peer], dict[str, str]]:
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    versions["scipy"] = metadata.version("scipy")
    peers = []
    for kind in PEERS:
        if kind.name not in names:
            continue
        peer = kind()
        try:
            versions[peer.package] = peer.version()
        except ImportError:
            print(f"{peer.name}: left out, {peer.package} is not installed", file=sys.stderr)
            continue
        peers.append(peer)
    return peers, versions


def _command(arguments: argparse.Namespace) -> str:
    """The command again, without where it read from and wrote to."""
    parts = ["bench_heads.py"]
    defaults = _parser().parse_args([])
    for name, value in vars(arguments).items():
        if value == getattr(defaults, name) or name in {"rows", "out"}:
            continue
        parts.append(f"--{name.replace('_', '-')}")
        if not isinstance(value, bool):
            parts += map(str, value if isinstance(value, list) else [value])
    return " ".join(parts)


if __name__ == "__main__":
    main()
