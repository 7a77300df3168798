"""The feature store on the command line: exported, imported, pruned, copied, merged, read-only."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from zoo.engine import FeatureStore, Ragged, row_keys

USAGE, SOURCE, DATA, STORE, INTERRUPTED = 2, 3, 4, 5, 130
KEY = {"weights": "w", "n": 1}
ZOO = (sys.executable, "-m", "zoo")


def keys_of(numbers):
    return row_keys([hashlib.sha256(str(n).encode()).digest()[:16] for n in numbers])


def values_of(numbers, dim=3):
    return (np.asarray(list(numbers))[:, None] + np.arange(dim) / 8).astype(np.float32)


def root():
    return Path(os.environ["ZOO_HOME"]) / "store"


def make(numbers=range(20), key=KEY, at=None, dim=3):
    """A sealed store under the home or under another folder of stores; returns its folder."""
    with FeatureStore.create(at or root(), key, {"source": "test:x"}) as store:
        store.append(keys_of(numbers), {"x": values_of(numbers, dim)})
    return store.folder


def rows(zoo, folder):
    return zoo("cache", "info", folder.name, "--json").json["columns"]["x"]["rows"]


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["rows.safetensors", "rows.parquet"])
def test_export_and_import_carry_a_store_to_another_home(zoo, tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    folder = make()
    done = zoo("cache", "export", folder.name[:6], name, "--json").json
    size = (tmp_path / name).stat().st_size
    assert done == {
        "schema": 1,
        "key": folder.name,
        "files": [name],
        "columns": ["x"],
        "rows": 20,
        "bytes": size,
    }
    home = {"ZOO_HOME": str(tmp_path / "home")}
    got = zoo("cache", "import", name, "--json", env=home).json
    assert got["key"] == folder.name
    assert (got["rows"], got["new"], got["columns"], got["different"]) == (20, 20, {"x": 20}, 0)
    assert zoo("cache", "import", name, env=home).out.startswith("20 rows, 0 new")
    info = zoo("cache", "info", folder.name, "--json", env=home).json
    assert (info["key"], info["provenance"]) == (KEY, {"source": "test:x"})


def test_columns_are_chosen_and_npy_has_its_keys_beside_it(zoo, tmp_path):
    with FeatureStore.create(root(), KEY) as store:
        ragged = Ragged.from_rows([values_of([n], 2) for n in range(5)])
        store.append(keys_of(range(5)), {"x": values_of(range(5)), "t": ragged})
    key = store.folder.name
    done = zoo("cache", "export", key, "x.npy")
    assert (done.code, "--column" in done.err) == (USAGE, True)
    assert zoo("cache", "export", key, "x.npy", "--column", "x").code == 0
    assert np.load(tmp_path / "x.keys.npy").shape == (5, 16)
    zoo("cache", "export", key, "both.safetensors", "--column", "t", "--column", "x")
    assert set(load_file(tmp_path / "both.safetensors")) == {"key", "x", "t", "offsets:t"}
    zoo("cache", "export", key, "t.safetensors", env={"ZOO_COLUMN": "t"})
    assert set(load_file(tmp_path / "t.safetensors")) == {"key", "t", "offsets:t"}
    got = zoo("cache", "import", "x.npy", "--column", "x", "--key", '{"a": 1}', "--json").json
    assert got["new"] == 5


def test_import_goes_into_a_named_key_or_makes_a_new_one(zoo, tmp_path):
    folder = make()
    np.savez(tmp_path / "rows.npz", key=keys_of(range(15, 25)), x=values_of(range(15, 25)))
    assert zoo("cache", "import", "rows.npz", "--into", folder.name[:5]).out.startswith(
        f"10 rows, 5 new in key {folder.name}"
    )
    assert rows(zoo, folder) == 25
    new = {"weights": "new"}
    (tmp_path / "key.json").write_text(json.dumps({"key": new, "provenance": {}}))
    (tmp_path / "plain.json").write_text(json.dumps(new))
    names = {
        zoo("cache", "import", "rows.npz", "--key", given, "--json").json["key"]
        for given in (json.dumps(new), "key.json", "plain.json")
    }
    assert len(names) == 1
    assert FeatureStore.open(root(), new).columns()["x"][2] == 10


def test_rows_with_other_values_are_kept_and_the_user_is_told(zoo, tmp_path):
    folder = make()
    np.savez(tmp_path / "rows.npz", key=keys_of(range(4)), x=values_of(range(4)) + 1)
    done = zoo("cache", "import", "rows.npz", "--into", folder.name)
    assert done.code == 0
    assert done.out.startswith("4 rows, 0 new")
    assert "4 rows are in the store with other values" in done.err
    assert zoo("cache", "import", "rows.npz", "--into", folder.name, "--quiet").err == ""


def test_a_sealed_shard_is_imported_and_a_damaged_one_is_not(zoo, tmp_path):
    (shard,) = make(at=tmp_path / "elsewhere").glob("*.safetensors")
    key = json.dumps({"from": "shard"})
    content = bytearray(shard.read_bytes())
    content[-100] ^= 1
    (tmp_path / "damaged.safetensors").write_bytes(content)
    done = zoo("cache", "import", "damaged.safetensors", "--key", key)
    assert (done.code, "damaged shard" in done.err) == (DATA, True)
    assert not root().exists()
    assert zoo("cache", "import", shard, "--key", key, "--json").json["new"] == 20


@pytest.fixture
def place(tmp_path):
    """Two stores, and files that are no good, under short names."""
    make()
    make(key={"weights": "other"})
    good = {"key": keys_of(range(3)), "x": values_of(range(3))}
    np.savez(tmp_path / "good.npz", **good)
    np.savez(tmp_path / "nokeys.npz", x=good["x"])
    np.savez(tmp_path / "doubles.npz", key=good["key"], x=np.zeros((3, 3)))
    np.savez(tmp_path / "wide.npz", key=good["key"], x=values_of(range(3), 4))
    np.savez(tmp_path / "nan.npz", key=good["key"], x=np.full((3, 3), np.nan, np.float32))
    np.savez(tmp_path / "twice.npz", key=keys_of([1, 1]), x=values_of([1, 2]))
    np.save(tmp_path / "lone.npy", good["x"])
    save_file(good, tmp_path / "badkey.safetensors", {"zoo.key": "[1]"})
    (tmp_path / "long.safetensors").write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    (tmp_path / "deep.safetensors").write_bytes((9999).to_bytes(8, "little") + b"[" * 9999)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "good.npz").read_bytes()[:300])
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "list.json").write_text("[]")
    return tmp_path


NEW = ("--key", '{"a": 1}')
CASES = {
    "export: unknown key": (["export", "nokey", "f.npy"], USAGE, "0 keys start with 'nokey'"),
    "export: no key": (["export", "", "f.npy"], USAGE, "0 keys"),
    "export: a path for a key": (["export", "../x", "f.npy"], USAGE, "0 keys"),
    "export: unknown ending": (["export", "@", "f.csv"], USAGE, "f.csv"),
    "export: no file": (["export", "@"], USAGE, "FILE"),
    "export: unknown column": (["export", "@", "f.npy", "--column", "y"], USAGE, "'y'"),
    "export: below a file": (["export", "@", "file/f.npy"], DATA, "file/f.npy"),
    "export: onto a folder": (["export", "@", "folder.npz/../."], USAGE, "cannot export"),
    "import: missing": (["import", "none.npz", *NEW], DATA, "No such file"),
    "import: a folder": (["import", "folder.npz", *NEW], DATA, "folder.npz"),
    "import: unknown ending": (["import", "file", *NEW], USAGE, "'file'"),
    "import: no key named": (["import", "good.npz"], USAGE, "which key"),
    "import: two keys named": (["import", "good.npz", *NEW, "--into", "@"], USAGE, "--into"),
    "import: unknown --into": (["import", "good.npz", "--into", "x"], USAGE, "start with 'x'"),
    "import: --key is no file": (["import", "good.npz", "--key", "x.json"], USAGE, "x.json"),
    "import: --key is no JSON": (["import", "good.npz", "--key", "{a}"], USAGE, "no JSON object"),
    "import: --key is empty": (["import", "good.npz", "--key", "{}"], USAGE, "empty"),
    "import: --key is a list": (["import", "good.npz", "--key", "list.json"], USAGE, "list.json"),
    "import: --key is not a number": (
        ["import", "good.npz", "--key", '{"a": NaN}'],
        USAGE,
        "no JSON object",
    ),
    "import: no keys": (["import", "nokeys.npz", *NEW], DATA, "no array 'key'"),
    "import: float64": (["import", "doubles.npz", *NEW], DATA, "float64"),
    "import: another width": (["import", "wide.npz", "--into", "@"], DATA, "4 values"),
    "import: not finite": (["import", "nan.npz", *NEW], DATA, "row 0"),
    "import: one key twice": (["import", "twice.npz", *NEW], DATA, "two different rows"),
    "import: keys not beside": (["import", "lone.npy", *NEW, "--column", "x"], DATA, "keys.npy"),
    "import: unnamed column": (["import", "lone.npy", *NEW], USAGE, "which column"),
    "import: unknown column": (["import", "good.npz", *NEW, "--column", "y"], USAGE, "'y'"),
    "import: a bad key inside": (["import", "badkey.safetensors"], DATA, "zoo.key"),
    "import: a header without end": (["import", "long.safetensors", *NEW], DATA, "length"),
    "import: a deep header": (["import", "deep.safetensors", *NEW], DATA, "JSON"),
    "import: cut off": (["import", "cut.npz", *NEW], DATA, "cut.npz"),
    "prune: nothing named": (["prune"], USAGE, "prune what"),
    "prune: unknown key": (["prune", "--key", "x"], USAGE, "start with 'x'"),
    "prune: any key": (["prune", "--key", ""], USAGE, "0 keys"),
    "prune: key and age": (["prune", "--key", "@", "--older-than", "1d"], USAGE, "--key"),
    "prune: an age without unit": (["prune", "--older-than", "30"], USAGE, "'30'"),
    "prune: a negative age": (["prune", "--older-than", "-1d"], USAGE, "'-1d'"),
    "prune: a size of days": (["prune", "--max-size", "3d"], USAGE, "'3d'"),
    "prune: no number": (["prune", "--max-size", "nanGB"], USAGE, "nanGB"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_failure_is_one_line_a_hint_and_its_exit_code(place, zoo, case):
    arguments, code, named = CASES[case]
    first = min(path.name for path in root().iterdir())
    before = sorted(root().rglob("*")), sorted(place.rglob("*"))
    done = zoo("cache", *[first if word == "@" else word for word in arguments])
    assert done.code == code, done.err
    assert done.out == ""
    lines = done.err.strip().splitlines()
    assert len(lines) == 2, done.err
    assert lines[0].startswith("zoo: ")
    assert named in lines[0]
    assert lines[1].startswith("hint: ")
    assert (sorted(root().rglob("*")), sorted(place.rglob("*"))) == before


def test_a_start_that_several_keys_have_is_ambiguous(zoo):
    for number in range(17):  # of 17 keys, two begin with the same hex digit
        make([0], key={"n": number})
    names = sorted(files(root()))
    first = next(a[0] for a, b in pairwise(names) if a[0] == b[0])
    for verb in (["export", first, "f.npy"], ["prune", "--key", first]):
        done = zoo("cache", *verb)
        assert done.code == USAGE
        assert f"keys start with '{first}'" in done.err
    assert sorted(files(root())) == names


def test_without_pyarrow_a_line_says_how_to_get_it(zoo, tmp_path):
    folder = make()
    code = (
        "import sys; sys.modules['pyarrow'] = None\nfrom zoo.cli import main\n"
        f"sys.exit(main(['cache', 'export', '{folder.name}', 'f.parquet']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == SOURCE
    assert done.stderr.splitlines()[1] == "hint: pip install 'zoo-transfer[arrow]'"


def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_full_disk_leaves_no_half_file(tmp_path):
    folder = make(range(2000), dim=64)
    (tmp_path / "f.safetensors").write_text("old")
    done = subprocess.run(
        [*ZOO, "cache", "export", folder.name, "f.safetensors"],
        cwd=tmp_path,
        preexec_fn=small_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == DATA, done.stderr
    assert "cannot write 'f.safetensors'" in done.stderr
    assert files(tmp_path) == ["f.safetensors"]
    assert (tmp_path / "f.safetensors").read_text() == "old"


def test_an_import_that_finds_no_room_is_a_store_error_and_goes_on_later(zoo, tmp_path):
    np.savez(tmp_path / "rows.npz", key=keys_of(range(2000)), x=values_of(range(2000), 64))
    command = ["cache", "import", "rows.npz", *NEW]
    done = subprocess.run(
        [*ZOO, *command],
        cwd=tmp_path,
        preexec_fn=small_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == STORE, done.stderr
    assert zoo(*command).code == 0
    assert zoo("cache", "list", "--json").json["stores"][0]["rows"] == 2000
    assert zoo("cache", "verify").code == 0


def test_an_export_has_what_a_dead_writer_committed_and_leaves_the_store_as_it_was(zoo):
    code = (
        "import os, sys, numpy as np\nfrom zoo.engine import FeatureStore\n"
        "store = FeatureStore.create(sys.argv[1], {'a': 1})\n"
        "store.append(np.zeros((1, 16), np.uint8), {'x': np.ones((1, 2), np.float32)})\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(root())], check=True)
    (folder,) = root().iterdir()
    before = files(folder)
    assert zoo("cache", "export", folder.name, "f.safetensors", "--json").json["rows"] == 1
    assert files(folder) == before


@pytest.mark.parametrize(
    "verb", [["export", "@", "f.npy"], ["import", "r.npz", *NEW], ["prune", "--max-size", "1TB"]]
)
def test_a_full_device_behind_stdout_is_no_bug(tmp_path, verb):
    folder = make()
    np.savez(tmp_path / "r.npz", key=keys_of([1]), x=values_of([1]))
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*ZOO, "cache", *[folder.name if word == "@" else word for word in verb]],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, "No space left" in done.stderr) == (DATA, True)


def test_ctrl_c_ends_an_export_with_130_and_without_a_file(tmp_path):
    folder = make(range(60_000), dim=256)
    process = subprocess.Popen(
        [*ZOO, "cache", "export", folder.name, "f.safetensors"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".f.*")) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, err
    assert err.splitlines()[0].startswith("zoo: interrupted; 'f.safetensors' is as it was")
    assert files(tmp_path) == []


def test_a_terminal_sees_progress_and_a_pipe_does_not(zoo, tmp_path):
    folder = make(range(9000))
    piped = zoo("cache", "export", folder.name, "f.npy")
    assert (piped.code, piped.err) == (0, "")
    assert "\x1b" not in piped.out
    for more, shown in (((), True), (("--quiet",), False)):
        ours, theirs = pty.openpty()
        subprocess.run(
            [*ZOO, "cache", "export", folder.name, "f.npy", *more],
            cwd=tmp_path,
            env={**os.environ, "TERM": "xterm"},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            check=True,
        )
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # how Linux says that the other end is closed
            while piece := os.read(ours, 4096):
                seen += piece
        os.close(ours)
        assert (b"features" in seen) == shown


def test_prune_says_what_it_removed(zoo):
    folder = make()
    kept = make(key={"weights": "kept"})
    (folder / "notes.txt").write_text("mine")
    size = sum((folder / name).stat().st_size for name in files(folder) if name != "notes.txt")
    asked = ("cache", "prune", "--key", folder.name[:8], "--json")
    told = zoo(*asked, "--dry-run").json
    assert len(files(folder)) == 3
    done = zoo(*asked).json
    assert (told.pop("dry_run"), done.pop("dry_run")) == (True, False)
    assert told == done
    (removed,) = done["removed"]
    assert (removed["key"], removed["whole"]) == (folder.name, True)
    assert (removed["bytes"], done["bytes"], done["busy"]) == (size, size, [])
    assert removed["left"] == ["notes.txt"]
    assert files(folder) == ["notes.txt"]
    assert rows(zoo, kept) == 20


def test_prune_by_age_and_by_size(zoo):
    old, new = make(), make(key={"weights": "new"})
    then = time.time() - 40 * 86400
    for path in old.iterdir():
        os.utime(path, (then, then))
    assert zoo("cache", "prune", "--older-than", "41d", "--json").json["removed"] == []
    out = zoo("cache", "prune", "--older-than", "5w").out
    assert old.name in out
    assert "0.0 MB freed" in out
    assert files(root()) == [new.name]
    assert zoo("cache", "prune", "--max-size", "1.5 MiB").out == "0.0 MB freed\n"
    assert zoo("cache", "prune", "--max-size", "0B", "--quiet").code == 0
    assert files(root()) == []


def test_a_run_that_only_reads_counts_as_use(zoo, photos, tiny_vit):
    command = ("extract", "--model", f"hf:{tiny_vit}", "--data", photos, "--json")
    zoo(*command)
    then = time.time() - 40 * 86400
    for path in root().glob("*/*"):
        os.utime(path, (then, then))
    assert zoo(*command).json["features"]["forwards"] == 0
    assert zoo("cache", "prune", "--older-than", "30d", "--json").json["removed"] == []


def test_a_key_with_a_live_writer_stays_and_the_exit_says_so(zoo):
    folder = make()
    with FeatureStore.at(folder) as store:
        store.append(keys_of([99]), {"x": values_of([99])})
        done = zoo("cache", "prune", "--key", folder.name, "--json")
        assert done.code == STORE
        (busy,) = json.loads(done.out)["busy"]
        assert busy["key"] == folder.name
        assert busy["file"].endswith(".journal")
        swept = zoo("cache", "prune", "--max-size", "0B")
        assert swept.code == 0
        assert f"left: key {folder.name} is being written into" in swept.err
    assert rows(zoo, folder) == 21


def test_a_copied_store_serves_as_it_is(zoo, tmp_path):
    folder = make()
    shutil.copytree(root().parent, tmp_path / "copy")
    home = {"ZOO_HOME": str(tmp_path / "copy")}
    assert zoo("cache", "verify", "--json", env=home).json["rows"] == 20
    exported = zoo("cache", "export", folder.name, "f.safetensors", "--json", env=home)
    assert exported.json["rows"] == 20


def test_stores_of_one_key_are_merged_by_copying_shards(zoo, tmp_path):
    folder = make(range(20))
    other = make(range(15, 30), at=tmp_path / "other")
    for shard in other.glob("*.safetensors"):
        shutil.copy(shard, folder)
    assert rows(zoo, folder) == 30
    assert zoo("cache", "verify").code == 0
    zoo("cache", "export", folder.name, "f.npy")
    order = np.load(tmp_path / "f.keys.npy")
    assert len(np.unique(order.view("V16"))) == len(order) == 30
    numbers = [int(np.flatnonzero((keys_of(range(30)) == key).all(1))[0]) for key in order]
    assert np.array_equal(np.load(tmp_path / "f.npy"), values_of(numbers))


def read_only(folder, command, cwd):
    """Run a command in a mount namespace where the folder is on a read-only file system."""
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, str(folder), *command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_store_on_read_only_media_is_read_and_neither_written_nor_pruned(tmp_path):
    if shutil.which("unshare") is None or read_only(tmp_path, ["true"], tmp_path).returncode:
        pytest.skip("no mount namespaces here")
    folder = make()
    out = tmp_path / "out"
    out.mkdir()
    np.savez(out / "r.npz", key=keys_of([99]), x=values_of([99]))
    home = root().parent
    for verb in (["list"], ["info", folder.name], ["verify"], ["export", folder.name, "f.npy"]):
        done = read_only(home, [*ZOO, "cache", *verb], out)
        assert (done.returncode, done.stderr) == (0, ""), verb
    assert np.load(out / "f.npy").shape == (20, 3)
    for verb in (["import", "r.npz", "--into", folder.name], ["prune", "--key", folder.name]):
        done = read_only(home, [*ZOO, "cache", *verb], out)
        assert done.returncode == STORE, verb
        assert "Read-only file system" in done.stderr
    assert len(files(folder)) == 2


def test_verbs_of_the_store_have_help(zoo):
    listed = zoo("cache", "--help").out
    for verb in ("export", "import", "prune"):
        assert verb in listed
        assert "--json" in zoo("cache", verb, "--help").out
