"""Images come out as Pillow and the checkpoint's own pipeline would give them, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo import engine
from zoo.errors import DataError, SourceError
from zoo.preprocess import ImageSpec

FILTERS = {"bilinear": 2, "bicubic": 3, "lanczos": 1, "box": 4, "hamming": 5, "nearest": 0}


def picture(width, height, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def spec(**changes):
    values = {"size": 24, "resize": 28, "crop": "center", "mean": [0.4, 0.5, 0.6], "std": [0.2]}
    return ImageSpec.from_stated({**values, **changes}, "test")


def reference(image, *, short, size, resample, mean, std):
    """Resize and crop by Pillow alone, then rescale and normalise in float32."""
    w, h = image.size
    new = (short, int(short * h / w)) if w <= h else (int(short * w / h), short)
    image = image.resize(new, resample)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    pixels = np.asarray(image.crop((left, top, left + size, top + size)))
    scaled = (pixels.astype(np.float64) / 255).astype(np.float32)
    return ((scaled - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1)


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    name=st.sampled_from(sorted(FILTERS)),
)
def test_resize_crop_and_normalise_equal_pillow_bit_by_bit(width, height, name):
    image = picture(width, height)
    got = spec(filter=name).apply(image)
    want = reference(
        image, short=28, size=24, resample=FILTERS[name], mean=[0.4, 0.5, 0.6], std=[0.2] * 3
    )
    assert got.dtype == np.float32
    # 1/255 as a factor and division by 255 may differ in the last place of float64 alone.
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-7)


def test_equals_the_pillow_backend_of_transformers():
    from transformers import MobileNetV2ImageProcessorPil

    theirs = MobileNetV2ImageProcessorPil(
        size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}, resample=2
    )
    ours = spec(size=224, resize=256, mean=[0.5], std=[0.5])
    for seed, (width, height) in enumerate([(300, 200), (200, 300), (90, 91), (640, 480)]):
        image = picture(width, height, seed)
        want = theirs(image, return_tensors="np")["pixel_values"][0]
        assert np.array_equal(ours.apply(image), want)


def test_a_crop_larger_than_the_image_gets_black_borders_like_transformers():
    from transformers.image_transforms import center_crop

    for width, height in [(10, 40), (40, 11), (7, 9)]:
        image = picture(width, height)
        got = spec(resize="none", mean=[0.0], std=[1.0], scale=1.0).apply(image)
        want = center_crop(np.asarray(image), (24, 24), input_data_format="channels_last")
        assert np.array_equal(got.transpose(1, 2, 0), want)


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_a_photo_that_pillow_holds_in_pieces_equals_pillow(name):
    image = picture(2600, 1900)
    assert engine.shared_pixels(image) is None
    stated = {"size": 24, "resize": 28, "crop": "center", "dtype": "uint8", "layout": "nhwc"}
    got = ImageSpec.from_stated({**stated, "filter": name}, "test").apply(image)
    want = image.resize((38, 28), FILTERS[name]).crop((7, 2, 31, 26))
    assert np.array_equal(got, np.asarray(want))


def test_sides_that_no_float32_counts_are_refused():
    image = Image.new("RGB", ((1 << 24) + 1, 1))
    with pytest.raises(DataError, match="16777217 by 1 pixels"):
        spec(resize="exact").apply(image)


def test_color_and_layout_are_permutations_of_the_same_values():
    image = picture(40, 30)
    base = spec(mean=[0.0], std=[1.0]).apply(image)
    assert np.array_equal(spec(mean=[0.0], std=[1.0], color="bgr").apply(image), base[::-1])
    nhwc = spec(mean=[0.0], std=[1.0], layout="nhwc").apply(image)
    assert np.array_equal(nhwc.transpose(2, 0, 1), base)


def test_mean_and_std_follow_the_order_of_color():
    image = Image.new("RGB", (24, 24), (10, 20, 30))
    got = spec(resize="none", color="bgr", scale=1.0, mean=[30.0, 20.0, 10.0], std=[1.0])
    assert np.array_equal(got.apply(image), np.zeros((3, 24, 24), np.float32))


def test_float16_and_uint8_are_made_where_stated():
    image = picture(24, 24)
    assert spec(resize="none", dtype="float16").apply(image).dtype == np.float16
    stated = {"size": 24, "resize": "none", "crop": "center", "dtype": "uint8"}
    raw = ImageSpec.from_stated(stated, "test").apply(image)
    assert raw.dtype == np.uint8
    assert np.array_equal(raw.transpose(1, 2, 0), np.asarray(image))


def test_raw_pixels_with_statistics_are_a_contradiction():
    with pytest.raises(SourceError, match="no mean, std"):
        spec(dtype="uint8")


def test_an_image_of_the_wrong_size_without_crop_is_refused():
    with pytest.raises(SourceError, match="10 by 12 pixels"):
        spec(resize="none", crop="none").apply(picture(10, 12))


def test_missing_statistics_are_named_and_never_guessed():
    with pytest.raises(SourceError, match="not stated: mean, std") as caught:
        ImageSpec.from_stated({"size": 224, "resize": 256}, "model.onnx")
    assert "preprocess.toml" in caught.value.hint


def test_a_zero_in_std_is_refused():
    with pytest.raises(SourceError, match="zero"):
        spec(std=[0.0, 1.0, 1.0])


def test_the_dictionary_of_a_spec_tells_every_difference():
    changes = [{"size": 20}, {"resize": 30}, {"crop": "none", "resize": "exact"}, {"mean": [0.1]}]
    changes += [{"filter": "box"}, {"color": "bgr"}, {"layout": "nhwc"}, {"scale": 1.0}]
    changes += [{"std": [0.3]}, {"dtype": "float16"}]
    told = [spec().as_dict(), *(spec(**change).as_dict() for change in changes)]
    assert all(a != b for i, a in enumerate(told) for b in told[:i])
