"""Ctrl-C in a real process: nothing is lost, no traceback, and the command to go on with."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")

PATIENCE = 120  # seconds for what takes a few on a quiet machine


def wait_for(condition, process=None):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)


def committed():
    """Whether rows have been committed since the store was last empty."""
    store = Path(os.environ["ZOO_HOME"]) / "store"
    return any(path.stat().st_size > 4096 for path in store.glob("*/*.journal"))


def start(words, cwd):
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def many(tmp_path):
    """800 short texts of two classes, and as many others."""
    for name in ("many", "others"):
        rows = "\n".join(
            f"{name} the film {i} was very {'good ' * (i % 15)},{'ab'[i % 2]}" for i in range(800)
        )
        (tmp_path / f"{name}.csv").write_text("text,label\n" + rows + "\n")
    return tmp_path


def interrupted(words, cwd):
    """Run zoo, press Ctrl-C once rows are committed, and give the command that it prints."""
    process = start(["-m", "zoo", *words], cwd)
    wait_for(committed, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    lines = err.strip().splitlines()
    assert lines[-2] == "zoo: interrupted; everything finished so far is kept"
    assert lines[-1].startswith("hint: go on with: zoo ")
    again = shlex.split(lines[-1].removeprefix("hint: go on with: zoo "))
    assert again == words
    return again


@pytest.mark.parametrize("verb", ["transfer", "extract"])
def test_rows_are_kept_and_the_printed_command_goes_on(zoo, many, tiny_bert, verb):
    words = [verb, "--model", f"hf:{tiny_bert}", "--data", "many.csv", "--batch-size", "4"]
    again = interrupted([*words, "--json"], many)
    got = zoo(*again).json
    assert 0 < got["features"]["forwards"] < 800
    assert got["features"]["rows"] == 800
    assert not list(many.rglob("*.tmp"))
    assert zoo("cache", "verify").code == 0


def test_predict_goes_on(zoo, many, tiny_bert, tmp_path):
    words = ["--model", f"hf:{tiny_bert}", "--data", "many.csv", "--limit", "40", "--out", "run"]
    assert zoo("transfer", *words).code == 0
    again = interrupted(["predict", "run", "others.csv", "--batch-size", "4", "--json"], many)
    got = zoo(*again).json
    assert 0 < got["forwards"] < 800
    assert len(got["predictions"]) == 800


def test_the_demo_goes_on(zoo, tmp_path):
    again = interrupted(["demo", "--threads", "1", "--json"], tmp_path)
    assert 0 < zoo(*again).json["features"]["forwards"] < 1797


def test_before_anything_was_done_it_is_as_quiet(zoo, tmp_path):
    process = start(["-X", "importtime", "-m", "zoo", "demo"], tmp_path)
    for line in process.stderr:  # the command line is being imported
        if "click" in line:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "Traceback" not in err


def test_a_second_one_ends_at_once_and_loses_nothing(zoo, many, tiny_bert):
    hanging = (
        "import sys, time\nfrom pathlib import Path\nimport zoo.features\n"
        "extraction = sys.modules['zoo.features.extract']\n"
        "fill = extraction._fill\n"
        "def hang(*args):\n"
        "    try:\n"
        "        return fill(*args)\n"
        "    finally:\n"
        "        Path('closing').touch()\n"
        "        time.sleep(600)\n"  # a disk that does not answer, say
        "extraction._fill = hang\n"
        "from zoo.__main__ import run\nsys.exit(run())"
    )
    words = ["extract", "--model", f"hf:{tiny_bert}", "--data", "many.csv", "--batch-size", "4"]
    process = start(["-c", hanging, *words], many)
    wait_for(committed, process)
    process.send_signal(signal.SIGINT)
    wait_for((many / "closing").exists, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in err
    plan = zoo(*words, "--dry-run", "--json").json
    assert 0 < plan["stored"] < 800
    assert zoo("cache", "verify").code == 0


def test_torch_is_imported_to_the_end_before_it_stops(tmp_path):
    (tmp_path / "torch.py").write_text(
        "from pathlib import Path\nimport time\nPath('started').touch()\n"
        "for _ in range(50):\n    time.sleep(0.01)\nPath('done').touch()\n"
    )
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom zoo.__main__ import _CtrlC\n"
        "ctrl_c = _CtrlC()\nctrl_c.install()\nsys.path.insert(0, '.')\n"
        "try:\n    import torch\n    time.sleep(600)\n"
        "except KeyboardInterrupt:\n    print(Path('done').exists(), ctrl_c.pressed)"
    )
    process = start(["-c", code], tmp_path)
    wait_for((tmp_path / "started").exists, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert out == "True True\n", err


def test_what_fails_after_it_is_an_interruption(capsys):
    from zoo.cli import main

    assert main(["transfer", "--model", "x"], interrupted=lambda: True) == 130
    assert "go on with: zoo transfer --model x" in capsys.readouterr().err
    assert main(["transfer", "--model", "x"]) == 2


def test_one_that_was_taken_for_another_failure_on_the_way_is_not_lost(capsys):
    from zoo.cli import main

    assert main(["runs"], interrupted=lambda: True) == 130
    assert "interrupted; everything finished so far is kept" in capsys.readouterr().err
    assert main(["runs"]) == 0
