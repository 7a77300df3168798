"""Image families: features equal transformers' own on what its Pillow processor makes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from zoo.errors import SourceError
from zoo.plugin import LoadOptions, Source
from zoo.providers.hf import HuggingFaceProvider

SIZES = [(97, 61), (40, 131), (64, 64), (33, 30), (3, 200)]  # width and height
TRANSFORMER = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
STATS = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
# As Google's conversion states them for every variant, whose sizes alone differ.
EFFICIENT = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.4785, 0.4733, 0.4743]}
VARIANTS = {"b0": 224, "b1": 240, "b2": 260, "b3": 300, "b4": 380, "b5": 456, "b6": 528, "b7": 600}


def square(edge):
    return {"height": edge, "width": edge}


def transformer(**more):
    return {**TRANSFORMER, "image_size": 32, "patch_size": 8, **more}


def resnet(t):
    config = t.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], layer_type="bottleneck"
    )
    return t.ResNetModel(config), t.ConvNextImageProcessorPil(size={"shortest_edge": 56}, **STATS)


def convnext(t):
    config = t.ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1])
    return t.ConvNextModel(config), t.ConvNextImageProcessorPil(size={"shortest_edge": 64})


def convnext_large(t):
    """From 384 pixels on images are warped and not cropped."""
    config = t.ConvNextConfig(hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1])
    return t.ConvNextModel(config), t.ConvNextImageProcessorPil(size={"shortest_edge": 384})


def convnextv2(t):
    config = t.ConvNextV2Config(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1])
    return t.ConvNextV2Model(config), t.ConvNextImageProcessorPil(size={"shortest_edge": 64})


def regnet(t):
    config = t.RegNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], groups_width=4, layer_type="y"
    )
    return t.RegNetModel(config), t.ConvNextImageProcessorPil(size={"shortest_edge": 64}, **STATS)


def bit(t):
    config = t.BitConfig(embedding_size=8, hidden_sizes=[32, 64], depths=[1, 1], num_groups=4)
    processor = t.BitImageProcessorPil(size={"shortest_edge": 72}, crop_size=square(64))
    return t.BitModel(config), processor


def swin(t):
    config = t.SwinConfig(
        image_size=64, patch_size=4, embed_dim=8, depths=[1, 2], num_heads=[1, 2], window_size=4
    )
    return t.SwinModel(config), t.ViTImageProcessorPil(size=square(64), resample=3, **STATS)


def mobilenet_v1(t):
    config = t.MobileNetV1Config(image_size=64, depth_multiplier=0.25, min_depth=8)
    processor = t.MobileNetV1ImageProcessorPil(size={"shortest_edge": 72}, crop_size=square(64))
    return t.MobileNetV1Model(config), processor


def mobilenet_v2(t):
    config = t.MobileNetV2Config(image_size=64, depth_multiplier=0.35)
    processor = t.MobileNetV2ImageProcessorPil(size={"shortest_edge": 72}, crop_size=square(64))
    return t.MobileNetV2Model(config), processor


def efficientnet(t):
    config = t.EfficientNetConfig(
        width_coefficient=0.25,
        depth_coefficient=0.2,
        hidden_dim=320,
        image_size=64,
        initializer_range=0.3,
    )
    processor = t.EfficientNetImageProcessorPil(size=square(64), resample=0, **EFFICIENT)
    return t.EfficientNetModel(config), processor


CONVOLUTIONAL = {
    make.__name__: make
    for make in (
        resnet,
        convnext,
        convnext_large,
        convnextv2,
        regnet,
        bit,
        swin,
        mobilenet_v1,
        mobilenet_v2,
        efficientnet,
    )
}


def vit(t):
    return t.ViTModel(t.ViTConfig(**transformer())), t.ViTImageProcessorPil(size=square(32))


def deit(t):
    processor = t.DeiTImageProcessorPil(size=square(36), crop_size=square(32))
    return t.DeiTModel(t.DeiTConfig(**transformer())), processor


def vit_msn(t):
    return t.ViTMSNModel(t.ViTMSNConfig(**transformer())), t.ViTImageProcessorPil(size=square(32))


def dinov2(t):
    """As published: positions are learned for larger images than the processor makes."""
    config = t.Dinov2Config(**{**transformer(image_size=70, patch_size=14), "mlp_ratio": 2})
    return t.Dinov2Model(config), t.BitImageProcessorPil(
        size={"shortest_edge": 48}, crop_size=square(42), **STATS
    )


def dinov2_with_registers(t):
    config = t.Dinov2WithRegistersConfig(
        **{**transformer(image_size=70, patch_size=14), "mlp_ratio": 2}, num_register_tokens=3
    )
    return t.Dinov2WithRegistersModel(config), t.BitImageProcessorPil(
        size={"shortest_edge": 48}, crop_size=square(42), **STATS
    )


def clip(t):
    config = t.CLIPVisionConfig(**transformer())
    processor = t.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=square(32))
    return t.CLIPVisionModel(config), processor


def siglip(t):
    config = t.SiglipVisionConfig(**transformer())
    return t.SiglipVisionModel(config), t.SiglipImageProcessorPil(size=square(32))


TOKENS = {  # and how many tokens stand before the patches
    vit: 1,
    deit: 2,
    vit_msn: 1,
    dinov2: 1,
    dinov2_with_registers: 4,
    clip: 1,
    siglip: 0,
}


def pictures():
    """Odd sizes, no two alike in colour."""
    rng = np.random.default_rng(0)
    out = []
    for w, h in SIZES:
        tint = rng.integers(0, 256, 3)
        noise = rng.integers(0, 256, (h, w, 3))
        out.append(Image.fromarray(((noise + 2 * tint) // 3).astype(np.uint8)))
    return out


@pytest.fixture(scope="module")
def folder_of(saved, tmp_path_factory):
    """The folder of a family's small model, made once."""
    import torch
    import transformers

    folders = {}

    def get(make):
        if make not in folders:
            torch.manual_seed(0)
            folder = tmp_path_factory.mktemp("images") / make.__name__
            seen = torch.randn(8, 3, 64, 64) if make in CONVOLUTIONAL.values() else None
            folders[make] = saved(folder, *make(transformers), seen=seen)
        return folders[make]

    return get


