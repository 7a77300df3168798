"""The verdict of a run: levels, arms, what is kept of them, and that no shuffle is a gain."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import zoo
from zoo import baselines, settings
from zoo.baselines import Learned
from zoo.baselines.unfit import OverBudgetError, UnfitError
from zoo.data import plan_splits
from zoo.errors import DataError, GateError, MissingExtraError, SourceError, UsageError
from zoo.plugin import Dataset, Item, Target
from zoo.registry import Registry
from zoo.runs import RunOptions
from zoo.runs import verdict as module
from zoo.runs.arms import Arm, kept
from zoo.runs.verdict import hold_to_gate, judge, level_of
from zoo.runs.wording import advice, sentence

ARMS = ["transfer", "raw", "scratch", "random_weights", "majority"]


@pytest.fixture(autouse=True)
def _wanted(monkeypatch):
    monkeypatch.delenv("ZOO_NO_VERDICT")


@pytest.fixture
def learning(monkeypatch):
    """A learner from scratch that is as good as it is told to be, and a count of its trainings."""
    told = SimpleNamespace(error=0.3, trained=0, random=0, rows=True)

    def learn(items, target, *, judge, validation, seed, budget, **rest):
        told.trained += 1
        told.budget, told.asked = budget, rest
        rng = np.random.default_rng(seed + told.trained)
        truth = target.values[judge]
        if target.task == "class":
            guess = np.where(rng.random(len(judge)) < told.error, (truth + 1) % 2, truth)
            scores = np.eye(len(target.names))[guess]
        else:
            scores = truth + told.error * rng.normal(size=truth.shape)
        curve = [{"epoch": i, "train_loss": 1 / (i + 1), "validation": i / 10} for i in range(10)]
        return Learned(
            scores, 1 - told.error, 0.1, {"width": 8, "cut": True, "best_epoch": 7}, curve
        )

    def random_rows(model, items, *, seed, threads, batch_size, budget, begun):
        told.random += 1
        told.random_budget = budget
        if told.rows:
            begun()
        rng = np.random.default_rng(seed)
        return rng.normal(size=(len(items), 4)).astype(np.float32) if told.rows else None

    monkeypatch.setattr(baselines, "learn_scratch", learn)
    monkeypatch.setattr(baselines, "random_rows", random_rows)
    return told


def case(n=400, *, signal=3.0, task="class", modality="vector"):
    """Features that know the target, of samples that know nothing."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, n)
    x = rng.normal(size=(n, 6))
    x[:, 0] += signal * codes
    target = Target("class", codes, ("no", "yes"))
    if task == "regression":
        target = Target("regression", (x[:, :1] + 0.3 * rng.normal(size=(n, 1))), ("y",))
    if task == "multilabel":
        target = Target("multilabel", np.int8(x[:, :3] > 0), tuple("uvw"))
    if modality == "text":
        values = [" ".join(rng.choice(list("abcdefgh"), 8)) for _ in range(n)]
    elif modality == "image":
        values = list(rng.integers(0, 256, (n, 6, 6), dtype=np.uint8))
    else:
        values = list(rng.normal(size=(n, 4)))
    items = tuple(Item(str(i), value) for i, value in enumerate(values))
    keys = rng.integers(0, 256, (n, 16)).astype(np.uint8)
    dataset = Dataset("d", modality, items, target)
    return SimpleNamespace(dataset=dataset, keys=keys, features=x.astype(np.float32))


def verdict_of(extracted, **options):
    said = []
    contract = SimpleNamespace(digest=lambda: "contract")
    model = SimpleNamespace(contract=contract, source="builtin:x")
    head = {"regression": "ridge"}.get(extracted.dataset.target.task, "logistic")
    options = {"head": head, "threads": 1, "say": said.append, **options}
    chosen = RunOptions(**options)
    plan = plan_splits(extracted.dataset, extracted.keys, chosen.seed)
    return judge(Registry(said.append), model, extracted, plan, chosen), said


@pytest.mark.parametrize(
    ("low", "high", "level"),
    [
        (1.0, 9.0, "positive"),
        (0.999, 9.0, "marginal"),
        (0.0, 9.0, "none"),
        (-9.0, 0.0, "none"),
        (-9.0, -0.001, "negative"),
    ],
)
def test_levels_are_decided_by_the_interval(low, high, level):
    assert level_of(low, high) == level


