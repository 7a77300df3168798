"""VGG16 and Inception, which transformers has not, as a torch.hub repository gives them."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from PIL import Image

from zoo.plugin import LoadOptions, Source

# The layers of the published networks in their order, each with few channels.
HUBCONF = '''
dependencies = ["torch"]
import torch
from torch import nn

PLAN = [4, 4, "M", 4, 4, "M", 8, 8, 8, "M", 8, 8, 8, "M", 8, 8, 8, "M"]


class VGG(nn.Module):
    def __init__(self):
        super().__init__()
        layers, channels = [], 3
        for step in PLAN:
            if step == "M":
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers += [nn.Conv2d(channels, step, 3, padding=1), nn.ReLU(inplace=True)]
            channels = step
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(8 * 49, 32), nn.ReLU(True), nn.Dropout(),
            nn.Linear(32, 24), nn.ReLU(True), nn.Dropout(), nn.Linear(24, 10),
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class Inception(nn.Module):
    """Scales its channels itself, and gives an auxiliary classifier's logits in training."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=4, bias=False), nn.BatchNorm2d(8, eps=0.001), nn.ReLU(True)
        )
        self.aux = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
        self.one, self.three = nn.Conv2d(8, 6, 1), nn.Conv2d(8, 6, 3, padding=1)
        self.dropout = nn.Dropout()
        self.fc = nn.Linear(12, 10)

    def pooled(self, x):
        x = x * 0.5 + torch.tensor([0.1, 0.2, -0.1])[:, None, None]
        x = self.stem(x)
        branches = torch.cat([self.one(x), self.three(x)], 1)
        return x, self.dropout(torch.relu(branches).mean((2, 3)))

    def forward(self, x):
        assert x.shape[2:] == (299, 299)
        stem, rows = self.pooled(x)
        return (self.fc(rows), self.aux(stem)) if self.training else self.fc(rows)


def vgg16(pretrained=False):
    return VGG()


def inception_v3(pretrained=False):
    return Inception()
'''
STATS = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@pytest.fixture
def repository(tmp_path):
    """A local folder with both entry points, the modules, and a file of weights for each."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "hubconf.py").write_text(HUBCONF)
    spec = importlib.util.spec_from_file_location("published", folder / "hubconf.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    made = {"vgg16": module.vgg16(), "inception_v3": module.inception_v3()}
    for name, model in made.items():
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(2).add_(torch.randn_like(parameter) * 0.1)
            for key, buffer in model.named_buffers():
                if key.endswith("running_var"):
                    buffer.uniform_(0.5, 2)
                elif key.endswith("running_mean"):
                    buffer.normal_()
        save_file(model.state_dict(), tmp_path / f"{name}.safetensors")
        model.eval()
    return folder, made


def pictures():
    rng = np.random.default_rng(0)
    out = []
    for w, h in [(97, 61), (340, 131), (299, 299), (33, 320)]:
        tint = rng.integers(0, 256, 3)
        pixels = (rng.integers(0, 256, (h, w, 3)) + 2 * tint) // 3
        out.append(Image.fromarray(pixels.astype(np.uint8)))
    return out


def pixels(size, edge):
    """As torchvision's evaluation transforms on Pillow images: shortest edge, then the centre."""
    import torch

    rows = []
    for image in pictures():
        width, height = image.size
        long = int(edge * max(width, height) / min(width, height))
        image = image.resize((edge, long) if width <= height else (long, edge), 2)  # noqa: PLW2901
        left, top = ((side - size) // 2 for side in image.size)
        cut = np.asarray(image.crop((left, top, left + size, top + size)), np.float32) / 255
        rows.append((cut - np.float32(STATS["mean"])) / np.float32(STATS["std"]))
    return torch.from_numpy(np.stack(rows).transpose(0, 3, 1, 2))


def backbone(repository, name, *, size, edge, tap=""):
    from zoo.providers.torchhub import TorchHubProvider

    folder = repository[0]
    source = f"torchhub:{folder}/{name}?weights={folder.parent / name}.safetensors{tap}"
    stated = {"size": size, "resize": edge, "crop": "center", "filter": "bilinear", **STATS}
    loading = LoadOptions(trust_repo=True, preprocess=stated)
    return TorchHubProvider().load(Source.parse(source), loading)


def test_vgg16_gives_what_its_last_classifier_layer_is_given(repository, assert_golden):
    import torch

    module = repository[1]["vgg16"]
    with torch.no_grad():
        maps = module.features(pixels(64, 72))
        want = module.classifier[:-1](torch.flatten(module.avgpool(maps), 1))
    assert_golden(backbone(repository, "vgg16", size=64, edge=72), pictures(), want)
    maps_alone = backbone(repository, "vgg16", size=64, edge=72, tap="#features/mean")
    assert_golden(maps_alone, pictures(), maps.mean((2, 3)))


def test_inception_takes_299_pixels_and_leaves_its_auxiliary_head_out(repository, assert_golden):
    import torch

    module = repository[1]["inception_v3"]
    with torch.no_grad():
        want = module.pooled(pixels(299, 342))[1]
    trunk = backbone(repository, "inception_v3", size=299, edge=342)
    assert_golden(trunk, pictures(), want)
    assert not trunk.module().training
    assert trunk.contract.preprocess["size"] == [299, 299]
