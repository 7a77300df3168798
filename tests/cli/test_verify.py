"""``zoo verify`` as a user has it: the tables, the JSON, the gate."""

from __future__ import annotations

import shutil


def test_differences_and_mistakes_are_shown(zoo, tiny_vit):
    done = zoo("verify", f"hf:{tiny_vit}", "--device", "cpu", "--threads", "1", "--offline")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[3].startswith("reference  transformers ")
    assert lines[4] == "tolerance  1e-04 of a row's norm"
    assert any(line.startswith("photo 333x501, JPEG ") for line in lines)
    (bgr,) = [line.split() for line in lines if line.startswith("BGR ")]
    assert bgr[-1] == "found"
    assert lines[-1].startswith("equal: at most ")
    assert "mistakes would be found" in lines[-1]


def test_a_difference_is_exit_code_7_and_still_one_json_object(zoo, make_onnx, tmp_path):
    import json

    path = make_onnx()
    (tmp_path / "preprocess.toml").write_text(
        'size = 8\nresize = "exact"\ncolor = "rgb"\nmean = [0.4]\nstd = [0.3]\n'
    )
    told = zoo("verify", f"onnx:{path}", "--json").json
    assert (told["schema"], told["passed"], told["able_to_fail"]) == (1, True, True)
    assert told["greatest"] <= told["tolerance"] == 1e-4
    done = zoo("verify", f"onnx:{path}", "--preprocess", "mean=0.2", "--json")
    assert done.code == 7
    told = json.loads(done.out)
    assert (told["passed"], told["greatest"] > 0.01) == (False, True)
    assert "more than 1e-04" in done.err
    assert "hint: mean=0.2 contradicts what the model states" in done.err
    done = zoo("verify", f"onnx:{path}", "--preprocess", "mean=0.2", "--quiet", "--dtype", "auto")
    assert done.code == 7
    assert done.out.startswith("DIFFERENT: at most ")
    assert len(done.out.splitlines()) == 1


def test_a_run_is_verified_by_its_folder(zoo, tmp_path, tiny_bert, reviews):
    model = shutil.copytree(tiny_bert, tmp_path / "bert")
    made = zoo("transfer", "--model", "hf:./bert", "--data", reviews, "--out", "run")
    assert made.code == 0, made.err
    told = zoo("verify", "run", "--json").json
    assert (told["run"], told["source"], told["passed"]) == ("run", "hf:./bert", True)
    from safetensors.numpy import load_file, save_file

    weights = load_file(model / "model.safetensors")
    name = min(weights)
    save_file({**weights, name: weights[name] + 1}, model / "model.safetensors")
    done = zoo("verify", "run")
    assert done.code == 7
    assert "is not what 'run' was trained on: weights " in done.err


def test_code_of_a_repository_runs_by_flag_alone(zoo, tmp_path):
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hubconf.py").write_text("def net():\n    return None\n")
    (tmp_path / "hub" / "preprocess.toml").write_text("size=8\nresize=8\nmean=0\nstd=1\n")
    done = zoo("verify", "torchhub:./hub/net")
    assert done.code == 6
    assert "--trust-repo" in done.err


def test_what_is_neither_a_model_nor_a_run_is_a_source_error(zoo, tmp_path):
    assert zoo("verify", "hf:./nothing").code == 3
    (tmp_path / "empty").mkdir()
    assert zoo("verify", "./empty").code == 3
