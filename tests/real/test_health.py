"""Findings on real data: what is amiss with it is found, and what is sound is left in peace."""

from __future__ import annotations

import pytest

import zoo
from zoo.data import plan_splits
from zoo.runs.health import examine


def findings(model, data):
    extracted = zoo.extract(model, str(data)).extracted
    plan = plan_splits(extracted.dataset, extracted.keys, 0)
    return examine(extracted, plan, seed=0, threads=1)


def warned(found):
    return {finding.kind: finding for finding in found if finding.level == "warning"}


def test_the_leaked_rows_of_sms_spam_are_counted(asset):
    found = findings(f"hf:{asset('model-hf-random-tiny-bert')}", asset("text-sms-spam"))
    told = warned(found)
    assert set(told) == {"duplicates_across", "imbalance"}
    assert told["duplicates_across"].figures["rows"] == 164
    assert told["imbalance"].figures["commonest"] == "ham"
    (near,) = (finding for finding in found if finding.kind == "near_duplicates")
    assert near.figures["rows"] <= 6  # texts but for a character, of 1,390


def test_the_one_cartoon_that_is_there_twice_is_found(asset):
    model = f"onnx:{asset('model-onnx-mobilenet-v1-0.25-128')}"
    told = warned(findings(model, asset("img-pacs-photo-cartoon") / "cartoon"))
    assert set(told) == {"few_samples", "near_duplicates"}
    pairs = told["near_duplicates"].figures["pairs"]
    assert {name for pair in pairs for name in pair} == {"house/pic_107.jpg", "house/pic_296.jpg"}


@pytest.mark.parametrize(
    ("model", "data"),
    [
        ("model-onnx-mobilenet-v1-0.25-128", "img-flowers5"),
        ("model-onnx-resnet8-cifar10", "img-cifar10-jpeg"),
        ("model-onnx-resnet8-cifar10", "img-digits-mnist-usps/mnist"),
        ("model-onnx-speech-embedding/speech_embedding.onnx", "audio-fsdd"),
    ],
)
def test_sound_data_has_no_warning(asset, model, data):
    found = findings(f"onnx:{asset(model)}", asset(data))
    assert warned(found) == {}
    assert "near_duplicates" not in {finding.kind for finding in found}


def test_other_photographs_of_ants_and_bees_are_few_and_nothing_else(asset):
    model = f"onnx:{asset('model-onnx-mobilenet-v1-0.25-128')}"
    assert set(warned(findings(model, asset("img-hymenoptera")))) == {"few_samples"}
