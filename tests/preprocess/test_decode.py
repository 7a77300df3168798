"""Files become upright RGB images, or one clear error."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo.errors import DataError
from zoo.plugin import Item
from zoo.preprocess.decode import decode, quiet_decoding


def saved(path, image, **options):
    image.save(path, **options)
    return Item(path.name, path)


def test_a_png_is_read_as_it_is(tmp_path):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8))
    assert np.array_equal(decode(saved(tmp_path / "a.png", image), "image"), image)


def test_bytes_are_read_as_the_file_they_were(tmp_path):
    item = saved(tmp_path / "a.jpg", Image.linear_gradient("L"))
    assert np.array_equal(
        decode(Item("cell", item.value.read_bytes()), "image"), decode(item, "image")
    )
    with pytest.raises(DataError, match="'cell' is not an image"):
        decode(Item("cell", b"no image"), "image")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    image = Image.new("L", (4, 3), 200).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.full((3, 4), 200 * 256 + 7, np.uint16))
    path = tmp_path / ("a.tif" if mode in ("CMYK", "I;16") else "a.png")
    got = decode(saved(path, image), "image")
    assert (got.mode, got.size) == ("RGB", (4, 3))
    if mode in ("L", "I;16"):
        assert np.asarray(got)[0, 0].tolist() == [200, 200, 200]


def test_exif_orientation_is_applied(tmp_path):
    image = Image.new("RGB", (6, 2), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side
    item = saved(tmp_path / "a.jpg", image, exif=exif.tobytes())
    assert decode(item, "image").size == (2, 6)


def test_the_first_frame_of_an_animation_counts(tmp_path):
    frames = [Image.new("RGB", (3, 3), color) for color in ("red", "blue")]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    got = np.asarray(decode(Item("a.gif", path), "image"))[0, 0]
    assert got[0] > 200
    assert got[2] < 50


@pytest.mark.parametrize("length", [0, 1, 10, 60, 200])
def test_a_truncated_jpeg_is_an_error_naming_the_file(tmp_path, length):
    whole = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(whole, "JPEG")
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole.getvalue()[:length])
    with pytest.raises(DataError, match=r"cut\.jpg"):
        decode(Item("cut.jpg", path), "image")


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for side in (11, 30):  # Pillow warns from one time its limit on, and raises from two
        item = saved(tmp_path / f"{side}.png", Image.new("RGB", (side, side)))
        with pytest.raises(DataError, match="too many pixels"):
            decode(item, "image")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        decode(Item("gone.png", tmp_path / "gone.png"), "image")


def test_arrays_are_images_where_they_are_uint8():
    values = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(decode(Item("a", values), "image"), values)
    assert decode(Item("a", values[:, :, 0]), "image").mode == "RGB"
    with pytest.raises(DataError, match="float64"):
        decode(Item("a", values / 255), "image")


def test_a_text_is_itself():
    assert decode(Item("t", "grüße"), "text") == "grüße"
    with pytest.raises(DataError, match="not a text"):
        decode(Item("t", np.zeros(3)), "text")


def whole(form):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, exif=exif)
    return file.getvalue()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_anywhere_gives_an_image_or_a_data_error(tmp_path_factory, data):
    content = bytearray(whole(data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, min(150, len(content) - 1)))
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a.jpg"
    path.write_bytes(bytes(content))
    with quiet_decoding():
        try:
            got = decode(Item("a.jpg", path), "image")
        except DataError as error:
            assert "a.jpg" in str(error)  # noqa: PT017 - either outcome is right
        else:
            assert got.mode == "RGB"


def test_a_tag_that_no_type_fits_is_a_damaged_image(tmp_path, monkeypatch):
    """Pillow packs EXIF anew when it turns an image, and struct has an error of its own."""
    import struct

    def fail(image):
        raise struct.error("required argument is not an integer")

    monkeypatch.setattr("PIL.ImageOps.exif_transpose", fail)
    with pytest.raises(DataError, match=r"a\.png.*damaged"):
        decode(saved(tmp_path / "a.png", Image.new("RGB", (2, 2))), "image")
