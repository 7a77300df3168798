"""The tutorial plugin as a stranger would have it: built, installed, found, used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.plugin import ArrayRows, Target, UsageError
from zoo.registry import Registry

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "zoo-tutorial-head"


def pip(*words):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder into which the plugin's wheel is installed."""
    wheels = tmp_path_factory.mktemp("wheels")
    offline = ("--no-index", "--no-deps")
    pip("wheel", *offline, "--no-build-isolation", "--wheel-dir", str(wheels), str(PLUGIN))
    (wheel,) = wheels.glob("zoo_tutorial_head-*.whl")
    site = tmp_path_factory.mktemp("site")
    pip("install", *offline, "--target", str(site), str(wheel))
    return site


@pytest.fixture
def registry(site, monkeypatch):
    monkeypatch.syspath_prepend(str(site))
    warnings = []
    yield Registry(warnings.append, disabled=frozenset())
    assert warnings == []
    sys.modules.pop("zoo_tutorial_head", None)


@pytest.fixture
def head(registry):
    return registry.create("head", "cosine")


@pytest.fixture
def data():
    """Four classes of 30 rows in 8 dimensions, told apart by direction and not by length."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(4), 30)
    rows = rng.standard_normal((4, 8))[codes] + 0.9 * rng.standard_normal((120, 8))
    rows *= rng.uniform(0.1, 10, (120, 1))
    shuffled = rng.permutation(120)
    target = Target("class", codes[shuffled], ("a", "b", "c", "d"))
    return rows[shuffled].astype(np.float32), target


def fold(n):
    numbers = np.arange(n)
    return [(numbers[numbers % 3 != i], numbers[numbers % 3 == i]) for i in range(3)]


def test_the_registry_finds_it_by_its_entry_point(registry, site):
    (info,) = [info for info in registry.plugins() if info.name == "cosine"]
    assert (info.version, info.state, info.hooks) == ("0.1.0", "loaded", ("zoo_register_heads",))
    assert registry.heads["cosine"] is registry.heads["cosine/cosine"]
    assert Path(sys.modules["zoo_tutorial_head"].__file__).parent == site


def test_it_predicts_far_better_than_chance(head, data):
    rows, target = data
    head.fit(ArrayRows(rows[:80]), target.take(np.arange(80)))
    right = head.scores(ArrayRows(rows[80:])).argmax(axis=1) == target.values[80:]
    assert right.mean() > 0.9  # chance is 0.25; 0.9 of noise on class means of length 2.8


def test_its_temperature_is_chosen_by_the_inherited_search(head, data):
    rows, target = data
    found = head.search(ArrayRows(rows), target, fold(120))
    assert found.best == head.strength
    assert found.losses.min() < 0.5 * np.log(4)  # an ignorant head pays log k
    assert found.best not in (1.0, 0.01)  # the optimum is inside the grid, not at its edge


def test_its_scores_do_not_depend_on_blocks_or_lengths(head, data):
    rows, target = data
    head.fit(ArrayRows(rows), target)
    scores = head.scores(ArrayRows(rows))
    assert scores.shape == (120, 4)
    assert scores.dtype == np.float64
    # float32 rows are read as they are; scaling them by 3 rounds each value once
    np.testing.assert_allclose(head.scores(ArrayRows(rows * 3)), scores, atol=1e-5)
    one_by_one = [head.scores(ArrayRows(row[None]))[0] for row in rows]
    np.testing.assert_allclose(one_by_one, scores, atol=1e-12)  # BLAS may sum in another order
    assert head.scores(ArrayRows(rows[:0])).shape == (0, 4)


def test_unlabelled_and_weightless_rows_teach_nothing(registry, data):
    rows, target = data
    half = np.arange(60)
    one, two, three = (registry.create("head", "cosine") for _ in range(3))
    one.fit(ArrayRows(rows[half]), target.take(half))
    weight = (np.arange(120) < 60).astype(float)
    two.fit(ArrayRows(rows), target, sample_weight=weight)
    hidden = np.where(weight == 1, target.values, -1)
    three.fit(ArrayRows(rows), Target("class", hidden, target.names))
    np.testing.assert_allclose(two.means, one.means, atol=1e-12)
    np.testing.assert_allclose(three.means, one.means, atol=1e-12)


def test_it_comes_back_from_its_state(head, data):
    rows, target = data
    head.search(ArrayRows(rows), target, fold(120))
    head.fit(ArrayRows(rows), target)
    again = type(head).from_state(head.state())
    np.testing.assert_array_equal(
        again.scores(ArrayRows(rows)), head.scores(ArrayRows(rows)), strict=True
    )


def test_it_refuses_the_state_of_another_head(head):
    with pytest.raises(UsageError, match="not the state of a cosine head"):
        type(head).from_state({"weights": np.ones((2, 2))})


def test_its_module_imports_the_contract_and_numpy_alone():
    lines = (PLUGIN / "zoo_tutorial_head.py").read_text().splitlines()
    imports = [line for line in lines if line.lstrip().startswith(("import ", "from "))]
    assert imports == [
        "import numpy as np",
        "from zoo.plugin import Entry, Head, UsageError, hookimpl",
    ]


def test_a_transfer_runs_with_it(site, tmp_path):
    words = "transfer --data sklearn:digits --model builtin:tinyconv --head cosine --json"
    paths = [str(site), os.environ.get("PYTHONPATH", "")]
    ran = subprocess.run(
        [sys.executable, "-m", "zoo", *words.split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "ZOO_HOME": str(tmp_path / "home"),
        },
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["head"]["name"] == "cosine"
    evaluation = told["evaluation"]
    assert evaluation["metrics"][evaluation["primary"]]["value"] > 0.5  # chance is 0.1
