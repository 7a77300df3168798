"""Verification of every kind of model: right ones pass, wrong ones don't, each mistake shows."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from zoo.backbones import pooling
from zoo.errors import GateError, MissingExtraError, SourceError, UsageError
from zoo.plugin import Provider
from zoo.preprocess import AudioSpec, ImageSpec, Waveform
from zoo.registry import Registry
from zoo.runs import RunOptions, run_verify

HUBCONF = """
import torch
from torch import nn

def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(6, 2),
    )
"""
STATED = (
    'size = [24, 20]\nresize = 28\ncolor = "bgr"\nscale = 1.0\n'
    "mean = [103.0, 116.0, 123.0]\nstd = [57.0]\n"
)
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


@pytest.fixture(scope="module")
def tiny_wav2vec2(tmp_path_factory):
    """A Wav2Vec2 with a mask and normalised input, of 16 features."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        **SIZES,
        conv_dim=[8, 8, 8],
        conv_kernel=[10, 3, 8],
        conv_stride=[5, 2, 8],
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
    )
    model = Wav2Vec2Model(config)
    with torch.no_grad():  # layers that begin as identities would hide what is mixed up
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    folder = tmp_path_factory.mktemp("audio") / "wav2vec2"
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    return folder


@pytest.fixture
def hub(tmp_path):
    """A torchhub folder of a network with BatchNorm and dropout, that takes BGR from 0 to 255."""
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "hubconf.py").write_text(HUBCONF)
    (folder / "preprocess.toml").write_text(STATED)
    return f"torchhub:{folder}/net"


def verified(source, **options):
    options = RunOptions(device="cpu", offline=True, trust_repo=True, **options)
    return run_verify(Registry(pytest.fail), str(source), options=options)


def moved(found, name):
    """What a mistake moves rows by."""
    return next(way.difference for way in found.wrong if way.name == name)


def assert_equal_and_able(found, *mistakes):
    assert found.reference
    assert found.passed, found.probes
    assert {way.name for way in found.wrong if found.finds(way)} >= set(mistakes)


def test_images_of_hugging_face(tiny_vit):
    found = verified(f"hf:{tiny_vit}")
    assert_equal_and_able(found, "BGR", "0..1, no statistics", "filter bicubic", "no antialias")
    assert "ViTImageProcessorPil" in found.reference
    assert_equal_and_able(found, "EXIF-turned 241x180, as stored", "16-bit grey 230x161, as stored")
    notes = {probe.name.partition(" ")[0]: probe.note for probe in found.probes}
    assert notes["EXIF-turned"] == "decoded by zoo: turned upright"
    assert notes["16-bit"] == "decoded by zoo: the upper 8 bits"
    assert json.loads(json.dumps(found.as_dict()))["able_to_fail"] is True


def test_texts_of_hugging_face(tiny_bert):
    found = verified(f"hf:{tiny_bert}")
    assert_equal_and_able(found, "padding not masked", "no special tokens", "cut at 12 tokens")
    assert_equal_and_able(verified(f"hf:{tiny_bert}#hidden_states.1/mean"), "pooling cls")
    assert_equal_and_able(found, "pooling cls", "train mode")  # BERT's default dropout is 0.1
    refused = next(way for way in found.wrong if way.name == "cut at 48 tokens")
    assert (refused.difference, refused.note[:21]) == (None, "the model refuses it:")


def test_recordings_of_hugging_face(tiny_wav2vec2):
    found = verified(f"hf:{tiny_wav2vec2}")
    assert_equal_and_able(found, "rate not changed", "not normalised", "padding not masked")
    assert_equal_and_able(found, "2.1 s at 44100 Hz, stereo, WAV, one channel")
    assert moved(found, "16-bit range") < 1e-4  # it is what normalisation takes away


def test_images_of_onnx(make_onnx, tmp_path):
    path = make_onnx(layout="nhwc")
    (tmp_path / "preprocess.toml").write_text(
        'size = 8\nresize = "exact"\nlayout = "nhwc"\nmean = [0.4]\nstd = [0.3]\n'
    )
    assert_equal_and_able(verified(f"onnx:{path}"), "BGR", "filter nearest")
    assert_equal_and_able(verified(f"onnx:{path}#maps/mean"), "BGR", "pooling cls")


