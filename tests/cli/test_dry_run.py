"""``--dry-run``: foresees rows, time and bytes, and leaves no trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def tree(folder):
    """Every file below a folder with its bytes and time of change."""
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


@pytest.fixture
def home(tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("at") / "home"
    monkeypatch.setenv("ZOO_HOME", str(home))
    return home


def test_nothing_is_written_before_and_after_a_run(zoo, photos, tiny_vit, tmp_path, home):
    words = ("--model", f"hf:{tiny_vit}", "--data", photos, "--dry-run")
    assert zoo("transfer", *words).code == 0
    assert zoo("extract", *words, "--export", "f.npz").code == 0
    assert not home.exists()
    assert zoo("transfer", *words[:-1], "--limit", "12", "--out", "run").code == 0
    before = tree(home), tree(tmp_path)
    assert zoo("transfer", *words).code == 0
    assert zoo("extract", *words).code == 0
    assert zoo("predict", "run", photos, "--dry-run").code == 0
    assert (tree(home), tree(tmp_path)) == before


def test_rows_time_and_bytes_are_foreseen(zoo, photos, tiny_vit, home):
    words = ("--model", f"hf:{tiny_vit}", "--data", photos, "--json")
    plan = zoo("extract", *words, "--dry-run").json
    assert (plan["rows"], plan["distinct"], plan["stored"], plan["forwards"]) == (24, 24, 0, 24)
    assert (plan["seconds"], plan["samples_per_second"]) == (None, None)
    assert plan["bytes"] == 24 * (16 * 4 + 20)  # by the architecture: no row is stored yet
    zoo("extract", *words, "--limit", "12")
    plan = zoo("extract", *words, "--dry-run").json
    assert (plan["stored"], plan["forwards"]) == (12, 12)
    assert plan["seconds"] == pytest.approx(12 / plan["samples_per_second"])
    assert plan["bytes"] == 12 * (16 * 4 + 20)
    held = sum(path.stat().st_size for path in home.rglob("*.safetensors"))
    zoo("extract", *words)
    written = sum(path.stat().st_size for path in home.rglob("*.safetensors")) - held
    assert plan["bytes"] <= written < plan["bytes"] + 2000  # beside rows a shard has its header
    plan = zoo("extract", *words, "--dry-run").json
    assert (plan["forwards"], plan["seconds"], plan["bytes"]) == (0, 0.0, 0)


def test_other_threads_and_versions_make_the_time_unknown(zoo, photos, tiny_vit, home):
    words = ("extract", "--model", f"hf:{tiny_vit}", "--data", photos, "--limit")
    zoo(*words, "12", "--threads", "1")
    known = zoo(*words, "24", "--dry-run", "--json", "--threads", "1").json
    assert known["seconds"] > 0
    unknown = zoo(*words, "24", "--dry-run", "--threads", "2")
    assert "time      not known" in unknown.out


def test_predict_foresees_its_own_rows(zoo, photos, tiny_vit, home):
    zoo("transfer", "--model", f"hf:{tiny_vit}", "--data", photos, "--limit", "12", "--out", "run")
    plan = zoo("predict", "run", photos, "--dry-run", "--json").json
    assert (plan["rows"], plan["stored"], plan["forwards"]) == (24, 12, 12)


def test_it_says_where_the_run_would_go_and_fails_where_that_would(zoo, photos, tiny_vit, home):
    words = ("transfer", "--model", f"hf:{tiny_vit}", "--data", photos, "--dry-run")
    first = zoo(*words, "--json").json["run"]
    assert zoo(*words[:-1], "--json").json["run"] == first
    assert zoo(*words, "--json").json["run"] == f"{first}-2"
    for more, code in ((("--head", "none"), 2), (("--out", photos), 2), (("--limit", "-1"), 2)):
        assert zoo(*words, *more).code == code
    assert zoo("extract", *words[1:], "--export", "f.xls").code == 2


def test_what_would_be_downloaded_is_not(zoo, photos, tmp_path, home):
    env = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    words = ("extract", "--model", "hf:org/name", "--data", photos, "--dry-run")
    done = zoo(*words, env=env)
    assert done.code == 3
    assert "zoo models hf:org/name" in done.err
    assert "not in the Hub's local cache" in done.err
    assert "dry run" not in zoo(*words, "--offline", env=env).err


def test_the_journal_of_a_dead_writer_is_counted_and_left(zoo, photos, tiny_vit, home, tmp_path):
    code = (
        "import os\nfrom zoo.engine import FeatureStore\n"
        "append = FeatureStore.append\n"
        "def once(self, *args, **kwargs):\n"
        "    append(self, *args, **kwargs)\n"
        "    os._exit(9)\n"  # committed, and never sealed
        "FeatureStore.append = once\n"
        "from zoo.cli import main\n"
        f"main(['extract', '--model', 'hf:{tiny_vit}', '--data', '{photos}', '--batch-size', '8'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=os.environ, check=False)
    assert done.returncode == 9
    assert list(home.rglob("*.journal"))
    before = tree(home)
    words = ("extract", "--model", f"hf:{tiny_vit}", "--data", photos, "--json")
    plan = zoo(*words, "--dry-run").json
    assert (plan["stored"], plan["forwards"]) == (8, 16)
    assert tree(home) == before
    assert zoo(*words).json["features"]["forwards"] == 16