def pixels_of(folder):
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return processor(pictures(), return_tensors="pt")["pixel_values"]


def outputs_of(folder, **arguments):
    """What transformers' own pipeline gives."""
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(pixel_values=pixels_of(folder), **arguments)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_what_a_trunk_pools_by_itself(folder_of, backbone_of, assert_golden, name):
    folder = folder_of(CONVOLUTIONAL[name])
    pooled = outputs_of(folder).pooler_output
    assert_golden(backbone_of(folder), pictures(), pooled.reshape(len(SIZES), -1))


@pytest.mark.parametrize("name", ["resnet", "convnext", "mobilenet_v2", "efficientnet"])
def test_the_mean_over_the_last_maps(folder_of, backbone_of, assert_golden, name):
    folder = folder_of(CONVOLUTIONAL[name])
    maps = outputs_of(folder).last_hidden_state
    backbone = backbone_of(folder, "#last_hidden_state/mean")
    assert_golden(backbone, pictures(), maps.mean(dim=(2, 3)))


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_images_come_out_as_the_processor_makes_them(folder_of, backbone_of, name):
    folder = folder_of(CONVOLUTIONAL[name])
    backbone = backbone_of(folder)
    got = np.stack([backbone.prepare(image) for image in pictures()])
    # EfficientNet's two divisions are one here: a rounding apart.
    exact = 1e-6 if name == "efficientnet" else 0
    np.testing.assert_allclose(got, pixels_of(folder).numpy(), rtol=exact, atol=exact)


@pytest.mark.parametrize("make", TOKENS, ids=lambda make: make.__name__)
def test_the_class_token_the_mean_of_patches_and_a_layers(
    folder_of, backbone_of, assert_golden, make
):
    folder, prefix = folder_of(make), TOKENS[make]
    outputs = outputs_of(folder, output_hidden_states=True)
    hidden = outputs.last_hidden_state
    mean = backbone_of(folder, "#last_hidden_state/mean")
    assert_golden(mean, pictures(), hidden[:, prefix:].mean(dim=1))
    layer = backbone_of(folder, "#hidden_states.1/mean")
    assert_golden(layer, pictures(), outputs.hidden_states[1][:, prefix:].mean(dim=1))
    assert mean.contract.model.get("prefix_tokens", 0) == prefix
    if prefix:
        assert_golden(backbone_of(folder, "#last_hidden_state/cls"), pictures(), hidden[:, 0])
    else:
        with pytest.raises(SourceError, match="no class token"):
            backbone_of(folder, "#last_hidden_state/cls")


@pytest.mark.parametrize("make", [vit, dinov2, clip, siglip], ids=lambda make: make.__name__)
def test_the_default_is_the_class_token_or_what_the_model_pools(
    folder_of, backbone_of, assert_golden, make
):
    folder = folder_of(make)
    outputs = outputs_of(folder)
    pooled = make in {clip, siglip}
    want = outputs.pooler_output if pooled else outputs.last_hidden_state[:, 0]
    assert_golden(backbone_of(folder), pictures(), want)


