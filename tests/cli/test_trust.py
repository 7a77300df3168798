"""Code of a repository runs when the command line says so, and then alone."""

from __future__ import annotations

import pytest

TRUST, SOURCE = 6, 3
HUBCONF = """
from pathlib import Path

Path("executed").touch()

def net(pretrained=False):
    from torch import nn

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    for parameter in net.parameters():
        nn.init.ones_(parameter)
    nn.init.orthogonal_(net[0].weight)
    return net
"""


@pytest.fixture
def place(tmp_path, photos):
    """A folder with a repository and photos."""
    del photos
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hubconf.py").write_text(HUBCONF)
    (tmp_path / "hub" / "preprocess.toml").write_text(
        'size = 16\nresize = "exact"\nmean = [0.5]\nstd = [0.5]\n'
    )
    return tmp_path


MODEL = ("--model", "torchhub:./hub/net", "--data", "photos")


def refused(done, place):
    assert done.code == TRUST, done.err
    message, hint = done.err.strip().splitlines()
    assert "net() of" in message
    assert "hubconf.py" in message
    assert "--trust-repo" in hint
    assert not (place / "executed").exists()


def test_without_the_flag_no_verb_runs_a_repositorys_code(place, zoo):
    refused(zoo("transfer", *MODEL), place)
    refused(zoo("extract", *MODEL), place)
    refused(zoo("transfer", *MODEL, "--dry-run"), place)
    refused(zoo("models", "torchhub:./hub/net"), place)


def test_neither_variable_nor_file_can_say_it(place, zoo):
    refused(zoo("extract", *MODEL, env={"ZOO_TRUST_REPO": "1"}), place)
    (place / "zoo.toml").write_text("trust-repo = true\n")
    done = zoo("extract", *MODEL)
    assert done.code == 2
    assert "trust-repo" in done.err
    assert not (place / "executed").exists()


def test_with_the_flag_a_head_is_trained_and_the_run_asks_again(place, zoo):
    run = zoo("transfer", *MODEL, "--trust-repo", "--json").json
    assert run["model"]["dim"] == 4
    assert run["model"]["parameters"] == 122
    assert (place / "executed").exists()
    (place / "executed").unlink()
    assert "trust" not in (place / run["run"] / "run.json").read_text()
    refused(zoo("predict", run["run"], "photos/dark"), place)
    (place / "elsewhere").mkdir()
    told = zoo(
        "predict",
        f"../{run['run']}",
        "../photos",
        "--trust-repo",
        "--json",
        cwd=place / "elsewhere",
    )
    assert len(told.json["predictions"]) == 24


def test_predictions_from_another_folder_find_code_and_weights(place, zoo):
    import torch

    torch.manual_seed(0)
    shapes = {"0.weight": (4, 3, 3, 3), "0.bias": (4,), "3.weight": (2, 4), "3.bias": (2,)}
    torch.save({name: torch.randn(shape) for name, shape in shapes.items()}, place / "w.pt")
    model = ("--model", "torchhub:./hub/net?weights=w.pt", "--data", "photos")
    run = zoo("transfer", *model, "--trust-repo", "--json").json["run"]
    assert run == "runs/photos-net-logistic"
    (place / "elsewhere").mkdir()
    new = place / "elsewhere" / "new.png"
    new.write_bytes((place / "photos" / "dark" / "00.png").read_bytes() + b"changed")
    there = {"cwd": place / "elsewhere"}
    told = zoo("predict", f"../{run}", "new.png", "--trust-repo", "--json", **there)
    assert told.json["forwards"] == 1


def test_models_shows_a_trusted_repository(place, zoo):
    told = zoo("models", "torchhub:./hub/net", "--trust-repo", "--json").json["contract"]
    assert told["tap"] == "last_linear.input"
    assert told["info"]["entry"] == "net"


def test_rows_that_are_stored_cost_no_run_of_the_code(place, zoo):
    assert zoo("extract", *MODEL, "--trust-repo", "--json").json["features"]["forwards"] == 24
    (place / "executed").unlink()
    again = zoo("extract", *MODEL, "--trust-repo", "--json")
    assert again.json["features"]["forwards"] == 0
    assert not (place / "executed").exists()


def test_python_says_it_as_an_argument(place, monkeypatch):
    import zoo
    from zoo.errors import TrustError

    monkeypatch.chdir(place)
    with pytest.raises(TrustError):
        zoo.extract("torchhub:./hub/net", "photos")
    assert zoo.extract("torchhub:./hub/net", "photos", trust_repo=True).extracted.forwards == 24
    from zoo.sklearn import Features

    with pytest.raises(TrustError):
        Features("torchhub:./hub/net").fit()
    Features("torchhub:./hub/net", trust_repo=True).fit()


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("torchhub:./nowhere/net", "nowhere"),
        ("torchhub:./photos/net", "hubconf.py"),
        ("torchhub:org/repo", "form"),
        ("torchhub:./hub/nett", "nett"),
        ("torchhub:./hub/net?weights=none.pt", "none.pt"),
        ("torchhub:org/repo/net", "org/repo"),
    ],
)
def test_what_is_missing_is_one_line_and_a_hint(place, zoo, model, named):
    done = zoo("extract", "--model", model, "--data", "photos", "--trust-repo", "--offline")
    assert done.code == SOURCE, done.err
    message, hint = done.err.strip().splitlines()
    assert named in message
    assert hint.startswith("hint: ")


def test_a_poisoned_pickle_is_refused_whatever_the_environment_says(place, zoo):
    import os
    import pickle

    class Evil:
        def __reduce__(self):
            return os.system, ("touch executed-by-pickle",)

    (place / "w.pt").write_bytes(pickle.dumps(Evil()))
    command = ("extract", "--model", "torchhub:./hub/net?weights=w.pt", "--data", "photos")
    done = zoo(*command, "--trust-repo", env={"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"})
    assert done.code == TRUST, done.err
    assert "would call posix.system" in done.err
    assert not (place / "executed-by-pickle").exists()
    assert done.out == ""
