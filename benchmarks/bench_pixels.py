"""From a JPEG to a backbone's input: the native pass beside Pillow and NumPy, at one thread.

    python benchmarks/bench_pixels.py

A photo is resized to a shortest edge of 256, its centre of 224 cut out, rescaled, normalised and
turned to planes: with decoding (simplejpeg and the native pass; Pillow and NumPy), and without,
each from what its own decoder gives. Pillow and NumPy do what transformers' Pillow backend does,
less its overhead and the copies it takes for EXIF and colour. That results are equal to the last
bit is checked first. Medians of alternating rounds, in processor time of the thread (`ratio`) and
by the clock.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from bench_cached_run import processor
from PIL import Image

from zoo import engine
from zoo.plugin import Item
from zoo.preprocess import ImageSpec
from zoo.preprocess.decode import decode

PHOTOS = {(500, 375): (60, 5), (4000, 3000): (15, 1)}  # rounds, and runs in each
FILTERS = ("box", "bilinear", "bicubic", "lanczos")
SHORT, SIZE = 256, 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def main() -> None:
    """Print a line for each photo, filter and task, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    cells = [
        cell
        for (width, height), (rounds, runs) in PHOTOS.items()
        for cell in _cells(_photo(width, height), (width, height), rounds, runs)
    ]
    result = {
        "benchmark": "pixels",
        "command": "python benchmarks/bench_pixels.py",
        "machine": {"processor": processor(), "threads": 1, "load": load},
        "isa": engine.build_info()["isa"],
        "versions": {n: metadata.version(n) for n in ("numpy", "pillow", "simplejpeg")},
        "cells": cells,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "pixels.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _photo(width: int, height: int) -> bytes:
    """A JPEG of quality 90 with some two bits a pixel, as photos have: coarse shapes and noise."""
    random = np.random.default_rng(width)
    coarse = random.integers(0, 256, (height // 40 + 2, width // 40 + 2, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), 3)).astype(np.float32)
    noisy = smooth + random.normal(0, 5, smooth.shape)
    file = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _cells(content: bytes, size: tuple[int, int], rounds: int, runs: int) -> list[dict[str, Any]]:
    item = Item("photo.jpg", content)
    held, opened = decode(item, "image"), _pillow_decoded(content)
    cells = []
    for name in FILTERS:
        spec = ImageSpec.from_stated(
            {"size": SIZE, "resize": SHORT, "filter": name, "mean": [*MEAN], "std": [*STD]}, name
        )
        tasks: dict[str, tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]] = {
            "resize": (
                lambda spec=spec: spec.apply(held),
                lambda name=name: _pillow_prepared(opened, name),
            ),
            "decode and resize": (
                lambda spec=spec: spec.apply(decode(item, "image")),
                lambda name=name: _pillow_prepared(_pillow_decoded(content), name),
            ),
        }
        for task, (ours, theirs) in tasks.items():
            if not np.array_equal(ours(), theirs()):
                raise SystemExit(f"{size} {name}: the two differ")
            times = _times({"zoo": ours, "pillow": theirs}, rounds, runs)
            cell = {"photo": [*size], "bytes": len(content), "filter": name, "task": task, **times}
            cell["ratio"] = times["pillow_ms"] / times["zoo_ms"]
            cell["ratio_by_clock"] = times["pillow_clock_ms"] / times["zoo_clock_ms"]
            cells.append(cell)
            print(
                json.dumps({a: round(b, 3) if isinstance(b, float) else b for a, b in cell.items()})
            )
    return cells


def _pillow_decoded(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image


def _pillow_prepared(image: Image.Image, name: str) -> np.ndarray:
    short, long = sorted(image.size)
    longer = int(SHORT * long / short)
    target = (SHORT, longer) if image.width <= image.height else (longer, SHORT)
    pixels = np.asarray(image.resize(target, engine.FILTERS.index(name)))
    top, left = (pixels.shape[0] - SIZE) // 2, (pixels.shape[1] - SIZE) // 2
    pixels = pixels[top : top + SIZE, left : left + SIZE]
    scaled = (pixels.astype(np.float64) * (1 / 255)).astype(np.float32)
    normal = (scaled - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1))


def _times(tasks: dict[str, Callable[[], Any]], rounds: int, runs: int) -> dict[str, float]:
    """Medians over alternating rounds, in milliseconds a run."""
    spent: dict[str, list[float]] = {f"{name}{unit}": [] for name in tasks for unit in UNITS}
    for number in range(rounds + 1):
        for name, task in tasks.items():
            start = [clock() for clock in UNITS.values()]
            for _ in range(runs):
                task()
            if number == 0:  # caches and pages warm up
                continue
            for (unit, clock), then in zip(UNITS.items(), start, strict=True):
                spent[f"{name}{unit}"].append((clock() - then) / runs * 1e3)
    return {name: statistics.median(times) for name, times in spent.items()}


UNITS: dict[str, Callable[[], float]] = {"_ms": time.thread_time, "_clock_ms": time.perf_counter}

if __name__ == "__main__":
    main()
