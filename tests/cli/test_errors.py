"""Every failure that a user can cause: one line, a hint, the documented exit code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

USAGE, SOURCE, DATA, STORE, TRUST = 2, 3, 4, 5, 6


@pytest.fixture
def place(tmp_path, photos, reviews, tiny_vit, tiny_bert):
    """A folder with good and bad models and data under short names."""
    del photos, reviews
    shutil.copytree(tiny_vit, tmp_path / "vit")
    shutil.copytree(tiny_bert, tmp_path / "bert")
    shutil.copytree(tiny_vit, tmp_path / "corrupt")
    whole = (tmp_path / "corrupt" / "model.safetensors").read_bytes()
    (tmp_path / "corrupt" / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    shutil.copytree(tiny_bert, tmp_path / "codeful")
    config = json.loads((tmp_path / "codeful" / "config.json").read_text())
    config.update(model_type="mystery", auto_map={"AutoModel": "evil.Evil"})
    (tmp_path / "codeful" / "config.json").write_text(json.dumps(config))
    (tmp_path / "empty").mkdir()
    shutil.copytree(tmp_path / "photos" / "dark", tmp_path / "one" / "dark")
    for name in ("a", "b"):
        (tmp_path / "broken" / name).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "broken" / name / f"{i}.jpg").write_bytes(b"this is no image")
    (tmp_path / "plain.onnx").write_bytes(b"not a model")
    (tmp_path / "one.csv").write_text("text,label\na,x\nb,x\n")
    (tmp_path / "ragged.csv").write_text("text,label\na,x\nb\nc,y\n")
    np.savez(tmp_path / "floats.npz", x=np.zeros((4, 8, 8)), y=np.arange(4) % 2)
    return tmp_path


VIT, BERT = ("--model", "hf:./vit"), ("--model", "hf:./bert")
PHOTOS, REVIEWS = ("--data", "photos"), ("--data", "reviews.csv")
CASES = {
    "unknown command": (["transfr"], USAGE, "transfr"),
    "unknown option": (["transfer", "--modle", "x"], USAGE, "--modle"),
    "missing option": (["transfer", *VIT], USAGE, "--data"),
    "unknown head": (["transfer", *VIT, *PHOTOS, "--head", "logistc"], USAGE, "logistc"),
    "unknown device": (["transfer", *VIT, *PHOTOS, "--device", "tpu"], USAGE, "tpu"),
    "unknown dtype": (["transfer", *VIT, *PHOTOS, "--dtype", "int3"], USAGE, "int3"),
    "unknown run time": (["transfer", *VIT, *PHOTOS, "--runtime", "abacus"], USAGE, "abacus"),
    "unknown task": (["transfer", *VIT, *PHOTOS, "--task", "guess"], USAGE, "guess"),
    "no threads": (["transfer", *VIT, *PHOTOS, "--threads", "0"], USAGE, "threads"),
    "empty batch": (["transfer", *VIT, *PHOTOS, "--batch-size", "0"], USAGE, "batch"),
    "negative limit": (["transfer", *VIT, *PHOTOS, "--limit", "-1"], USAGE, "limit"),
    "unknown preprocessing": (
        ["transfer", *VIT, *PHOTOS, "--preprocess", "sise=3"],
        USAGE,
        "sise",
    ),
    "preprocessing that is no number": (
        ["transfer", *VIT, *PHOTOS, "--preprocess", "scale=nan"],
        USAGE,
        "scale",
    ),
    "unknown export": (["extract", *VIT, *PHOTOS, "--export", "f.xls"], USAGE, "f.xls"),
    "out is not a run": (["transfer", *VIT, *PHOTOS, "--out", "photos"], USAGE, "photos"),
    "unknown key": (["cache", "info", "nokey"], USAGE, "nokey"),
    "unknown provider": (["transfer", "--model", "hff:x/y", *PHOTOS], SOURCE, "hff"),
    "no provider": (["transfer", "--model", "resnet", *PHOTOS], SOURCE, "resnet"),
    "no such model folder": (["transfer", "--model", "hf:./vti", *PHOTOS], SOURCE, "./vti"),
    "no such built-in": (["transfer", "--model", "builtin:big", *PHOTOS], SOURCE, "big"),
    "not in the Hub's cache": (
        ["transfer", "--model", "hf:nobody/nothing", *PHOTOS, "--offline"],
        SOURCE,
        "nobody/nothing",
    ),
    "corrupt weights": (["transfer", "--model", "hf:./corrupt", *PHOTOS], SOURCE, "corrupt"),
    "corrupt onnx": (
        [
            "transfer",
            "--model",
            "onnx:./plain.onnx#x",
            *PHOTOS,
            "--preprocess",
            "size=8,resize=exact,mean=0,std=1",
        ],
        SOURCE,
        "plain.onnx",
    ),
    "onnx without preprocessing": (
        ["transfer", "--model", "onnx:./plain.onnx", *PHOTOS],
        SOURCE,
        "not stated",
    ),
    "unknown tap": (["transfer", "--model", "hf:./vit#nothing", *PHOTOS], SOURCE, "nothing"),
    "model needs its own code": (
        ["transfer", "--model", "hf:./codeful#last_hidden_state/mean", *REVIEWS],
        TRUST,
        "code of its own",
    ),
    "no such data": (["transfer", *VIT, "--data", "photo"], DATA, "photo"),
    "empty folder": (["transfer", *VIT, "--data", "empty"], DATA, "empty"),
    "one class": (["transfer", *VIT, "--data", "one"], DATA, "dark"),
    "one class in a table": (["transfer", *BERT, "--data", "one.csv"], DATA, "x"),
    "only unreadable files": (["transfer", *VIT, "--data", "broken"], DATA, "none of the 6"),
    "missing column": (["transfer", *BERT, *REVIEWS, "--target", "labl"], DATA, "labl"),
    "ragged table": (["transfer", *BERT, "--data", "ragged.csv"], DATA, "ragged.csv"),
    "image model on texts": (["transfer", *VIT, *REVIEWS], DATA, "image"),
    "text model on images": (["transfer", *BERT, *PHOTOS], DATA, "text"),
    "floating-point images": (["transfer", *VIT, "--data", "floats.npz"], DATA, "float64"),
    "no such run": (["predict", "runs/none", "photos"], DATA, "runs/none"),
    "no such run to show": (["runs", "show", "runs/none"], DATA, "runs/none"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_failure_is_one_line_a_hint_and_its_exit_code(place, zoo, case):
    arguments, code, named = CASES[case]
    done = zoo(*arguments, cwd=place)
    assert done.code == code, done.err
    assert done.out == ""
    lines = done.err.strip().splitlines()
    assert len(lines) == 2, done.err
    assert lines[0].startswith("zoo: ")
    assert named in lines[0]
    assert lines[1].startswith("hint: ")


@pytest.mark.parametrize(
    ("flag", "env"), [(["--debug"], {}), ([], {"ZOO_DEBUG": "1"})], ids=["flag", "variable"]
)
def test_debug_shows_the_traceback_and_keeps_the_exit_code(place, zoo, flag, env):
    done = zoo("transfer", *VIT, "--data", "empty", *flag, cwd=place, env=env)
    assert done.code == DATA
    assert "Traceback" in done.err
    assert done.err.strip().splitlines()[-1].startswith("hint: ")


def test_a_name_that_the_terminal_cannot_show_is_escaped(place, zoo):
    (place / "photos" / "dark").rename(place / "photos" / "猫")
    done = zoo("transfer", *VIT, *PHOTOS, "--json", cwd=place, env={"PYTHONIOENCODING": "latin1"})
    assert done.code == 0, done.err
    shown = zoo("predict", json.loads(done.out)["run"], "photos", cwd=place)
    assert "猫" in shown.out


@pytest.mark.parametrize("verb", [["--help"], ["models"], ["cache", "list"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_device_is_no_bug(place, verb, unbuffered):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "zoo", *verb],
            cwd=place,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == DATA, done.stderr
    assert "No space left" in done.stderr


def test_a_group_without_a_command_is_one_line(place, zoo):
    done = zoo("cache", cwd=place)
    assert done.code == USAGE
    assert len(done.err.strip().splitlines()) == 2
    assert zoo(cwd=place).code == 0  # bare `zoo` is a question, answered by the help


def test_control_characters_of_a_name_never_reach_the_terminal(place, zoo):
    done = zoo("transfer", *VIT, "--data", "\x1b[31mred", cwd=place)
    assert done.code == DATA
    assert "\x1b" not in done.err


def test_a_store_that_cannot_be_written_is_exit_5(place, zoo):
    (place / "file").write_text("")
    done = zoo("transfer", *VIT, *PHOTOS, cwd=place, env={"ZOO_HOME": str(place / "file" / "x")})
    assert done.code == STORE, done.err
    assert "hint: " in done.err


def test_a_bug_is_exit_1_and_asks_for_a_report(monkeypatch, capsys):
    from zoo.cli import main, plugins

    def broken(**_):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(plugins.command, "callback", broken)
    assert main(["plugins"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.strip().splitlines()
    assert (len(lines), lines[0].startswith("zoo: "), lines[1].startswith("hint: ")) == (
        2,
        True,
        True,
    )
    assert "a mistake of ours" in lines[0]
    assert "--debug" in lines[1]
