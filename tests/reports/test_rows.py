"""What a run was made from is found again, or a line says what is not there any more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo import settings
from zoo.errors import DataError, StoreError
from zoo.reports import run_rows
from zoo.reports.judged import read_judged
from zoo.reports.rows import stored_rows


def labels_of(rows):
    return [rows.target.names[code] for code in rows.target.values]


def test_rows_of_a_cross_validated_run_are_its_own(pictures, transfer):
    run = transfer(pictures(40))
    rows = run_rows(zoo.load_run("run"))
    assert np.array_equal(rows.features, run.features)
    assert [item.name for item in rows.dataset.items] == [f"{i:04}.png" for i in range(40)]
    assert rows.dataset.items[3].value.is_file()
    assert (rows.plan.protocol, set(rows.split)) == ("cv", {"train"})
    assert labels_of(rows) == ["dark" if i % 2 else "light" for i in range(40)]
    names = [rows.dataset.items[row].name for row in rows.judge]
    assert names == list(rows.judged.items)
    assert [key.tobytes().hex() for key in rows.keys] == run.plan["splits"]["train"]


def test_given_splits_and_unlabelled_rows_are_told_apart(pictures, transfer):
    def cells(i):
        return [
            "" if i % 10 == 9 else ("dark" if i % 2 else "light"),
            "test" if i < 12 else "train",
        ]

    run = transfer(pictures(40, ("label", "split"), cells))
    rows = run_rows(run)
    assert len(rows) == 36
    assert rows.split.tolist() == ["test"] * 11 + ["train"] * 25
    assert rows.judge.tolist() == list(range(11))
    assert np.array_equal(rows.features[:9], run.features[:9])


def test_a_holdout_is_found_by_its_keys_and_other_runs_of_the_same_folder_work(pictures, transfer):
    place = pictures(1010)
    transfer(place, head="prototype", limit=1005, seed=3)
    rows = run_rows(zoo.load_run("run"))
    told = json.loads(Path("run/metrics.json").read_text())["data"]["splits"]
    assert {name: int((rows.split == name).sum()) for name in told} == told
    assert rows.judge.tolist() == rows.plan.test.tolist()


def test_it_works_from_another_folder(pictures, transfer, tmp_path, monkeypatch):
    pictures(20)
    transfer("pictures")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(run_rows(zoo.load_run("../run"))) == 20


def test_files_that_came_later_are_left_out_and_a_renamed_one_is_told(pictures, transfer):
    place = pictures(20)
    run = transfer(place)
    with (place / "metadata.csv").open("a") as file:
        file.write("late.png,later\n")
    shutil.copy(place / "0000.png", place / "late.png")
    pixels = bytearray((place / "late.png").read_bytes())
    (place / "late.png").write_bytes(bytes(pixels) + b"more")
    rows = run_rows(run)
    assert len(rows) == 20
    assert rows.target.names == run.names == ("dark", "light")


def test_a_changed_file_a_lost_one_and_other_labels_are_refused(pictures, transfer):
    place = pictures(20)
    run = transfer(place)
    table = (place / "metadata.csv").read_text()
    (place / "metadata.csv").write_text(table.replace("0003.png,dark", "0003.png,light"))
    with pytest.raises(DataError, match="1 labels that judged 'run' are others") as caught:
        run_rows(run)
    assert "zoo transfer" in caught.value.hint
    (place / "metadata.csv").write_text(table)
    with (place / "0003.png").open("ab") as file:
        file.write(b"changed")
    with pytest.raises(DataError, match="1 of the samples of 'run' are not in its data any more"):
        run_rows(run)
    shutil.rmtree(place)
    with pytest.raises(DataError, match="cannot be read again") as caught:
        run_rows(run)
    assert "restore" in caught.value.hint


def test_a_pruned_store_is_told_with_what_to_do(pictures, transfer):
    run = transfer(pictures(20))
    shutil.rmtree(settings.store_root())
    with pytest.raises(StoreError, match="are not under") as caught:
        run_rows(run)
    assert "ZOO_HOME" in caught.value.hint
    with pytest.raises(StoreError):
        stored_rows(run, read_judged(run).keys)


def test_a_store_that_lost_rows_is_told(pictures, transfer):
    run = transfer(pictures(20))
    run.plan["splits"]["train"][0] = "00" * 16
    with pytest.raises(StoreError, match="1 of the 20 feature rows"):
        stored_rows(run, read_judged(run).keys)
    run.plan["key"] = None
    with pytest.raises(DataError, match="does not tell where its features are"):
        stored_rows(run, read_judged(run).keys)


def test_items_in_memory_have_to_be_given_again(transfer):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 255, (6, 6), dtype=np.uint8) for _ in range(20)]
    labels = ["=a" if i % 2 else "b|c" for i in range(20)]
    run = transfer(arrays, labels)
    with pytest.raises(DataError, match="in memory"):
        run_rows(zoo.load_run("run"))
    rows = run_rows(run, arrays, labels)
    judged = read_judged(run)
    assert np.array_equal(rows.features, run.features)
    assert np.array_equal(stored_rows(run, judged.keys), run.features)
    assert [judged.names[code] for code in judged.truth] == labels_of(rows) == labels
    with pytest.raises(DataError, match="labels that judged"):
        run_rows(run, arrays, ["=a", *labels[1:]])


def test_numbers_and_several_labels_are_found_too(transfer):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 255, (6, 6), dtype=np.uint8) for _ in range(30)]
    numbers = np.array([[a.mean(), a.std()] for a in arrays]) / 7
    run = transfer(arrays, numbers)
    assert np.array_equal(run_rows(run, arrays, numbers).target.values, numbers)
    assert np.array_equal(read_judged(run).truth, numbers)
    marks = [[n for n in ("-x", "y") if rng.random() < 0.5] for _ in arrays]
    run = transfer(arrays, marks)
    told = [[n in own for n in run.names] for own in marks]
    assert np.array_equal(run_rows(run, arrays, marks).target.values == 1, told)
    assert np.array_equal(read_judged(run).truth == 1, told)


def test_damaged_predictions_are_refused(pictures, transfer):
    run = transfer(pictures(20))
    path = Path("run/predictions.csv")
    whole = path.read_text()
    path.write_text(whole.replace("dark", "dusk"))
    with pytest.raises(DataError, match="damaged: 'dusk' is none of the run's classes"):
        run_rows(run)
    path.write_text("item,label\na,b\n")
    with pytest.raises(DataError, match="lacks rows or columns"):
        run_rows(run)
    path.unlink()
    with pytest.raises(DataError, match="missing"):
        run_rows(run)
