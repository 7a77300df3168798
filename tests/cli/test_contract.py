"""The printed contract has every fact on a line of its own, and loses none."""

from __future__ import annotations

import json
import shutil

import pytest

from zoo.cli.contract import contract_lines
from zoo.features import open_model
from zoo.features.model import NUMERICS
from zoo.plugin import LoadOptions
from zoo.registry import Registry


def shown(source, **preprocess):
    options = LoadOptions(device="cpu", offline=True, preprocess=preprocess)
    told = open_model(Registry(pytest.fail), source, options).stated()
    lines = contract_lines(told)
    facts = {line[2:18].strip(): line[18:] for line in lines}
    assert len(facts) == len(lines)
    return told, facts


def test_images(tiny_vit):
    told, facts = shown(f"hf:{tiny_vit}", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    assert facts["decoder"].startswith("Pillow: 8-bit RGB, upright by EXIF")
    assert facts["colour order"] == "RGB"
    assert facts["resize"] == "to 32 x 32 (height x width)"
    assert facts["filter"] == "bilinear, on 8-bit channels, rounded once an axis"
    assert facts["antialias"] == "yes"
    assert facts["crop"] == "none: 32 x 32 (height x width)"
    assert facts["mean"] == "0.485, 0.456, 0.406"
    assert facts["range"] == "-2.118..2.64"  # (0 - 0.485) / 0.229 and (1 - 0.406) / 0.225
    assert facts["mode"] == "evaluation, no gradients"
    numbers = ", ".join(f"{name} {number}" for name, number in NUMERICS["image"].items())
    assert facts["numerics"] == numbers
    assert (facts["weights"], facts["digest"]) == (told["weights"], told["digest"])
    assert shown(f"hf:{tiny_vit}", filter="nearest")[1]["antialias"] == "no"


def test_another_range_order_and_size(make_onnx):
    stated = {"size": [8, 6], "resize": 9, "scale": 1.0, "mean": [127.5], "std": [127.5]}
    _, facts = shown(f"onnx:{make_onnx()}", **stated, color="bgr", input_name="input")
    assert facts["colour order"] == "BGR"
    assert facts["resize"] == "shortest edge to 9"
    assert facts["crop"] == "centre, 8 x 6 (height x width)"
    assert (facts["scale"], facts["range"]) == ("times 1", "-1..1")
    assert facts["input name"] == "input"
    _, facts = shown(f"onnx:{make_onnx()}", size=8, resize="none", dtype="uint8")
    assert (facts["resize"], facts["mean"], facts["range"]) == ("none", "-", "0..255")


def test_texts(tiny_bert):
    told, facts = shown(f"hf:{tiny_bert}", prefix="query: ")
    assert facts["tokenizer"] == told["preprocess"]["tokenizer"]
    assert facts["most tokens"] == "24"
    assert facts["prompt prefix"] == "query: "
    assert facts["padding"] == "to the longest of a batch, on the tokenizer's side"
    assert facts["mask"] == "padding is hidden from tokens and counts in no pooling"
    assert (facts["tap"], facts["pooling"]) == ("last_hidden_state", "mean")


def test_recordings(tiny_vit, tmp_path):
    folder = shutil.copytree(tiny_vit, tmp_path / "sound")
    processor = {"feature_extractor_type": "WhisperFeatureExtractor", "sampling_rate": 8000}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    _, facts = shown(f"hf:{folder}#last_hidden_state/mean")
    assert facts["decoder"] == "libsndfile: float32 of -1..1"
    assert facts["channels"] == "mean"
    assert facts["sample rate"] == "8000 Hz, by soxr HQ"
    assert facts["extractor"] == "WhisperFeatureExtractor"
    assert facts["hop length"] == "160"
    assert facts["padding"] == "to the window, longer ones are cut"
    assert facts["mask"] == "frames that begin in sound count"


def test_a_run_and_the_store_hold_what_is_printed(zoo, tmp_path, photos):
    done = zoo("transfer", "--model", "builtin:tinyconv", "--data", photos, "--out", "run")
    assert done.code == 0, done.err
    told = zoo("models", "builtin:tinyconv", "--json").json["contract"]
    assert told["rules"]["antialias"] is True
    assert told["numerics"] == NUMERICS["image"]
    assert told["mode"] == "evaluation, no gradients"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["contract"] == told
    assert "\n  antialias       yes\n" in zoo("models", "builtin:tinyconv").out
