"""Small finished runs to look at."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import zoo


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pictures(tmp_path):
    """Writes grey pictures, dark and light in turn, and a table that names them; gives its path."""
    from PIL import Image

    def make(count=40, columns=("label",), cells=None, noise=25, folder="pictures"):
        rng = np.random.default_rng(0)
        place = tmp_path / folder
        place.mkdir()
        with (place / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file_name", *columns])
            for i in range(count):
                level = 90 if i % 2 else 160
                pixels = np.clip(rng.normal(level, noise, (8, 8)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{i:04}.png")
                own = [("dark" if i % 2 else "light")] if cells is None else cells(i)
                writer.writerow([f"{i:04}.png", *own])
        return place

    return make


@pytest.fixture
def transfer():
    """Runs a transfer on the built-in backbone, with a quick head."""

    def run(data, labels=None, **options):
        return zoo.transfer("builtin:tinyconv", data, labels, out="run", **options)

    return run