@pytest.mark.parametrize("n", [120, 1000])
def test_features_that_know_more_are_positive(learning, n):
    found, said = verdict_of(case(n))
    assert found["level"] == "positive"
    assert list(found["arms"]) == ARMS
    arms = {name: arm["value"] for name, arm in found["arms"].items()}
    assert arms["transfer"] > 0.85 > arms["scratch"] > arms["raw"]
    assert found["reference"] == "scratch"
    assert found["delta"] == pytest.approx(100 * (arms["transfer"] - arms["scratch"]))
    assert found["low"] < found["delta"] < found["high"]
    assert found["arms"]["transfer"]["delta"] is None
    for name in ARMS[1:]:
        ahead = found["arms"][name]["delta"]
        assert ahead["value"] == pytest.approx(100 * (arms["transfer"] - arms[name]))
        assert ahead["low"] < ahead["value"] < ahead["high"]
    assert found["arms"]["scratch"]["delta"]["low"] == found["low"]
    assert found["rows"] == (120 if n == 120 else 200)
    assert found["protocol"] == ("5-fold" if n == 120 else "holdout")
    assert learning.trained == (5 if n == 120 else 1)
    assert learning.budget == pytest.approx(12.0 if n == 120 else 60.0)
    assert learning.asked == {"modality": "vector", "train": learning.asked["train"], "threads": 1}
    assert len([line for line in said if "from scratch" in line]) == 1
    json.dumps(found, allow_nan=False)


def test_what_is_better_from_scratch_is_negative(learning):
    learning.error = 0.0
    found, _ = verdict_of(case(400, signal=0.5))
    assert (found["level"], found["reference"]) == ("negative", "scratch")
    assert "do not use" in found["advice"]


def test_the_reference_is_chosen_on_validation_and_not_on_what_judges(learning, monkeypatch):
    learning.error = 0.0

    def boastful(*args, **named):
        return replace(real(*args, **named), validation=0.0)

    real = baselines.learn_scratch
    monkeypatch.setattr(baselines, "learn_scratch", boastful)
    found, _ = verdict_of(case(400))
    assert found["reference"] == "raw"
    assert found["arms"]["scratch"]["value"] == 1.0


def test_raw_pixels_that_know_the_class_win_over_features_that_do_not(learning):
    extracted = case(200, signal=0.0, modality="image")
    codes = extracted.dataset.target.values
    for item, code in zip(extracted.dataset.items, codes, strict=True):
        item.value[:, :3] = 200 * code + item.value[:, :3] // 8
    found, _ = verdict_of(extracted)
    assert (found["level"], found["reference"]) == ("negative", "raw")
    assert found["arms"]["raw"]["value"] > 0.99
    assert found["arms"]["raw"]["chosen"].startswith("pixels ")


@pytest.mark.parametrize(("task", "metric"), [("regression", "r2"), ("multilabel", "macro_f1")])
@pytest.mark.parametrize("modality", ["vector", "text"])
def test_numbers_and_labels_have_a_verdict(learning, task, metric, modality):
    learning.error = 3.0
    found, _ = verdict_of(case(120, task=task, modality=modality))
    assert (found["metric"], found["level"]) == (metric, "positive")
    assert found["unit"] == "points"


def test_the_second_run_and_another_backbone_train_nothing(learning, monkeypatch):
    extracted = case(200)
    first, _ = verdict_of(extracted)
    learning.trained = learning.random = 0
    again, said = verdict_of(extracted)
    assert (learning.trained, learning.random, said) == (0, 0, [])
    cached = [name for name, arm in again["arms"].items() if arm["cached"]]
    assert cached == ARMS[:-1]
    for found in (first, again):
        for arm in found["arms"].values():
            arm.pop("cached")
    first["arms"].pop("majority")
    again["arms"].pop("majority")
    assert first == again
    other = SimpleNamespace(**{**vars(extracted), "features": extracted.features[:, :3]})
    found, _ = verdict_of(other)
    told = {name: arm["cached"] for name, arm in found["arms"].items()}
    assert told["raw"], "what does not depend on the backbone is found again"
    assert told["scratch"]
    assert not told["transfer"]
    learning.trained = 0
    verdict_of(extracted, seed=1)
    assert learning.trained == 5


