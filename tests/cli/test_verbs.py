"""The verbs as their users run them: transfer, extract, predict and the ones that look."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest


def transfer(zoo, model, data, *more):
    return zoo("transfer", "--model", model, "--data", data, "--json", *more)


def test_transfer_prints_the_object_of_schema_1(zoo, photos, tiny_vit):
    got = transfer(zoo, f"hf:{tiny_vit}", photos, "--out", "run").json
    assert list(got) == [
        "schema",
        "run",
        "task",
        "model",
        "data",
        "features",
        "head",
        "evaluation",
        "calibration",
        "health",
        "verdict",
        "ledger",
    ]
    assert (got["schema"], got["run"], got["task"]) == (1, "run", "class")
    assert got["model"]["source"] == f"hf:{tiny_vit}"
    assert got["model"]["dim"] == 16
    assert got["model"]["parameters"] > 1000
    assert (got["data"]["rows"], got["data"]["classes"], got["data"]["bad"]) == (24, 2, [])
    assert got["features"]["rows"] == got["features"]["forwards"] == 24
    assert got["head"]["name"] == "logistic"
    assert got["head"]["converged"] is True
    assert got["head"]["suboptimality"] < 1e-6
    assert got["evaluation"]["protocol"] == "cv"
    accuracy = got["evaluation"]["metrics"][got["evaluation"]["primary"]]
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert accuracy["value"] > 0.8  # dark against light is easy, even for random weights


def test_the_second_run_needs_no_forward_pass(zoo, photos, tiny_vit):
    assert transfer(zoo, f"hf:{tiny_vit}", photos).json["features"]["forwards"] == 24
    assert transfer(zoo, f"hf:{tiny_vit}", photos).json["features"]["forwards"] == 0


def test_renamed_moved_and_repeated_files_cost_nothing_and_new_ones_do(zoo, photos, tiny_vit):
    from PIL import Image

    transfer(zoo, f"hf:{tiny_vit}", photos)
    (photos / "dark" / "00.png").rename(photos / "dark" / "renamed.png")
    (photos / "dark" / "01.png").rename(photos / "light" / "moved.png")
    shutil.copy(photos / "dark" / "02.png", photos / "dark" / "copy.png")
    moved = photos.rename(photos.with_name("elsewhere"))
    got = transfer(zoo, f"hf:{tiny_vit}", moved).json
    assert (got["features"]["forwards"], got["features"]["rows"], got["data"]["rows"]) == (
        0,
        24,
        25,
    )
    for i in range(5):
        Image.new("RGB", (20, 20), (i, i, i)).save(moved / "dark" / f"new{i}.png")
    assert transfer(zoo, f"hf:{tiny_vit}", moved).json["features"]["forwards"] == 5


def test_a_cached_run_imports_neither_torch_nor_transformers(photos, tiny_vit, tmp_path):
    code = (
        "import sys\nfrom zoo.cli import main\n"
        f"code = main(['transfer', '--model', 'hf:{tiny_vit}', '--data', '{photos}', '--json'])\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'onnxruntime'} & set(sys.modules)\n"
        "print(code, sorted(heavy))"
    )
    for expected in ("torch", "[]"):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        last = done.stdout.splitlines()[-1]
        assert last.startswith("0 ")
        assert expected in last


def made_with(change):
    """Change what the one store says it was made with, as if other versions had made it."""
    (path,) = (Path(os.environ["ZOO_HOME"]) / "store").glob("*/key.json")
    content = json.loads(path.read_text())
    content["provenance"]["made_with"]["versions"].update(change)
    path.write_text(json.dumps(content))


def test_rows_of_other_versions_are_compared_once(zoo, photos, tiny_vit):
    from PIL import Image

    model = f"hf:{tiny_vit}"
    transfer(zoo, model, photos)
    made_with({"torch": "0.1"})
    assert transfer(zoo, model, photos).json["features"]["forwards"] == 0
    for expected in (8 + 1, 1):
        Image.new("RGB", (20, 20), (expected, 0, 0)).save(photos / "dark" / f"new{expected}.png")
        plan = zoo("extract", "--model", model, "--data", photos, "--dry-run", "--json").json
        assert plan["forwards"] == expected
        done = transfer(zoo, model, photos)
        assert done.json["features"]["forwards"] == expected
        assert "key of their own" not in done.err


def test_predict_says_where_rows_are_of_another_key_than_the_heads(zoo, photos, tiny_vit):
    model = f"hf:{tiny_vit}"
    transfer(zoo, model, photos, "--out", "run")
    assert "another key" not in zoo("predict", "run", photos / "dark").err
    made_with({"torch": "0.1"})
    plan = photos.parent / "run" / "run.json"
    content = json.loads(plan.read_text())
    content["key"]["made_with"] = content["features_made_with"]
    plan.write_text(json.dumps(content))
    done = zoo("predict", "run", photos / "dark")
    assert done.code == 0
    assert "another key" in done.err
    assert "-> 0.1" in done.err


def test_same_inputs_give_the_same_bytes_of_head_and_predictions(zoo, reviews, tiny_bert):
    for out in ("one", "two"):
        words = ("transfer", "--model", f"hf:{tiny_bert}", "--data", reviews, "--out", out)
        # Processes of their own, which would iterate over a set in different orders.
        assert zoo(*words, env={"PYTHONHASHSEED": str(len(out) + ord(out[0]))}).code == 0
    for name in ("head.safetensors", "predictions.csv"):
        one = (reviews.parent / "one" / name).read_bytes()
        assert one == (reviews.parent / "two" / name).read_bytes()


def test_a_default_run_folder_never_takes_an_existing_one(zoo, reviews, tiny_bert):
    names = [transfer(zoo, f"hf:{tiny_bert}", reviews).json["run"] for _ in range(2)]
    assert names[0] != names[1]
    listed = zoo("runs", "--json").json["runs"]
    assert [run["run"] for run in listed] == sorted(names)
    assert zoo("runs", "show", names[0], "--json").json["run"] == names[0]


def test_two_runs_are_compared_on_the_same_rows(zoo, photos, tiny_vit):
    model = f"hf:{tiny_vit}"
    for out, more in (("one", ()), ("two", ("--head", "knn")), ("less", ("--limit", "20"))):
        assert transfer(zoo, model, photos, "--out", out, *more).code == 0
    got = zoo("runs", "compare", "one", "two", "--json").json
    assert (got["runs"], got["rows"], got["metric"]) == (["one", "two"], 24, "accuracy")
    assert sum(got["right"].values()) == 24
    assert got["difference"]["low"] <= got["difference"]["value"] <= got["difference"]["high"]
    shown = zoo("runs", "compare", "one", "two").out
    assert "on 24 rows" in shown
    assert "McNemar" in shown
    done = zoo("runs", "compare", "one", "less")
    assert (done.code, done.out) == (4, "")
    assert "24 rows" in done.err


@pytest.mark.parametrize("head", ["logistic", "ridge", "lda", "knn", "prototype"])
def test_every_built_in_head_trains_and_predicts(zoo, photos, tiny_vit, head):
    got = transfer(zoo, f"hf:{tiny_vit}", photos, "--head", head, "--out", "run").json
    assert got["head"]["name"] == head
    predicted = zoo("predict", "run", photos / "dark", photos / "light" / "03.png", "--json").json
    labels = {row["item"]: row["label"] for row in predicted["predictions"]}
    assert len(labels) == 13
    assert predicted["names"] == ["dark", "light"]
    assert labels[str(photos / "light" / "03.png")] == "light"
    assert str(photos / "dark" / "03.png") in labels
    for row in predicted["predictions"]:
        assert sum(row["probabilities"]) == pytest.approx(1.0)
        assert row["probability"] == max(row["probabilities"])


def test_predict_reads_tables_and_writes_csv(zoo, reviews, tiny_bert, tmp_path):
    transfer(zoo, f"hf:{tiny_bert}", reviews, "--out", "run")
    table = tmp_path / "new.csv"
    table.write_text('text\n"=HYPERLINK(1) good film"\nbad film\n')
    assert zoo("predict", "run", table, "--out", "out.csv").code == 0
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["item"] for row in rows] == [f"{table}:1", f"{table}:2"]
    assert {row["label"] for row in rows} <= {"pos", "neg"}
    assert all(abs(float(r["p:neg"]) + float(r["p:pos"]) - 1) < 1e-5 for r in rows)


def test_coverage_decides_the_conformal_sets_of_predictions(zoo, photos, tiny_vit, tmp_path):
    sizes = []
    for coverage in ("0.5", "0.99"):
        got = transfer(
            zoo, f"hf:{tiny_vit}", photos, "--head", "ridge", "--coverage", coverage, "--out", "run"
        ).json
        assert got["calibration"]["coverage"] == float(coverage)
        measured = got["evaluation"]["metrics"]["conformal_coverage"]
        assert measured["low"] <= measured["value"] <= measured["high"]
        done = zoo("predict", "run", photos, "--json", "--out", "out.csv")
        sets = [row["conformal_set"] for row in done.json["predictions"]]
        with (tmp_path / "out.csv").open(encoding="utf-8") as file:
            cells = [row["conformal_set"] for row in csv.DictReader(file)]
        assert cells == ["|".join(chosen) for chosen in sets]
        sizes.append(np.mean([len(chosen) for chosen in sets]))
    assert sizes[0] < sizes[1] == 2  # 24 rows cannot stand for 99 in 100: every class is in
    assert got["calibration"]["threshold"] == 1.0
    done = zoo("transfer", "--model", "m", "--data", "d", "--coverage", "1.5")
    assert (done.code, "coverage 1.5" in done.err) == (2, True)


def test_a_transfer_says_how_its_probabilities_were_made_honest(zoo, photos, tiny_vit):
    done = zoo("transfer", "--model", f"hf:{tiny_vit}", "--data", photos, "--head", "knn")
    assert "calibration error 0." in done.out
    assert "calibrated by temperature on 24 out-of-fold rows (log loss without: 0." in done.out


def test_names_of_classes_in_a_conformal_set_are_no_formula(zoo, tmp_path, tiny_vit, photos):
    (photos / "dark").rename(photos / "=dark")
    transfer(zoo, f"hf:{tiny_vit}", photos, "--head", "ridge", "--coverage", "0.99", "--out", "run")
    assert zoo("predict", "run", photos / "=dark", "--out", "out.csv").code == 0
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cells = {row["conformal_set"] for row in rows}
    assert "'=dark|light" in cells
    assert cells <= {"'=dark|light", "light|=dark"}


def test_predict_refuses_a_model_that_changed(zoo, photos, tiny_vit, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(tiny_vit, model)
    transfer(zoo, "hf:./model", photos, "--out", "run")
    config = json.loads((model / "preprocessor_config.json").read_text())
    config["image_mean"] = [0.1, 0.2, 0.3]
    (model / "preprocessor_config.json").write_text(json.dumps(config))
    done = zoo("predict", "run", photos)
    assert done.code == 3
    assert "prepared otherwise" in done.err


def test_extract_exports_rows_in_the_documented_order(zoo, tmp_path, tiny_vit):
    from PIL import Image

    for split in ("test", "train", "val"):
        for label in ("b", "a"):
            (tmp_path / "data" / split / label).mkdir(parents=True)
            for i in (1, 0):
                color = (len(split) * 30, ord(label), i * 90)
                Image.new("RGB", (9, 9), color).save(tmp_path / "data" / split / label / f"{i}.png")
    got = zoo(
        "extract", "--model", f"hf:{tiny_vit}", "--data", "data", "--export", "f.npz", "--json"
    )
    assert got.json["data"]["splits"] == {"train": 4, "val": 4, "test": 4}
    assert got.json["features"]["forwards"] == 12
    with np.load(tmp_path / "f.npz") as file:
        assert file["features"].shape == (12, 16)
        assert file["features"].dtype == np.float32
        assert file["split"].tolist() == ["train"] * 4 + ["val"] * 4 + ["test"] * 4
        assert file["items"][:4].tolist() == [
            "train/a/0.png",
            "train/a/1.png",
            "train/b/0.png",
            "train/b/1.png",
        ]
        assert file["labels"][:4].tolist() == ["a", "a", "b", "b"]
        features = file["features"]
    zoo("extract", "--model", f"hf:{tiny_vit}", "--data", "data", "--export", "f.safetensors")
    from safetensors import safe_open

    with safe_open(tmp_path / "f.safetensors", "numpy") as file:
        assert np.array_equal(file.get_tensor("features"), features)
        assert file.get_tensor("labels").dtype == np.int64
        assert json.loads(file.metadata()["names"]) == ["a", "b"]


def test_unreadable_files_are_skipped_counted_and_named(zoo, photos, tiny_vit):
    (photos / "dark" / "broken.png").write_bytes(b"no image")
    done = transfer(zoo, f"hf:{tiny_vit}", photos)
    assert [bad["item"] for bad in done.json["data"]["bad"]] == ["dark/broken.png"]
    assert done.json["data"]["rows"] == 24
    assert "dark/broken.png" in done.err


def test_dry_run_says_what_would_be_done_and_does_nothing(zoo, photos, tiny_vit):
    model = f"hf:{tiny_vit}"
    plan = transfer(zoo, model, photos, "--dry-run").json
    assert (plan["rows"], plan["stored"], plan["forwards"]) == (24, 0, 24)
    assert zoo("cache", "list", "--json").json["stores"] == []
    zoo("extract", "--model", model, "--data", photos)
    plan = zoo("extract", "--model", model, "--data", photos, "--dry-run", "--json").json
    assert (plan["stored"], plan["forwards"]) == (24, 0)


def test_limit_and_seed_choose_a_subset_that_repeats(zoo, photos, tiny_vit):
    runs = [
        transfer(zoo, f"hf:{tiny_vit}", photos, "--limit", "12", "--seed", seed).json
        for seed in (1, 1, 2)
    ]
    assert [run["data"]["rows"] for run in runs] == [12, 12, 12]
    assert runs[1]["features"]["forwards"] == 0
    assert runs[2]["features"]["forwards"] > 0


def test_the_cache_is_listed_described_and_verified(zoo, photos, tiny_vit, tmp_path):
    home = tmp_path / "home"
    env = {"ZOO_HOME": str(home)}
    zoo("extract", "--model", f"hf:{tiny_vit}", "--data", photos, env=env)
    (store,) = zoo("cache", "list", "--json", env=env).json["stores"]
    assert store["rows"] == 24
    info = zoo("cache", "info", store["key"][:8], "--json", env=env).json
    assert next(iter(info["columns"].values()))["dim"] == 16
    assert zoo("cache", "verify", "--json", env=env).json["damaged"] == []
    (shard,) = home.rglob("*.safetensors")
    content = bytearray(shard.read_bytes())
    content[-100] ^= 1
    shard.write_bytes(content)
    done = zoo("cache", "verify", env=env)
    assert done.code == 5
    assert shard.name in done.err


def test_models_shows_the_contract_and_lists_providers(zoo, tiny_vit):
    contract = zoo("models", f"hf:{tiny_vit}", "--json").json["contract"]
    assert contract["preprocess"]["size"] == [32, 32]
    assert contract["tap"] == "last_hidden_state"
    assert set(zoo("models", "--json").json["providers"]) >= {"hf", "onnx", "builtin"}
    assert "mean" in zoo("models", f"hf:{tiny_vit}").out


def test_plugins_and_doctor_say_what_there_is(zoo):
    plugins = zoo("plugins", "--json").json["plugins"]
    assert plugins[0]["state"] == "loaded"
    doctor = zoo("doctor", "--json").json
    assert doctor["core"]["version"]
    assert doctor["versions"]["torch"]
    assert "core" in zoo("doctor").out


def test_a_pipe_gets_no_progress_bar_and_no_colour(zoo, photos, tiny_vit):
    done = zoo("transfer", "--model", f"hf:{tiny_vit}", "--data", photos)
    assert "\x1b" not in done.out + done.err
    assert "accuracy" in done.out


def test_quiet_leaves_out_notes_and_warnings(zoo, photos, tiny_vit):
    (photos / "dark" / "broken.png").write_bytes(b"no image")
    done = zoo("transfer", "--model", f"hf:{tiny_vit}", "--data", photos, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert "accuracy" in done.out


def test_environment_variables_stand_in_for_options(zoo, photos, tiny_vit):
    env = {"ZOO_MODEL": f"hf:{tiny_vit}", "ZOO_DATA": str(photos), "ZOO_HEAD": "prototype"}
    assert zoo("transfer", "--json", env=env).json["head"]["name"] == "prototype"
    done = zoo("transfer", "--json", "--head", "ridge", env=env)
    assert done.json["head"]["name"] == "ridge"


def test_ctrl_c_keeps_finished_rows_exits_130_and_says_how_to_go_on(tmp_path, tiny_bert):
    rows = "\n".join(
        f"the film {i} was very {'good ' * (i % 15)},{'ab'[i % 2]}" for i in range(4000)
    )
    (tmp_path / "many.csv").write_text("text,label\n" + rows + "\n")
    command = [sys.executable, "-m", "zoo", "extract", "--model", f"hf:{tiny_bert}"]
    command += ["--data", "many.csv", "--batch-size", "4"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    import os
    from pathlib import Path

    store = Path(os.environ["ZOO_HOME"]) / "store"
    while not list(store.glob("*/key.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "go on with: zoo extract" in err
    again = subprocess.run(
        [*command, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert 0 < json.loads(again.stdout)["features"]["forwards"] < 4000


def test_predict_works_elsewhere_though_preprocess_was_a_file(zoo, photos, tiny_vit, tmp_path):
    (tmp_path / "p.toml").write_text('filter = "bicubic"\n')
    transfer(zoo, f"hf:{tiny_vit}", photos, "--preprocess", "p.toml", "--out", "run")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = zoo("predict", tmp_path / "run", photos / "dark", "--json", cwd=elsewhere)
    assert done.json["forwards"] == 0


def test_json_may_stand_before_the_subcommand(zoo):
    assert zoo("runs", "--json", "list").json["runs"] == []


def test_names_of_files_cannot_steer_the_terminal(zoo, photos, tiny_vit):
    transfer(zoo, f"hf:{tiny_vit}", photos, "--out", "run")
    (photos / "dark" / "00.png").rename(photos / "dark" / "evil\x1b]0;x.png")
    done = zoo("predict", "run", photos / "dark")
    assert "evil" in done.out
    assert "\x1b" not in done.out + done.err


def test_a_home_that_is_a_file_is_a_damaged_store(zoo, tmp_path):
    (tmp_path / "home").write_text("")
    done = zoo("cache", "verify", env={"ZOO_HOME": str(tmp_path / "home")})
    assert done.code == 5
    assert zoo("doctor", "--json", env={"ZOO_HOME": str(tmp_path / "home")}).json["problems"]


@pytest.mark.parametrize("head", ["logistic", "ridge", "lda", "knn", "prototype"])
def test_one_training_image_a_class_leaves_no_fold_and_still_trains(
    zoo, photos, tiny_vit, tmp_path, head
):
    for split, numbers in (("train", range(1)), ("test", range(1, 12))):
        for label in ("dark", "light"):
            (tmp_path / "few" / split / label).mkdir(parents=True)
            for i in numbers:
                name = f"{i:02}.png"
                shutil.copy(photos / label / name, tmp_path / "few" / split / label / name)
    got = transfer(zoo, f"hf:{tiny_vit}", "few", "--head", head).json
    assert got["data"]["splits"] == {"train": 2, "test": 22}
    assert got["evaluation"]["metrics"]["accuracy"]["value"] > 0.7


def test_numbers_and_labels_of_a_table(zoo, tmp_path, tiny_bert):
    table = tmp_path / "films.csv"
    lines = [
        f"{'good' if i % 3 else 'bad'} film {i},{i / 4 - 3},{i % 3 and 1},{i % 2}"
        for i in range(40)
    ]
    table.write_text("text,stars,good,even\n" + "\n".join(lines) + "\n,,,\n")
    model = f"hf:{tiny_bert}"
    done = zoo("transfer", "--model", model, "--data", table, "--target", "stars", "--out", "run")
    assert "task regression: column 'stars' holds numbers that are not whole" in done.err
    assert "1 of 41 rows have no label" in done.err
    assert "41 samples, 1 number (train 40)" in done.out
    assert all(name in done.out for name in ("R2 ", "MAE ", "RMSE ", "Spearman's rho "))
    said = zoo("predict", "run", table, "--out", "out.csv", "--json").json
    assert (said["task"], said["names"]) == ("regression", ["stars"])
    assert list(said["predictions"][0]) == [
        "item",
        "label",
        "probability",
        "probabilities",
        "conformal_set",
        "labels",
        "values",
    ]
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["item", "prediction"]
    assert [float(row["prediction"]) for row in rows] == [
        p["values"][0] for p in said["predictions"]
    ]
    assert "prediction" in zoo("predict", "run", table).out

    done = zoo(
        "transfer", "--model", model, "--data", table, "--target", "good,even", "--out", "run"
    )
    assert "task multilabel: columns 'good', 'even' hold nothing but 0 and 1" in done.err
    assert "41 samples, 2 labels" in done.out
    assert "subset accuracy" in done.out
    said = zoo("predict", "run", table, "--out", "out.csv", "--json").json
    assert (said["task"], said["names"]) == ("multilabel", ["good", "even"])
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["item", "labels", "p:good", "p:even"]
    assert [row["labels"] for row in rows] == ["|".join(p["labels"]) for p in said["predictions"]]
    assert "labels" in zoo("predict", "run", table).out

    done = zoo("transfer", "--model", model, "--data", table, "--target", "stars", "--head", "lda")
    assert done.code == 2
    assert "head 'lda' takes classes only, and the targets are numbers" in done.err
