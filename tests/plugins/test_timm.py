"""``timm:`` as a stranger has it: timm's own features on images prepared as timm prepares them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.backbones.pooling import pool
from zoo.plugin import LoadOptions, Source, SourceError

if importlib.util.find_spec("timm") is None:
    pytest.skip("timm is not installed (pip install --no-deps timm)", allow_module_level=True)

# One of each kind: tokens with a class token, maps, maps with channels last.
VIT, RESNET, SWIN = "test_vit.r160_in1k", "test_resnet.r160_in1k", "swin_tiny_patch4_window7_224"
INCEPTION = "inception_v3.tv_in1k"  # 299 pixels, and an auxiliary head


@pytest.fixture
def registry(registry_of):
    return registry_of("zoo-timm")


@pytest.fixture
def provider(registry):
    return registry.create("provider", "timm")


@pytest.fixture
def timm(registry):
    del registry
    from zoo_timm.timm_import import import_timm

    return import_timm()


@pytest.fixture
def weights(timm, tmp_path):
    """Writes the state of a model with seeded random weights; gives the model and the file."""
    import torch
    from safetensors.torch import save_file

    def write(name, rename=str, **arguments):
        torch.manual_seed(0)
        module = timm.create_model(name, pretrained=False, **arguments).eval()
        path = tmp_path / f"{name.partition('.')[0]}.safetensors"
        state = {rename(key): value.contiguous() for key, value in module.state_dict().items()}
        save_file(state, path)
        return module, path

    return write


@pytest.fixture
def images():
    from PIL import Image

    rng = np.random.default_rng(0)
    sizes = [(300, 411), (171, 168), (168, 173), (90, 64), (224, 224)]
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for w, h in sizes]


def features(provider, source, images):
    """Rows of the images as zoo would store them, and the batch that they were made from."""
    backbone = provider.load(Source.parse(source), LoadOptions())
    contract = backbone.contract
    batch = backbone.collate([backbone.prepare(image) for image in images])
    values, mask = backbone.forward(batch)[contract.tap].numpy()
    rows = pool(values, mask, pooling=contract.pooling, layout=contract.layout, tap=contract.tap)
    return rows, batch


def close(rows, reference):
    """Within 1e-5 of each row's length: torch sums in another order on channels-last tensors."""
    reference = reference.detach().numpy()
    assert rows.shape == reference.shape
    error = np.linalg.norm(rows - reference, axis=1) / np.linalg.norm(reference, axis=1)
    assert error.max() < 1e-5


def test_the_registry_finds_it_by_its_entry_point(registry):
    (info,) = [info for info in registry.plugins() if info.name == "timm"]
    assert (info.version, info.state, info.hooks) == (
        "0.1.0",
        "loaded",
        ("zoo_register_providers",),
    )
    assert registry.providers["timm"].plugin == "timm"


@pytest.mark.parametrize("name", [VIT, RESNET])
def test_it_keeps_the_contract_of_providers(registry, provider, weights, name):
    testing = pytest.importorskip("zoo.testing")
    source = f"timm:{name}?weights={weights(name)[1]}"
    provider.describe(Source.parse(source), LoadOptions())  # the first look imports timm and torch
    testing.run_checks(testing.provider_checks(registry.providers["timm"].entry, source))


@pytest.mark.parametrize("name", [VIT, RESNET, SWIN])
def test_features_are_timms_own(provider, weights, images, name):
    import torch

    module, path = weights(name)
    rows, batch = features(provider, f"timm:{name}?weights={path}", images)
    with torch.inference_mode():
        maps = module.forward_features(torch.from_numpy(batch))
        close(rows, module.forward_head(maps, pre_logits=True))
        mean, _ = features(provider, f"timm:{name}?weights={path}#features/mean", images)
        if name == VIT:
            close(mean, maps[:, module.num_prefix_tokens :].mean(1))
            cls, _ = features(provider, f"timm:{name}?weights={path}#features/cls", images)
            close(cls, maps[:, 0])
        else:
            close(mean, maps.mean((1, 2) if name == SWIN else (2, 3)))