def test_images_of_torchhub_in_another_range_and_order(hub):
    found = verified(hub)
    assert_equal_and_able(found, "RGB", "0..1, no statistics", "0..255, raw", "train mode")
    assert_equal_and_able(verified(f"{hub}#0/mean"), "RGB")


def test_the_built_in_backbone():
    assert_equal_and_able(verified("builtin:tinyconv"), "BGR", "cropped")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_types_pass_by_their_own_tolerance(tiny_vit, dtype):
    found = verified(f"hf:{tiny_vit}", dtype=dtype)
    assert found.passed
    assert found.greatest.difference > 1e-4
    assert found.able_to_fail


def test_preparation_that_goes_wrong_is_found(tiny_vit, monkeypatch):
    right = ImageSpec.apply
    monkeypatch.setattr(ImageSpec, "apply", lambda spec, image: right(spec, image)[::-1].copy())
    found = verified(f"hf:{tiny_vit}")
    assert not found.passed
    assert found.greatest.difference > 0.01


def test_a_mask_that_is_forgotten_is_found(tiny_bert, monkeypatch):
    from zoo.backbones import TextTrunk

    monkeypatch.setattr(TextTrunk, "mask", lambda trunk, inputs: None)
    found = verified(f"hf:{tiny_bert}")
    assert not found.passed
    assert found.alone.difference > 0.01  # padding enters a row, so neighbours do


def test_a_rate_that_is_not_changed_is_found(tiny_wav2vec2, monkeypatch):
    right = AudioSpec.apply
    monkeypatch.setattr(
        AudioSpec, "apply", lambda spec, wave: right(spec, Waveform(wave.samples, spec.rate))
    )
    found = verified(f"hf:{tiny_wav2vec2}")
    differing = [p.name for p in found.probes if (p.difference or 0) > found.tolerance]
    assert differing == [p.name for p in found.probes if " 16000 Hz" not in p.name]


@pytest.mark.parametrize(
    "preprocess", ["mean=0.1,std=0.7", "filter=bicubic", "resize=40,crop=center"]
)
def test_what_contradicts_the_model_is_found(tiny_vit, preprocess):
    assert not verified(f"hf:{tiny_vit}", preprocess=preprocess).passed


def test_what_undoes_the_models_own_is_refused_before(tiny_vit):
    with pytest.raises(UsageError, match="color bgr where the model's own is rgb"):
        verified(f"hf:{tiny_vit}", preprocess="color=bgr")


def test_what_the_model_leaves_open_is_followed(make_onnx, tiny_bert, tiny_vit, tmp_path):
    assert_equal_and_able(verified(f"hf:{tiny_bert}", preprocess="prefix=film "))
    assert not verified(f"hf:{tiny_bert}", preprocess="max_length=9").passed
    stated = "input=image,size=8,resize=exact,mean=0.4,std=0.3,filter=lanczos"
    assert_equal_and_able(verified(f"onnx:{make_onnx()}", preprocess=stated))
    silent = shutil.copytree(tiny_vit, tmp_path / "silent")
    (silent / "preprocessor_config.json").unlink()
    stated = stated.replace("size=8", "size=32")
    assert_equal_and_able(verified(f"hf:{silent}", preprocess=stated), "BGR")


def test_a_provider_without_a_reference_says_so(tiny_vit, monkeypatch):
    from zoo.providers.hf import HuggingFaceProvider

    monkeypatch.setattr(HuggingFaceProvider, "reference", Provider.reference)
    found = verified(f"hf:{tiny_vit}")
    assert (found.reference, found.why) == (None, "provider 'hf' has none")
    assert found.passed
    assert found.able_to_fail  # against the batch, what was computed alone
    told = found.as_dict()
    assert (told["reference"], told["greatest"]) == (None, None)

    def lacks(self, source, options):
        raise MissingExtraError("torchvision", "", package="torchvision")

    monkeypatch.setattr(HuggingFaceProvider, "reference", lacks)
    assert "pip install 'torchvision'" in verified(f"hf:{tiny_vit}").why

    def stumbles(self, source, options):
        raise KeyError("size")

    monkeypatch.setattr(HuggingFaceProvider, "reference", stumbles)
    with pytest.raises(SourceError, match=r"the reference of .* cannot be made: 'size'"):
        verified(f"hf:{tiny_vit}")


