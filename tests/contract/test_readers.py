"""Every built-in data reader keeps the contract that plugins are held to."""

from __future__ import annotations

import io
import shutil
import tarfile

import numpy as np
import pytest

import zoo.builtins
from zoo.testing import reader_checks

ENTRIES = {entry.name: entry for entry in zoo.builtins.zoo_register_datasets()}
# A case is data that a reader reads; a new reader brings some.
CASES = {
    "arrays": "digits.npz",
    "parquet": "reviews.parquet",
    "webdataset": "photos.tar",
    "listed": "listed",
    "table": "reviews.csv",
    "folder": "photos",
    "sklearn": "digits",
}


@pytest.fixture
def place(tmp_path, monkeypatch, photos, reviews):
    """The data of the cases in the working folder."""
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "digits.npz", x=images, y=np.arange(6) % 2)
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        for i, path in enumerate(sorted(photos.rglob("*.png"))):
            tar.add(path, f"{i}.png")
            label = tarfile.TarInfo(f"{i}.cls")
            label.size = 1
            tar.addfile(label, io.BytesIO(str(i % 2).encode()))
    (tmp_path / "listed").mkdir()
    shutil.copy(photos / "dark" / "00.png", tmp_path / "listed" / "a.png")
    shutil.copy(photos / "light" / "00.png", tmp_path / "listed" / "b.png")
    (tmp_path / "listed" / "metadata.csv").write_text("file_name,label\na.png,x\nb.png,y\n")
    monkeypatch.chdir(tmp_path)


def test_every_reader_has_a_case():
    assert set(CASES) == set(ENTRIES)


@pytest.mark.parametrize("name", CASES)
def test_a_built_in_reader_keeps_the_contract(place, name):
    if name == "parquet":
        table = pytest.importorskip("pyarrow.csv").read_csv("reviews.csv")
        pytest.importorskip("pyarrow.parquet").write_table(table, "reviews.parquet")
    for check in reader_checks(ENTRIES[name], CASES[name]):
        check()
