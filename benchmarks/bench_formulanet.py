"""What the embedded backbone is worth with few labels, against its verdict's arms.

Ten labels of each class, drawn anew for each draw; all others (or the given test split) judge.
Each draw is a transfer as a user runs it, and its verdict. `strokes` are figures of classes that
the pretraining has not seen, by the pretraining's own generator; `flowers` and `cifar10` are
photographs, where a network of 32 pixels that has seen drawings alone is not expected to win.

    python benchmarks/bench_formulanet.py [--assets ASSETS] [--draws 20] [--shots 10] [--only CASE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from zoo.registry import Registry
from zoo.runs import RunOptions, run_transfer

_FOLDERS = {
    "mnist": "img-digits-mnist-usps/mnist",
    "usps": "img-digits-mnist-usps/usps",
    "cifar10": "img-cifar10-jpeg",
    "flowers": "img-flowers5",
}
_ARMS = ("transfer", "raw", "scratch", "random_weights", "majority")
_STROKES = {"classes": 20, "each": 60, "seed": 1_000_003}
_RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run every case and write what came out beside the other cases of the file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--assets", type=Path)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--model", default="builtin:formulanet")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--out", type=Path, default=_RESULTS / "formulanet.json")
    chosen = parser.parse_args()
    words = " ".join(sys.argv[1:])
    words = words if chosen.assets is None else words.replace(str(chosen.assets), "ASSETS")
    cases = {}
    with tempfile.TemporaryDirectory() as place:
        os.environ["ZOO_HOME"] = f"{place}/home"
        for name, draws in _cases(Path(place), chosen):
            found = []
            for number, data in enumerate(draws):
                options = RunOptions(out=Path(place) / "runs" / f"{name}-{number}")
                found.append(run_transfer(Registry(print), chosen.model, data, options=options))
                print(name, number, found[-1].verdict["level"], file=sys.stderr)
            cases[name] = _rounded(_told([run.summary for run in found]))
            cases[name]["command"] = f"python benchmarks/bench_formulanet.py {words}"
            print(json.dumps({name: cases[name]}))
    told = {
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
        "versions": {"zoo": zoo.__version__, "python": platform.python_version()},
        "model": chosen.model,
        "shots": chosen.shots,
        "cases": cases,
    }
    if chosen.out.is_file():  # of other cases, found by other commands on the same machine
        before = json.loads(chosen.out.read_text(encoding="utf-8"))
        if all(before.get(name) == told[name] for name in told if name != "cases"):
            told["cases"] = {**before["cases"], **cases}
    chosen.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _cases(place: Path, chosen: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    def wanted(name: str) -> bool:
        return not chosen.only or name in chosen.only

    draws, shots = range(chosen.draws), chosen.shots
    if wanted("digits"):
        yield "digits", [f"sklearn:digits?shots={shots}&seed={draw}" for draw in draws]
    if wanted("strokes"):
        whole = _drawn_strokes(place / "strokes")
        yield "strokes", [_few(whole, place / f"strokes-{d}", shots, d) for d in draws]
    for name, folder in _FOLDERS.items():
        if chosen.assets is None or not wanted(name):
            continue
        whole = chosen.assets / folder
        yield name, [_few(whole, place / f"{name}-{d}", shots, d) for d in draws]


def _few(whole: Path, place: Path, shots: int, seed: int) -> str:
    """A copy of a folder with splits, its training split cut to so many files of each class."""
    rng = np.random.default_rng(seed)
    shutil.copytree(whole / "test", place / "test")
    for folder in sorted((whole / "train").iterdir()):
        files = sorted(folder.iterdir())
        (place / "train" / folder.name).mkdir(parents=True)
        for i in np.sort(rng.permutation(len(files))[:shots]):
            shutil.copy(files[i], place / "train" / folder.name / files[i].name)
    return str(place)


def _told(summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the draws, their spread, and the levels that the verdicts gave."""
    verdicts = [summary["verdict"] for summary in summaries]
    every = [one["arms"] for one in verdicts]
    arms = {
        arm: {
            "mean": float(np.mean(values)),
            "deviation": float(np.std(values)),
            "seconds": float(np.median([one[arm]["seconds"] for one in every])),
        }
        for arm in _ARMS
        if (values := [one[arm]["value"] for one in every if arm in one])
    }
    over = {
        arm: _spread(
            [100 * (one["transfer"]["value"] - one[arm]["value"]) for one in every if arm in one]
        )
        for arm in arms
        if arm not in {"transfer", "majority"}
    }
    return {
        "draws": len(verdicts),
        "judged": verdicts[0]["rows"],
        "trained_on": verdicts[0]["train_rows"],
        "arms": arms,
        "points_over": over,
        "levels": dict(Counter(one["level"] for one in verdicts)),
        "seconds": float(np.median([s["ledger"]["seconds"]["total"] for s in summaries])),
    }


def _rounded(told: Any) -> Any:
    """The same with numbers of four decimals."""
    if isinstance(told, dict):
        return {name: _rounded(value) for name, value in told.items()}
    return round(told, 4) if isinstance(told, float) else told


def _spread(points: list[float]) -> dict[str, float]:
    low, high = np.quantile(points, (0.025, 0.975))
    return {"mean": float(np.mean(points)), "low": float(low), "high": float(high)}


def _drawn_strokes(place: Path) -> Path:
    """Class folders of figures whose programs the pretraining did not draw: white on black."""
    sys.path.insert(0, str(Path(__file__).parent / "pretrain"))
    import glyphs
    import torch
    from PIL import Image

    generator = torch.Generator().manual_seed(_STROKES["seed"])
    programs = glyphs.programs(_STROKES["classes"], generator)
    of = torch.arange(_STROKES["classes"]).repeat(_STROKES["each"])
    ink = glyphs.drawn(programs, of, generator)
    for i, picture in enumerate((ink * 255).round().to(torch.uint8).numpy()):
        split = "train" if i < len(of) // 2 else "test"
        folder = place / split / f"{int(of[i]):02d}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{i:05d}.png")
    return place


if __name__ == "__main__":
    main()