@pytest.mark.parametrize("make", [vit, deit, clip, siglip], ids=lambda make: make.__name__)
def test_another_size_stretches_positions_and_the_contract_says_so(
    folder_of, backbone_of, assert_golden, make
):
    import torch
    from transformers import AutoModel

    folder = folder_of(make)
    stated = {"size": [48, 40], "resize": "exact", "crop": "none"}
    backbone = backbone_of(folder, "#last_hidden_state/mean", preprocess=stated)
    assert backbone.contract.model["positions"] == {
        "trained": [32, 32],
        "used": [48, 40],
        "interpolation": "bicubic",
    }
    assert "positions" not in backbone_of(folder).contract.model
    spec = backbone.contract.preprocess
    pixels = []
    for image in pictures():
        resized = image.resize((40, 48), Image.Resampling[spec["filter"].upper()])
        scaled = np.asarray(resized, np.float32) / 255
        pixels.append((scaled - np.float32(spec["mean"])) / np.float32(spec["std"]))
    tensor = torch.from_numpy(np.stack(pixels).transpose(0, 3, 1, 2))
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        hidden = model(pixel_values=tensor, interpolate_pos_encoding=True).last_hidden_state
    assert_golden(backbone, pictures(), hidden[:, TOKENS[make] :].mean(dim=1))


@pytest.mark.parametrize("make", [dinov2, dinov2_with_registers], ids=lambda make: make.__name__)
def test_positions_that_a_family_stretches_by_itself_are_recorded(folder_of, backbone_of, make):
    positions = backbone_of(folder_of(make)).contract.model["positions"]
    assert (positions["trained"], positions["used"]) == ([70, 70], [42, 42])


def test_a_masked_autoencoder_sees_every_patch(saved, backbone_of, assert_golden, tmp_path):
    """Its module hides three of four at random, in evaluation mode too."""
    import torch
    import transformers as t

    torch.manual_seed(0)
    folder = saved(
        tmp_path,
        t.ViTMAEModel(t.ViTMAEConfig(**transformer())),
        t.ViTImageProcessorPil(size=square(32)),
    )
    model = t.ViTMAEModel.from_pretrained(folder, dtype=torch.float32, mask_ratio=0.0).eval()
    order = torch.arange(16.0).expand(len(SIZES), -1)
    with torch.no_grad():
        hidden = model(pixels_of(folder), noise=order).last_hidden_state
    assert_golden(backbone_of(folder), pictures(), hidden[:, 0])
    mean = backbone_of(folder, "#last_hidden_state/mean")
    assert_golden(mean, pictures(), hidden[:, 1:].mean(dim=1))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("crop", [False, True])
def test_each_efficientnet_has_its_size_crop_and_filter(
    folder_of, backbone_of, tmp_path, variant, crop
):
    """Pixels alone: the trunk takes any size."""
    import shutil

    from transformers import EfficientNetImageProcessorPil

    edge = VARIANTS[variant]
    own = EfficientNetImageProcessorPil(
        size=square(edge + 32 if crop else edge),
        do_center_crop=crop,
        crop_size=square(edge),
        resample=2 if crop else 0,
        **EFFICIENT,
    )
    folder = shutil.copytree(folder_of(efficientnet), tmp_path / variant)
    own.save_pretrained(folder)
    backbone = backbone_of(folder)
    assert backbone.contract.preprocess["size"] == [edge, edge]
    got = np.stack([backbone.prepare(image) for image in pictures()])
    want = own(pictures(), return_tensors="np")["pixel_values"]
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "stated",
    [
        {"rescale_offset": True, "rescale_factor": 1 / 127.5},
        {"include_top": False},
        {"do_normalize": False},
        {"do_normalize": False, "include_top": False, "rescale_offset": True},
    ],
)
def test_what_an_efficientnet_processor_may_say_of_pixels(folder_of, tmp_path, stated):
    import shutil

    from transformers import EfficientNetImageProcessorPil

    from zoo.preprocess import ImageSpec
    from zoo.providers.hf_families import stated_image

    own = EfficientNetImageProcessorPil(size=square(40), **{**EFFICIENT, **stated})
    folder = shutil.copytree(folder_of(efficientnet), tmp_path / "m")
    own.save_pretrained(folder)
    read = json.loads((folder / "preprocessor_config.json").read_text())
    spec = ImageSpec.from_stated(stated_image(read, "m"), "m")
    got = np.stack([spec.apply(image) for image in pictures()])
    want = own(pictures(), return_tensors="np")["pixel_values"]
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("key", ["image_size", "patch_size"])
def test_sizes_that_are_none_are_refused(folder_of, tmp_path, key):
    import shutil

    folder = shutil.copytree(folder_of(vit), tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: "x"}))
    with pytest.raises(SourceError, match=key):
        HuggingFaceProvider().describe(Source.parse(f"hf:{folder}"), LoadOptions())
