"""simplejpeg's pixels are Pillow's to the last bit, and what it should not decode Pillow does."""

from __future__ import annotations

import io
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from zoo.errors import DataError
from zoo.plugin import Item
from zoo.preprocess import ImageSpec, jpeg
from zoo.preprocess.decode import decode, quiet_decoding

simplejpeg = pytest.importorskip(
    "simplejpeg", reason="simplejpeg is not installed: pip install '.[image]'"
)

SUBSAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def picture(width, height, mode="RGB", seed=0):
    """Coarse shapes with noise: neither flat nor all high frequencies."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // 9 + 2, width // 9 + 2, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), 3)).astype(int)
    noisy = (smooth + random.normal(0, 12, smooth.shape)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(noisy).convert(mode)


def saved(image, **options):
    file = io.BytesIO()
    image.save(file, options.pop("format", "JPEG"), **options)
    return file.getvalue()


def by_pillow(content):
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def is_fast(image):
    return isinstance(getattr(image, "pixels", None), np.ndarray)


def assert_same(content, *, fast=True):
    got = decode(Item("x.jpg", content), "image")
    assert got.mode == "RGB"
    assert is_fast(got) is fast
    want = by_pillow(content)
    assert got.size == (want.shape[1], want.shape[0])
    assert np.array_equal(np.asarray(got), want)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5), (16, 16), (17, 33), (130, 75)])
@pytest.mark.parametrize("sampling", SUBSAMPLINGS)
def test_every_subsampling_quality_and_size_gives_pillows_pixels(size, sampling):
    for quality, progressive in itertools.product((1, 25, 75, 92, 100), (False, True)):
        options = {"quality": quality, "subsampling": sampling, "progressive": progressive}
        assert_same(saved(picture(*size, seed=quality), **options))


@pytest.mark.parametrize(
    "options",
    [
        {"restart_marker_rows": 1},
        {"restart_marker_blocks": 3},
        {"optimize": True},
        {"icc_profile": b"no profile at all"},
        {"comment": "a comment"},
        {"qtables": [list(range(1, 65)), [255] * 64], "subsampling": 1},
    ],
    ids=str,
)
def test_restarts_tables_and_profiles_give_pillows_pixels(options):
    for size in [(61, 47), (200, 90)]:
        assert_same(saved(picture(*size), **options))


@pytest.mark.parametrize("sampling", ["444", "422", "420", "440", "411"])
def test_samplings_that_pillow_does_not_write_give_its_pixels(sampling):
    for seed, size in enumerate([(1, 1), (31, 18), (64, 64), (129, 70)]):
        pixels = np.asarray(picture(*size, seed=seed))
        assert_same(simplejpeg.encode_jpeg(pixels, colorsubsampling=sampling, quality=80))


@pytest.mark.parametrize("size", [(1, 1), (9, 4), (64, 31)])
def test_grey_files_give_three_equal_channels(size):
    for progressive in (False, True):
        content = saved(picture(*size, mode="L"), progressive=progressive)
        assert_same(content)
        assert decode(Item("x.jpg", content), "image").pixels.ndim == 2


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_orientation_is_pillows(orientation, mode):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_same(saved(picture(23, 14, mode), exif=exif.tobytes()))
    stated = f'<x xmlns:tiff="t" tiff:Orientation="{orientation}"/>'.encode()
    assert_same(saved(picture(23, 14, mode), xmp=stated))


def test_the_first_picture_of_several_counts():
    content = saved(
        picture(20, 12), format="MPO", save_all=True, append_images=[picture(20, 12, seed=1)]
    )
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "MPO"
    assert_same(content)


def test_cmyk_and_odd_adobe_markers_are_left_to_pillow():
    assert_same(saved(picture(30, 20, "CMYK")), fast=False)
    assert_same(saved(picture(30, 20), keep_rgb=True), fast=False)
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
    for transform, fast in ((0, False), (1, True), (2, False)):
        content = saved(picture(30, 20))
        assert_same(content[:2] + adobe + bytes([transform]) + content[2:], fast=fast)


def test_other_formats_are_left_to_pillow():
    for form in ("PNG", "WEBP", "BMP"):
        assert_same(saved(picture(9, 7), format=form), fast=False)


def test_small_damage_that_pillow_forgives_is_left_to_it():
    content = saved(picture(60, 60), quality=80)
    scan = content.index(b"\xff\xda")
    broken = bytearray(content)
    broken[scan + 200 : scan + 230] = bytes(30)
    assert_same(bytes(broken), fast=False)
    assert_same(content + b"what an editor left behind")


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_the_same_error_with_and_without(part, monkeypatch):
    content = saved(picture(80, 60))
    item = Item("x.jpg", content[: int(part * len(content))])
    with pytest.raises(DataError) as ours:
        decode(item, "image")
    monkeypatch.setattr(jpeg, "_library", lambda: None)
    with pytest.raises(DataError) as theirs:
        decode(item, "image")
    assert str(ours.value) == str(theirs.value)


def outcome(content):
    with quiet_decoding():
        try:
            return np.asarray(decode(Item("x.jpg", content), "image")).tolist()
        except DataError as error:
            return str(error)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_anywhere_has_the_same_outcome_with_and_without(data):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    content = bytearray(saved(picture(24, 18), exif=exif.tobytes(), quality=50))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    ours = outcome(bytes(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jpeg, "_library", lambda: None)
        assert outcome(bytes(content)) == ours


def test_limits_of_pillow_hold(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for side in (11, 30):
        with pytest.raises(DataError, match="too many pixels"):
            decode(Item("x.jpg", saved(picture(side, side))), "image")


def test_without_simplejpeg_pillow_decodes(monkeypatch):
    monkeypatch.setattr(jpeg, "_library", lambda: None)
    assert_same(saved(picture(30, 20)), fast=False)


def test_threads_decode_side_by_side():
    contents = [saved(picture(90 + i, 60, seed=i), subsampling=i % 3) for i in range(24)]
    want = [by_pillow(content) for content in contents]
    with ThreadPoolExecutor(8) as pool:
        got = pool.map(lambda c: decode(Item("x", c), "image").pixels, contents * 4)
        assert all(np.array_equal(a, b) for a, b in zip(got, want * 4, strict=True))


def test_the_image_is_pillows_as_soon_as_something_draws_into_it():
    content = saved(picture(40, 30))
    spec = ImageSpec.from_stated({"size": 24, "resize": 26, "mean": [0.5], "std": [0.5]}, "test")
    image, plain = decode(Item("x", content), "image"), Image.fromarray(by_pillow(content))
    assert np.array_equal(spec.apply(image), spec.apply(plain))
    for one in (image, plain):
        one.paste((255, 0, 0), (5, 5, 30, 25))
    assert not is_fast(image)
    assert np.array_equal(spec.apply(image), spec.apply(plain))
    assert np.array_equal(np.asarray(image), np.asarray(plain))