@pytest.mark.parametrize("mode", ["center", "squash"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("crop_pct", [0.875, 0.9, 1.0])
def test_images_are_prepared_as_by_timms_evaluation_transform(
    provider, timm, weights, images, tmp_path, mode, interpolation, crop_pct
):
    pytest.importorskip("torchvision", exc_type=ImportError)
    from timm.data import create_transform, resolve_data_config

    module, _ = weights(VIT)
    module.pretrained_cfg.update(
        crop_mode=mode, interpolation=interpolation, crop_pct=crop_pct, mean=(0.4, 0.5, 0.6)
    )
    timm.models.save_for_hf(module, tmp_path / "m", safe_serialization=True)
    backbone = provider.load(Source.parse(f"timm:{tmp_path / 'm'}"), LoadOptions())
    transform = create_transform(**resolve_data_config({}, model=module))
    for image in images:
        # One table of float32 values against two float32 operations: one rounding apart.
        np.testing.assert_allclose(backbone.prepare(image), transform(image).numpy(), atol=1e-6)


def cfg(timm, name):
    return timm.get_pretrained_cfg(name)


def test_a_crop_starts_at_the_rounded_middle(provider, weights):
    from PIL import Image

    _, path = weights(VIT)  # resize to 168, then 160 pixels from the centre
    backbone = provider.load(Source.parse(f"timm:{VIT}?weights={path}"), LoadOptions())
    for width, left in ((168, 4), (171, 6), (173, 6), (175, 8)):  # 5.5 and 6.5 are both 6
        columns = np.broadcast_to(np.arange(width, dtype=np.uint8)[None, :, None], (168, width, 3))
        prepared = backbone.prepare(Image.fromarray(np.ascontiguousarray(columns)))
        assert round(float(prepared[0, 0, 0] * 0.5 + 0.5) * 255) == left


def test_bfloat16_stays_close(provider, weights, images):
    import torch

    module, path = weights(VIT)
    options = LoadOptions(dtype="bfloat16")
    backbone = provider.load(Source.parse(f"timm:{VIT}?weights={path}"), options)
    batch = backbone.collate([backbone.prepare(image) for image in images])
    values, _ = backbone.forward(batch)["pre_logits"].numpy()
    with torch.inference_mode():
        maps = module.forward_features(torch.from_numpy(batch))
        want = module.forward_head(maps, pre_logits=True).numpy()
    cosine = (values * want).sum(1) / np.linalg.norm(values, axis=1) / np.linalg.norm(want, axis=1)
    assert cosine.min() > 0.999  # bfloat16 keeps 8 bits of each value


def test_several_taps_come_from_one_forward_pass(provider, weights, images):
    _, path = weights(VIT)
    taps = ["pre_logits", "features/mean", "features/cls"]
    named = [f"timm:{VIT}?weights={path}#{tap}" for tap in taps]
    trunk = provider.load_taps([Source.parse(each) for each in named], LoadOptions())
    out = trunk.forward(trunk.collate([trunk.prepare(image) for image in images]))
    assert list(out) == taps
    for (tap, given), pooling, source in zip(
        out.items(), ["none", "mean", "cls"], named, strict=True
    ):
        rows = pool(*given.numpy(), pooling=pooling, layout="channels_first", tap=tap)
        np.testing.assert_array_equal(rows, features(provider, source, images)[0])


def test_inception_takes_299_pixels_and_leaves_its_auxiliary_head_out(provider, weights, images):
    import torch

    module, path = weights(INCEPTION, aux_logits=True)
    rows, batch = features(provider, f"timm:{INCEPTION}?weights={path}", images)
    assert batch.shape[2:] == (299, 299)
    with torch.inference_mode():
        maps, auxiliary = module.forward_features(torch.from_numpy(batch))
        close(rows, module.forward_head(maps, pre_logits=True))
    assert auxiliary.shape == (len(images), 1000)
    alone = [features(provider, f"timm:{INCEPTION}?weights={path}", [each])[0] for each in images]
    close(np.concatenate(alone), torch.from_numpy(rows))


def test_it_is_frozen_in_evaluation_mode(provider, weights, images):
    _, path = weights(RESNET)
    backbone = provider.load(Source.parse(f"timm:{RESNET}?weights={path}"), LoadOptions())
    module = backbone.module()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    for _ in range(2):
        backbone.forward(backbone.collate([backbone.prepare(image) for image in images]))
    assert not any(part.training for part in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert all((before[name] == value).all() for name, value in module.state_dict().items())


def test_the_contract_holds_what_decides_the_features(provider, weights):
    _, path = weights(VIT)
    other = provider.describe(Source.parse(f"timm:{RESNET}?weights={path}"), LoadOptions())
    told = provider.describe(Source.parse(f"timm:{VIT}?weights={path}"), LoadOptions())
    assert told.modality == "image"
    assert (told.tap, told.pooling) == ("pre_logits", "none")
    assert told.preprocess["size"] == [160, 160]
    assert told.preprocess["resize"] == 168  # floor(160 / 0.95)
    assert told.preprocess["filter"] == "bicubic"
    assert told.preprocess["mean"] == [0.5, 0.5, 0.5]
    assert told.info["licence"] == "apache-2.0"
    assert told.weights == other.weights
    assert told.digest() != other.digest()
    options = LoadOptions(preprocess={"filter": "bilinear"})
    changed = provider.describe(Source.parse(f"timm:{VIT}?weights={path}"), options)
    assert changed.digest() != told.digest()


def test_a_model_that_was_looked_at_is_described_without_torch(weights, environment_of, zoo):
    _, path = weights(VIT)
    source, environment = f"timm:{VIT}?weights={path}", environment_of("zoo-timm")
    first = zoo("models", source, "--json", env=environment).json
    program = (
        "import sys; from zoo.registry import Registry; from zoo.features import open_model;"
        "from zoo.plugin import LoadOptions;"
        f"model = open_model(Registry(print), {source!r}, LoadOptions());"
        "print(model.contract.digest()); assert 'torch' not in sys.modules"
    )
    import os

    again = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout.strip() == first["contract"]["digest"]


def test_fine_tuned_headless_and_wrapped_weights_load(provider, weights, images):
    import torch

    for arguments, rename in (
        ({"num_classes": 7}, str),
        ({"num_classes": 0}, str),
        ({}, "module.{}".format),
    ):
        module, path = weights(RESNET, rename, **arguments)
        rows, batch = features(provider, f"timm:{RESNET}?weights={path}", images)
        with torch.inference_mode():
            maps = module.forward_features(torch.from_numpy(batch))
            close(rows, module.forward_head(maps, pre_logits=True))


def test_a_folder_that_timm_saved_loads(provider, timm, weights, images, tmp_path):
    import torch

    module, _ = weights(VIT, num_classes=5)
    folder = tmp_path / "saved"
    timm.models.save_for_hf(module, folder, safe_serialization=True)
    rows, batch = features(provider, f"timm:{folder}", images)
    with torch.inference_mode():
        maps = module.forward_features(torch.from_numpy(batch))
        close(rows, module.forward_head(maps, pre_logits=True))
    told = provider.describe(Source.parse(f"timm:{folder}"), LoadOptions())
    assert told.preprocess["resize"] == 168


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("norm.weight"), "Missing key.*norm.weight"),
        (lambda state: state.update(extra=state["norm.weight"].clone()), "Unexpected key.*extra"),
        (lambda state: state.update({"norm.weight": state["norm.weight"][:3].clone()}), "size mis"),
    ],
)
def test_weights_that_do_not_fit_are_refused(provider, weights, change, message):
    from safetensors.torch import load_file, save_file

    _, path = weights(VIT)
    state = load_file(path)
    change(state)
    save_file(state, path)
    with pytest.raises(SourceError, match=message):
        provider.load(Source.parse(f"timm:{VIT}?weights={path}"), LoadOptions())