def test_a_probe_that_is_refused_is_told_and_no_failure(make_onnx, tmp_path):
    path = make_onnx()
    (tmp_path / "preprocess.toml").write_text(
        'size = 8\nresize = 8\ncrop = "center"\nmean = [0.4]\nstd = [0.3]\n'
    )
    from zoo.preprocess import image

    found = verified(f"onnx:{path}")
    assert_equal_and_able(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "MAX_PIXELS", 8 * 60)  # the panorama becomes 8 by 108
        found = verified(f"onnx:{path}")
    refused = [probe for probe in found.probes if probe.note.startswith("refused")]
    assert ["47x640" in probe.name for probe in refused] == [True]
    assert found.passed


def test_every_tap_of_several_is_held_to_the_reference(tiny_vit, photos, tmp_path, monkeypatch):
    import zoo

    zoo.transfer(f"hf:{tiny_vit}#cls,mean", photos, out=tmp_path / "run", device="cpu")
    found = verified(tmp_path / "run")
    assert_equal_and_able(found, "last_hidden_state/cls: BGR", "last_hidden_state/mean: BGR")
    names = [probe.name.partition(": ")[0] for probe in found.probes]
    assert names == ["last_hidden_state/cls"] * 10 + ["last_hidden_state/mean"] * 10
    assert (found.source, found.run) == (f"hf:{tiny_vit}#cls,mean", str(tmp_path / "run"))
    right = pooling.pool

    def mean_of_all(values, mask, *, pooling, **rest):
        return right(values, None if pooling == "mean" else mask, pooling=pooling, **rest)

    monkeypatch.setattr("zoo.features.columns.pool", mean_of_all)  # the class token included
    found = verified(f"hf:{tiny_vit}#cls,mean")
    assert not found.passed
    wrong = {probe.name.partition(": ")[0] for probe in found.probes if probe.difference > 1e-4}
    assert wrong == {"last_hidden_state/mean"}


def test_a_run_is_held_to_its_pinned_model_and_options(tiny_vit, photos, tmp_path):
    import zoo

    model = shutil.copytree(tiny_vit, tmp_path / "vit")
    folder = tmp_path / "run"
    source = f"hf:{model}#last_hidden_state/mean"
    zoo.transfer(source, photos, out=folder, device="cpu", dtype="bfloat16", preprocess="crop=none")
    found = verified(folder)
    assert_equal_and_able(found)
    assert (found.run, found.source) == (str(folder), source)
    assert found.tolerance > 1e-3  # bfloat16's, as the run
    assert found.contract["pooling"] == "mean"
    stated = json.loads((model / "preprocessor_config.json").read_text())
    (model / "preprocessor_config.json").write_text(json.dumps({**stated, "resample": 3}))
    with pytest.raises(GateError, match=r"contract .* then"):
        verified(folder)


def test_trying_mistakes_leaves_the_backbone_as_it_was(hub):
    from zoo.features import open_model
    from zoo.plugin import LoadOptions
    from zoo.runs.probes import photo
    from zoo.runs.wrong_ways import rows_of, wrong_ways

    options = LoadOptions(device="cpu", trust_repo=True)
    backbone = open_model(Registry(pytest.fail), hub, options).backbone
    from PIL import Image

    images = [Image.fromarray(photo(40, 50, seed)) for seed in range(3)]
    before = rows_of(backbone, [backbone.prepare(image) for image in images])
    state = {k: v.clone() for k, v in backbone.module().state_dict().items()}
    assert "train mode" in [way.name for way in wrong_ways(backbone, images)]
    assert not any(part.training for part in backbone.module().modules())
    assert all((state[k] == v).all() for k, v in backbone.module().state_dict().items())
    after = rows_of(backbone, [backbone.prepare(image) for image in images])
    np.testing.assert_array_equal(after, before)