def test_the_head_of_a_plugin_is_fitted_again_for_its_code_may_change(learning, monkeypatch):
    from zoo.heads.logistic import LogisticHead

    class Foreign(LogisticHead):
        pass

    Foreign.__module__ = "zoo_foreign.head"
    create = Registry.create

    def made(self, kind, name):
        return Foreign() if name == "foreign" else create(self, kind, name)

    monkeypatch.setattr(Registry, "create", made)
    monkeypatch.setattr(Registry, "blaming", lambda self, kind, name: nullcontext())
    for _ in range(2):
        found, _ = verdict_of(case(200), head="foreign")
        assert not found["arms"]["transfer"]["cached"]
    assert found["arms"]["raw"]["cached"]


def test_a_transfer_that_fails_leaves_the_run_without_a_verdict(learning, monkeypatch):
    def failing(*args):
        raise DataError("the head's rows are odd")

    monkeypatch.setattr(module.arms, "with_head", failing)
    found, said = verdict_of(case(200))
    assert found is None
    assert said[-1] == "warning: no verdict: transfer: the head's rows are odd"


def test_a_damaged_file_of_an_arm_is_trained_again(learning):
    extracted = case(200)
    first, _ = verdict_of(extracted)
    (path,) = (settings.home() / "arms" / "raw").iterdir()
    path.write_bytes(path.read_bytes()[:-200])
    again, _ = verdict_of(extracted)
    assert not again["arms"]["raw"]["cached"]
    assert again["arms"]["raw"]["value"] == first["arms"]["raw"]["value"]


def test_a_home_that_can_not_be_written_costs_the_saving_alone(learning, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file"))
    found, _ = verdict_of(case(200))
    assert found["level"] == "positive"


def test_without_a_budget_nothing_is_trained_from_scratch(learning):
    found, _ = verdict_of(case(200), scratch_budget=0)
    assert (learning.trained, learning.random) == (0, 0)
    assert list(found["arms"]) == ["transfer", "raw", "majority"]
    assert set(found["left_out"]) == {"scratch", "random_weights"}


def test_a_backbone_that_is_no_torch_module_is_said_once_and_kept(learning):
    learning.rows = False
    extracted = case(200)
    for _ in range(2):
        found, said = verdict_of(extracted)
        assert "no torch module" in found["left_out"]["random_weights"]
        assert learning.random == 1
        assert not any("random weights" in line for line in said)


def test_random_weights_that_take_longer_than_the_budget_are_left_out(learning, monkeypatch):
    known = baselines.random_rows

    def slow(model, items, *, budget, **named):
        if budget < 25:
            raise OverBudgetError("it would take 25 s: more than --scratch-budget")
        return known(model, items, budget=budget, **named)

    monkeypatch.setattr(baselines, "random_rows", slow)
    found, _ = verdict_of(case(200), scratch_budget=24.0)
    said = found["left_out"]["random_weights"]
    assert said == "it would take 25 s: more than --scratch-budget"
    found, _ = verdict_of(case(200), scratch_budget=26.0)
    assert "random_weights" in found["arms"]
    assert (learning.random, learning.random_budget) == (1, 26.0)
    found, _ = verdict_of(case(200), scratch_budget=24.0)
    assert found["arms"]["random_weights"]["cached"], "what is there takes no time"


def test_a_slow_moment_is_not_held_against_the_random_weights_for_good(learning, monkeypatch):
    known = baselines.random_rows

    def slow(model, items, **named):
        raise OverBudgetError("it would take 90 s: more than --scratch-budget")

    monkeypatch.setattr(baselines, "random_rows", slow)
    assert "random_weights" in verdict_of(case(200))[0]["left_out"]
    monkeypatch.setattr(baselines, "random_rows", known)
    assert "random_weights" in verdict_of(case(200))[0]["arms"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError("libcublas.so.12: cannot open"), "OSError: libcublas.so.12: cannot open"),
        (ImportError("half a package"), "ImportError: half a package"),
        (ModuleNotFoundError("No module", name="torch"), "'torch' is not installed"),
        (ModuleNotFoundError("half a module"), "ModuleNotFoundError: half a module"),
        (AttributeError("gone\nand a trace"), "AttributeError: gone and a trace"),
        (MemoryError(), "MemoryError"),
        (DataError("no photo can be read"), "no photo can be read"),
    ],
)
def test_whatever_ends_an_arm_leaves_the_rest(learning, monkeypatch, error, told):
    def broken(*args, **named):
        raise error

    monkeypatch.setattr(baselines, "learn_scratch", broken)
    found, _ = verdict_of(case(200))
    assert found["left_out"]["scratch"] == told
    assert found["reference"] == "raw"
    assert "random_weights" in found["arms"]