def test_damaged_missing_and_pickled_weights_are_refused(provider, tmp_path):
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no header")
    pickled = tmp_path / "weights.pth"
    pickled.write_bytes(b"")
    for path, message in (
        (damaged, "cannot be loaded"),
        (pickled, "not a .safetensors file"),
        (tmp_path / "none.safetensors", "no weights file"),
    ):
        with pytest.raises(SourceError, match=message):
            provider.load(Source.parse(f"timm:{VIT}?weights={path}"), LoadOptions())


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        (f"timm:{VIT}", "not in the Hub's local cache", "--offline"),
        ("timm:hf-hub:org/name", "not in the Hub's local cache", "--offline"),
        ("timm:resnet81", "has no model 'resnet81'", "like it: resnet"),
        ("timm:test_vit.none", "no weights 'none'", "r160_in1k"),
        ("timm:./none", "no folder", "timm:hf-hub:org/name"),
    ],
)
def test_random_weights_are_never_taken_for_pretrained_ones(provider, source, message, hint):
    with pytest.raises(SourceError, match=message) as caught:
        provider.load(Source.parse(source), LoadOptions(offline=True))
    assert hint in caught.value.hint


def test_a_model_without_published_safetensors_says_how_to_give_them(provider, timm):
    name = next(n for n in timm.list_pretrained() if not cfg(timm, n).hf_hub_id)
    with pytest.raises(SourceError, match="random weights are no backbone") as caught:
        provider.describe(Source.parse(f"timm:{name}"), LoadOptions())
    assert "?weights=" in caught.value.hint


