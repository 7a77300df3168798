"""``zoo verify`` on real models: equal to the model's own library, and able to fail."""

from __future__ import annotations

import importlib.util

import pytest

pytestmark = pytest.mark.real

IMAGES = [
    "hf:model-hf-mobilenet-v1-0.25-128",
    "hf:model-hf-mobilenet-v2-1.0-224",
    "onnx:model-onnx-mobilenet-v1-0.25-128",
    "onnx:model-onnx-mobilenet-v2-1.0-224",
    "onnx:model-onnx-mobilenetv2-12-int8",
    "onnx:model-onnx-resnet8-cifar10",
    "onnx:model-onnx-squeezenet1.1-fp16",
]


def assert_verified(zoo, source, *mistakes, env=None):
    told = zoo(
        "verify", source, "--offline", "--device", "cpu", "--json", env=env, timeout=900
    ).json
    assert told["reference"], told["why"]
    assert told["passed"]
    assert told["greatest"] <= told["tolerance"] == 1e-4
    assert [probe["note"] for probe in told["probes"] if probe["difference"] is None] == []
    found = {way["name"] for way in told["wrong_ways"] if way["found"]}
    assert found >= set(mistakes), told["wrong_ways"]


@pytest.mark.parametrize("name", IMAGES)
def test_images(zoo, asset, name):
    provider, _, folder = name.partition(":")
    path = asset(folder)
    if provider == "onnx":
        (path,) = path.glob("*.onnx")
    assert_verified(zoo, f"{provider}:{path}", "filter nearest", "no antialias")


def test_texts(zoo, asset, minilm):
    mistakes = ("padding not masked", "no special tokens", "pooling cls", "train mode")
    assert_verified(zoo, f"hf:{asset('model-hf-random-tiny-bert')}", *mistakes)
    assert_verified(zoo, f"hf:{minilm}", *mistakes, "cut at 512 tokens")


def test_recordings(zoo, asset):
    path = asset("model-onnx-speech-embedding") / "speech_embedding.onnx"
    mistakes = ("rate not changed", "resampled pointwise", "16-bit range")
    assert_verified(zoo, f"onnx:{path}", *mistakes)


def test_preparation_that_contradicts_the_model_is_the_gate(zoo, asset):
    source = f"hf:{asset('model-hf-mobilenet-v1-0.25-128')}"
    done = zoo("verify", source, "--offline", "--preprocess", "mean=0,std=1")
    assert done.code == 7
    assert "hint: mean=0,std=1 contradicts what the model states" in done.err


def test_sentence_encoders_of_a_plugin(zoo, asset, minilm, environment_of):
    if importlib.util.find_spec("sentence_transformers") is None:
        pytest.skip("sentence_transformers is not installed")
    env = environment_of("zoo-sentence-transformers")
    assert_verified(zoo, f"st:{minilm}", "padding not masked", env=env)
    told = zoo("verify", f"st:{asset('model-static-minilm-64d')}", "--json", env=env).json
    assert (told["passed"], told["greatest"] <= 1e-4) == (True, True)
