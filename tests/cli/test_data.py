"""Data on the command line: patterns of shards, and files that nobody should read."""

from __future__ import annotations

import tarfile

import pytest


@pytest.fixture
def archives(photos, tmp_path):
    """The photos in two archives, labelled by .txt."""
    files = sorted(photos.glob("*/*.png"))
    for number in range(2):
        with tarfile.open(tmp_path / f"s-{number:03}.tar", "w") as tar:
            for i, path in enumerate(files[number::2]):
                (tmp_path / "label").write_text(path.parent.name)
                tar.add(path, f"{i}.png")
                tar.add(tmp_path / "label", f"{i}.txt")
    return "s-{000..001}.tar"


def test_a_pattern_of_shards_is_trained_on_and_predicted_for(zoo, archives):
    done = zoo(
        "transfer", "--model", "builtin:tinyconv", "--data", archives, "--head", "ridge", "--json"
    ).json
    assert (done["data"]["rows"], done["data"]["classes"]) == (24, 2)
    predicted = zoo("predict", done["run"], archives, "--json").json
    items = [row["item"] for row in predicted["predictions"]]
    assert items == [f"s-{n:03}.tar/{i}.png" for n in range(2) for i in range(12)]
    assert predicted["forwards"] == 0
    missing = zoo("predict", done["run"], "s-{001..002}.tar")
    assert (missing.code, "s-002.tar" in missing.err) == (4, True)


@pytest.mark.parametrize(
    "name", ["d.parquet", "d.tar", "d.tar.gz", "d/metadata.csv", "d/state.json"]
)
def test_foreign_files_are_one_line_and_a_hint(zoo, tmp_path, name):
    if "parquet" in name or "json" in name:
        pytest.importorskip("pyarrow")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "1.png").write_bytes(b"")
    (tmp_path / name).write_bytes(b"\x1f\x8b what is this")
    data = name.partition("/")[0]
    done = zoo("transfer", "--model", "builtin:tinyconv", "--data", data)
    assert done.code == 4, done.err
    first, second = done.err.splitlines()
    assert first.startswith("zoo: ")
    assert second.startswith("hint: ")