def test_a_preparation_that_zoo_does_not_know_is_refused_or_stated(provider, timm, weights):
    name = next(n for n in timm.list_pretrained() if cfg(timm, n).crop_mode == "border")
    _, path = weights(VIT)
    source = Source.parse(f"timm:{name}?weights={path}")
    with pytest.raises(SourceError, match="crop mode 'border'"):
        provider.describe(source, LoadOptions())
    stated = {"size": 512, "resize": "exact", "mean": [0.5], "std": [0.5]}
    told = provider.describe(source, LoadOptions(preprocess=stated))
    assert told.preprocess["resize"] == [512, 512]


@pytest.mark.parametrize(
    ("tap", "message"),
    [("layer4/mean", "no tap 'layer4'"), ("features/cls", "has no class token")],
)
def test_an_unknown_tap_is_refused(provider, weights, images, tap, message):
    _, path = weights(RESNET)
    with pytest.raises(SourceError, match=message):
        features(provider, f"timm:{RESNET}?weights={path}#{tap}", images)


def test_a_folder_may_not_name_another_source_of_weights(provider, timm, weights, tmp_path):
    module, _ = weights(VIT)
    timm.models.save_for_hf(module, tmp_path / "m", safe_serialization=True)
    path = tmp_path / "m" / "config.json"
    config = json.loads(path.read_text())
    for key, value, message in (
        ("model_args", {"checkpoint_path": "../evil.pth"}, "checkpoint_path"),
        ("architecture", "hf-hub:evil/model", "no model 'hf-hub"),
        ("pretrained_cfg", 3, "not a configuration of timm's"),
    ):
        path.write_text(json.dumps({**config, key: value}))
        with pytest.raises(SourceError, match=message):
            provider.load(Source.parse(f"timm:{tmp_path / 'm'}"), LoadOptions())


def test_a_transfer_runs_once_and_is_read_from_the_store_then(weights, environment_of, zoo, photos):
    _, path = weights(RESNET)
    run = ("transfer", "--model", f"timm:{RESNET}?weights={path}", "--data", photos, "--json")
    environment = environment_of("zoo-timm")
    first = zoo(*run, env=environment).json
    assert first["features"]["forwards"] == 24
    assert zoo(*run, env=environment).json["features"]["forwards"] == 0
    listed = zoo("plugins", "--json", env=environment)
    assert '"timm"' in listed.out
    failed = zoo("models", f"timm:{VIT}", env=environment)
    assert failed.code == 3
    assert "hint:" in failed.err


BROKEN = """
import torch
@torch.library.register_fake("torchvision::nms")
def nms(dets, scores, iou_threshold):
    return scores.new_empty((0,), dtype=torch.long)
"""


def test_operators_that_cannot_be_loaded_are_declared(registry, tmp_path):
    """A package index's torchvision beside a CPU torch: its Python side waits for an operator."""
    del registry
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(BROKEN)
    import zoo_timm

    program = (
        "import sys; from zoo_timm import timm_import as t\n"
        "try: import torchvision\n"
        "except RuntimeError: pass\n"
        "else: sys.exit('this torchvision was to be broken')\n"
        "t._check_torchvision(); import torchvision, torch; torchvision.nms;"
        "import gc; gc.collect(); print(torch.ops.torchvision.nms.default._schema)"
    )
    import os

    paths = [str(tmp_path), str(Path(zoo_timm.__file__).parents[1]), os.environ["PYTHONPATH"]]
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "torchvision::nms" in ran.stdout


def verified(registry, source, **options):
    from zoo.runs import RunOptions, run_verify

    return run_verify(registry, source, options=RunOptions(device="cpu", offline=True, **options))


def test_without_torchvision_verification_says_what_it_lacks(registry, weights, monkeypatch):
    _, path = weights(RESNET)
    find = importlib.util.find_spec

    def found_but_one(name, package=None):
        return None if name == "torchvision" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", found_but_one)
    found = verified(registry, f"timm:{RESNET}?weights={path}")
    assert (found.reference, found.passed, found.able_to_fail) == (None, True, True)
    assert found.why == "'torchvision' is not installed (pip install 'torchvision')"


@pytest.mark.parametrize("name", [VIT, RESNET, f"{VIT}#features/mean", f"{RESNET}#features/mean"])
def test_features_are_verified_against_timms_own_transform(registry, weights, name):
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    model, mark, tap = name.partition("#")
    _, path = weights(model)
    source = f"timm:{model}?weights={path}{mark}{tap}"
    found = verified(registry, source)
    assert found.reference.startswith("timm ")
    assert found.passed, found.probes
    assert found.able_to_fail
    assert not verified(registry, source, preprocess="filter=nearest").passed
