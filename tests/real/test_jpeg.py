"""Real photos: simplejpeg's pixels are Pillow's. A sample of each set; all with ZOO_LONG=1."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image, ImageOps

from zoo.plugin import Item
from zoo.preprocess.decode import decode, quiet_decoding

pytestmark = pytest.mark.real
pytest.importorskip("simplejpeg", reason="simplejpeg is not installed: pip install '.[image]'")

SAMPLE = 40
ALL = bool(os.environ.get("ZOO_LONG"))  # read here: a test sees none of zoo's variables
SETS = ["img-cifar10-jpeg", "img-flowers5", "img-hymenoptera", "img-pacs-photo-cartoon"]


@pytest.mark.parametrize("name", SETS)
def test_photos_have_pillows_pixels(asset, name):
    files = sorted(p for p in asset(name).rglob("*") if p.suffix.lower() in {".jpg", ".jpeg"})
    step = 1 if ALL else max(1, len(files) // SAMPLE)
    fast = 0
    with quiet_decoding():
        for path in files[::step]:
            with Image.open(path) as image:
                image.load()
                want = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
            got = decode(Item(path.name, path), "image")
            fast += isinstance(getattr(got, "pixels", None), np.ndarray)
            assert np.array_equal(np.asarray(got), want), path
    assert fast >= 0.9 * len(files[::step]) > 0