def test_a_learner_that_fails_leaves_the_rest(learning, monkeypatch):
    def failing(*args, **named):
        raise RuntimeError("out of memory\nand a trace")

    monkeypatch.setattr(baselines, "learn_scratch", failing)
    found, _ = verdict_of(case(200))
    assert found["left_out"]["scratch"] == "out of memory"
    assert found["reference"] == "raw"


def test_an_interrupt_that_became_another_error_is_no_arm_that_failed(learning, monkeypatch):
    def interrupted(*args, **named):
        raise RuntimeError("initialisation failed") from KeyboardInterrupt()

    monkeypatch.setattr(baselines, "learn_scratch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        verdict_of(case(200))


def test_what_ctrl_c_made_unfit_is_not_filed_as_that(learning, monkeypatch):
    known = baselines.random_rows

    def half(*args, **named):
        raise UnfitError("the architecture does not run with random weights: a half import")

    monkeypatch.setattr(baselines, "random_rows", half)
    with pytest.raises(KeyboardInterrupt):
        verdict_of(case(200), interrupted=lambda: True)
    monkeypatch.setattr(baselines, "random_rows", known)
    assert "random_weights" in verdict_of(case(200))[0]["arms"]


def test_an_arm_that_fails_once_ctrl_c_was_pressed_is_an_interruption(learning, monkeypatch):
    pressed = []

    def interrupted(*args, **named):
        pressed.append(1)
        raise ImportError("a module that is half there")

    monkeypatch.setattr(baselines, "learn_scratch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        verdict_of(case(200), interrupted=lambda: bool(pressed))


def test_without_torch_the_raw_input_is_what_to_beat(learning, monkeypatch):
    there = {name: getattr(baselines, name) for name in ("learn_scratch", "random_rows")}

    def missing(*args, **named):
        raise MissingExtraError("torch", "", package="torch>=2.10")

    for name in there:
        monkeypatch.setattr(baselines, name, missing)
    found, _ = verdict_of(case(200))
    assert "torch" in found["left_out"]["scratch"]
    assert found["level"] == "positive"
    for name, function in there.items():  # it is installed, and nothing was filed
        monkeypatch.setattr(baselines, name, function)
    again, _ = verdict_of(case(200))
    assert again["left_out"] == {}
    assert {"scratch", "random_weights"} <= set(again["arms"])


def test_convergence_is_told(learning):
    found, _ = verdict_of(case(200))
    told = found["convergence"]["scratch"]
    assert (told["converged"], told["epochs"], told["best_epoch"]) == (False, 10, 7)
    assert found["convergence"]["transfer"] == {"converged": True}
    assert "--scratch-budget" in found["advice"], "it was cut short"


def test_shuffled_labels_are_no_gain(learning):
    """The short form of benchmarks/calibrate_verdict.py: at most 2 of 20 above none."""
    above = 0
    extracted = case(150)
    rng = np.random.default_rng(0)
    for _ in range(20):
        codes = rng.permutation(extracted.dataset.target.values)
        target = Target("class", codes, ("no", "yes"))
        dataset = replace(extracted.dataset, target=target)
        shuffled = SimpleNamespace(**{**vars(extracted), "dataset": dataset})
        found, _ = verdict_of(shuffled, scratch_budget=0)
        above += found["level"] in {"positive", "marginal"}
    assert above <= 2  # of 20 at 2.5 %, three or more are one time in 77


def a_verdict(level="none", **values):
    base = {"level": level, "delta": 0.4, "low": -1.0, "high": 1.8, "metric": "accuracy"}
    base |= {"rows": 500, "reference": "raw", "convergence": {}, "advice": "do"}
    return {**base, **values}


@pytest.mark.parametrize("level", ["positive", "marginal", "none", "negative"])
def test_a_verdict_is_a_sentence_with_its_figures(level):
    told = sentence(a_verdict(level, delta=-3.25))
    assert "3.2 points of accuracy" in told
    assert "-1.0 to +1.8 points" in told
    assert "raw input" in told
    assert len(advice(a_verdict(level))) > 20


def test_the_gate_lets_gains_pass_alone():
    hold_to_gate(a_verdict("positive"), "runs/x")
    hold_to_gate(a_verdict("marginal"), "runs/x")
    for verdict in (a_verdict("none"), a_verdict("negative"), None):
        with pytest.raises(GateError, match="runs/x"):
            hold_to_gate(verdict, "runs/x")


def test_a_budget_must_be_seconds():
    with pytest.raises(UsageError, match="scratch budget"):
        RunOptions(scratch_budget=-1.0).check()
    with pytest.raises(UsageError, match="scratch budget"):
        RunOptions(scratch_budget=float("nan")).check()


def test_a_transfer_has_its_verdict_and_keeps_it(tmp_path, learning):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (60, 12, 12), dtype=np.uint8)
    labels = ["dark" if picture.mean() < 127 else "light" for picture in pictures]
    run = zoo.transfer("builtin:tinyconv", pictures, labels, out=tmp_path / "run")
    assert run.verdict["level"] in {"positive", "marginal", "none", "negative"}
    assert run.summary["features"]["forwards"] == 60, "arms are never counted"
    assert zoo.load_run(str(tmp_path / "run")).verdict == run.verdict
    run = zoo.transfer(
        "builtin:tinyconv", pictures, labels, out=tmp_path / "other", no_verdict=True
    )
    assert run.verdict is None


def test_a_cached_run_with_its_verdict_loads_neither_torch_nor_scikit_learn(photos, zoo, tmp_path):
    run = ["transfer", "--model", "builtin:tinyconv", "--data", str(photos), "--json"]
    quick = [*run, "--scratch-budget", "2"]
    first = zoo(*quick).json
    code = (
        "import sys\nfrom zoo.cli import main\n"
        f"main({quick!r})\n"
        "heavy = {'torch', 'sklearn', 'transformers', 'scipy'} & set(sys.modules)\n"
        "print('heavy:', *sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == "heavy:"
    again = json.loads(done.stdout)
    assert again["features"]["forwards"] == 0
    assert again["verdict"]["delta"] == first["verdict"]["delta"]
    assert all(
        arm["cached"] for name, arm in again["verdict"]["arms"].items() if name != "majority"
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_arm_is_trained_again(tmp_path, seed):
    made = []

    def train():
        made.append(1)
        return Arm(np.arange(60.0).reshape(20, 3), 0.5, 0.0, {"head": "knn"})

    first = kept(tmp_path, "raw", ["x"], train)
    (path,) = tmp_path.rglob("*.npz")
    content = bytearray(path.read_bytes())
    place = np.random.default_rng(seed).integers(8 * len(content))
    content[place // 8] ^= 1 << (place % 8)
    path.write_bytes(content)
    again = kept(tmp_path, "raw", ["x"], train)
    assert (again.scores == first.scores).all()


def test_what_may_pass_is_not_filed_and_what_cannot_be_is(tmp_path):
    def offline():
        raise SourceError("no network")

    def never():
        raise UnfitError("no torch module")

    with pytest.raises(SourceError):
        kept(tmp_path, "random_weights", ["x"], offline)
    assert not list(tmp_path.rglob("*.npz"))
    assert kept(tmp_path, "random_weights", ["x"], never).left_out == "no torch module"
    found = kept(tmp_path, "random_weights", ["x"], offline)
    assert (found.cached, found.left_out) == (True, "no torch module")
