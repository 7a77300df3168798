"""The verdict at the shell: its lines, its JSON, its gate, and how to do without."""

from __future__ import annotations

import copy
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from zoo.cli import main
from zoo.cli.summary import lines
from zoo.runs import arms

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
    assert re.search(
        r" s\)   [+-]\d+\.\d \([+-]\d+\.\d to [+-]\d+\.\d\)   compared with ", lines[5]
    )
    assert "left out: --scratch-budget 0" in lines[6]
    assert lines[8].startswith("next      ")
    assert len(lines) <= 15
    assert "from the cache" in transfer(zoo, photos).out


def test_the_majority_of_other_rows_than_the_score_s_names_them(zoo, photos):
    summary = transfer(zoo, photos, "--json", "--out", "run").json
    (line,) = [line for line in lines(SimpleNamespace(summary=summary)) if "majority" in line]
    assert line.endswith("   on 5 x 5-fold cross-validation of 24 rows (majority 0.417)")
    larger = copy.deepcopy(summary)
    larger["evaluation"].update(rows=9_000, protocol="holdout", folds=[])
    (line,) = [line for line in lines(SimpleNamespace(summary=larger)) if "majority" in line]
    assert line.endswith("   on 9000 held-out rows (majority 0.417 on 24 of them)")


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
    got = transfer(zoo, photos, "--json", "--out", "run", env=off).json
    assert got["verdict"] is None
    record = json.loads((photos.parent / "run" / "run.json").read_text("utf-8"))
    assert record["options"]["no_verdict"] is True


def test_a_gate_without_a_verdict_contradicts_itself(zoo, photos):
    done = transfer(zoo, photos, "--gate", "--no-verdict")
    assert done.code == 2
    assert "--no-verdict" in done.err


def test_a_budget_below_zero_is_refused(zoo, photos):
    done = transfer(zoo, photos, "--scratch-budget", "-1")
    assert done.code == 2
    assert "scratch budget" in done.err


def test_ctrl_c_in_an_arm_costs_the_verdict_and_nothing_else(
    zoo, photos, tmp_path, monkeypatch, capsys
):
    def pressed(*arguments):
        raise KeyboardInterrupt

    for name, value in ON.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    words = ["transfer", "--model", "builtin:tinyconv", "--data", "photos", "--out", "run"]
    with monkeypatch.context() as patch:
        patch.setattr(arms, "on_raw", pressed)
        assert main([*words, "--json"]) == 130
    out, err = capsys.readouterr()
    assert out == ""
    *_, said, last, hint = filter(None, err.splitlines())
    assert said.startswith("the run is kept in 'run', without a verdict; the same command finds ")
    assert last == "zoo: interrupted; everything finished so far is kept"
    assert hint == f"hint: go on with: zoo {' '.join([*words, '--json'])}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "run"]

    shown = zoo("runs", "show", "run", "--json").json
    assert shown["verdict"] is None
    assert shown["evaluation"]["rows"] == 24
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert record["notes"][-1] == "no verdict: interrupted"
    assert len(zoo("predict", "run", "photos", "--json").json["predictions"]) == 24
    assert zoo("report", "run").code == 0
    assert "no verdict: interrupted" in (tmp_path / "run" / "report.html").read_text("utf-8")

    again = transfer(zoo, photos, "--out", "run", "--json").json
    assert again["features"]["forwards"] == 0
    cached = {name: arm["cached"] for name, arm in again["verdict"]["arms"].items()}
    assert cached == {"transfer": True, "raw": False, "majority": False}
