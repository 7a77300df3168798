"""The verdict at the shell: its lines, its JSON, its gate, and how to do without."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

ON = {"ZOO_NO_VERDICT": "", "ZOO_SCRATCH_BUDGET": "0"}


@pytest.fixture
def noise(tmp_path):
    """60 pictures in two classes that nothing tells apart."""
    rng = np.random.default_rng(0)
    for i in range(60):
        folder = tmp_path / "noise" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (12, 12), dtype=np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "noise"


def transfer(zoo, data, *more, env=ON):
    return zoo("transfer", "--model", "builtin:tinyconv", "--data", data, *more, env=env)


def test_the_verdict_has_lines_of_its_own(zoo, photos):
    done = transfer(zoo, photos)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("verdict   No gain from the transfer is shown: ")
    assert lines[1].startswith("          95 % interval ")
    assert "24 rows" in lines[1]
    assert "(majority 0." in lines[2]
    assert [line.split("  ")[1] for line in lines[4:8]] == [
        "transfer",
        "raw input",
        "from scratch",
        "random weights",
    ]
    assert "compared with" in lines[5]
    assert "left out: --scratch-budget 0" in lines[6]
    assert lines[8].startswith("next      ")
    assert len(lines) <= 15
    assert "from the cache" in transfer(zoo, photos).out


def test_the_verdict_is_a_json_object(zoo, photos):
    got = transfer(zoo, photos, "--json", "--out", "run").json["verdict"]
    assert got["level"] == "none"
    assert list(got["arms"]) == ["transfer", "raw", "majority"]
    for arm in got["arms"].values():
        assert arm["low"] <= arm["value"] <= arm["high"]
        assert arm["seconds"] >= 0
    assert set(got) >= {"delta", "low", "high", "metric", "rows", "convergence", "advice"}
    shown = zoo("runs", "show", "run", "--json").json
    assert shown["verdict"] == got


def test_the_gate_is_exit_code_7_after_the_run_is_kept(zoo, noise, tmp_path):
    done = transfer(zoo, noise, "--gate", "--json", "--out", "run")
    assert done.code == 7
    assert json.loads(done.out)["verdict"]["level"] in {"none", "negative"}
    assert "the run is kept in 'run'" in done.err
    assert "hint: " in done.err
    assert (tmp_path / "run" / "head.safetensors").is_file()


def test_no_verdict_is_one_flag_or_one_variable(zoo, photos):
    assert transfer(zoo, photos, "--no-verdict", "--json").json["verdict"] is None
    off = {"ZOO_NO_VERDICT": "1"}
    assert transfer(zoo, photos, "--json", env=off).json["verdict"] is None


def test_a_gate_without_a_verdict_contradicts_itself(zoo, photos):
    done = transfer(zoo, photos, "--gate", "--no-verdict")
    assert done.code == 2
    assert "--no-verdict" in done.err


def test_a_budget_below_zero_is_refused(zoo, photos):
    done = transfer(zoo, photos, "--scratch-budget", "-1")
    assert done.code == 2
    assert "scratch budget" in done.err
