"""Every line about images in zoo/preprocess/README.md, held to."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from zoo.errors import DataError
from zoo.plugin import Item
from zoo.preprocess import ImageSpec
from zoo.preprocess.decode import decode

RED, BLUE, GREY = (250, 10, 20), (10, 20, 250), (130, 130, 130)


def saved(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def plain(mode="RGB", color=RED, size=(8, 6)):
    return Image.new("RGB", size, color).convert(mode)


def half(left=RED, right=BLUE):
    """Left and right of one colour each; 16 by 8."""
    image = Image.new("RGB", (16, 8), right)
    image.paste(left, (0, 0, 8, 8))
    return image


def transposed(image, orientation):
    """Stored as a camera held otherwise would store it, with the tag that says so."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = image.transpose(undo[orientation]) if orientation in undo else image
    return saved(stored, exif=exif.tobytes())


def png16(values, color):
    """A PNG of 16-bit values, (h, w) or (h, w, 3), which Pillow can't write in colour."""
    height, width = values.shape[:2]

    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(array):
    return saved(Image.fromarray(array), "TIFF")


def animation(form):
    frames = [plain(color=color) for color in (RED, BLUE)]
    return saved(frames[0], form, save_all=True, append_images=frames[1:], lossless=True)


def clear(mode):
    """Red, wholly transparent."""
    image = Image.new("RGBA", (8, 6), (*RED, 0))
    return saved(image if mode == "RGBA" else image.convert(mode))


def palette():
    image = plain().convert("P", palette=Image.Palette.ADAPTIVE)
    return saved(image, transparency=image.getpixel((0, 0)))


# The README's line -> contents and the colour that every pixel comes out as, within 3 levels (of
# half pictures: the left one's; the right is blue).
BECOMES = {
    "EXIF orientation": [(transposed(half(), n), RED) for n in range(1, 9)],
    "grey": [(saved(plain("L", GREY), form), GREY) for form in ("PNG", "JPEG")],
    "1-bit": [(saved(plain("1", color)), color) for color in ((255, 255, 255), (0, 0, 0))],
    "palette": [(saved(plain("P", (255, 0, 0))), (255, 0, 0)), (palette(), RED)],
    "alpha": [(clear("RGBA"), RED), (saved(plain("LA", GREY)), GREY)],
    "CMYK": [(saved(plain("CMYK"), form), RED) for form in ("JPEG", "TIFF")],
    "16-bit grey": [
        (png16(np.full((6, 8), 130 * 256 + 255), 0), GREY),
        (tiff(np.full((6, 8), 130 * 256 + 1, np.uint16)), GREY),
    ],
    "16-bit colour": [(png16(np.full((6, 8, 3), np.array(RED) * 256 + 200), 2), RED)],
    "animation": [(animation(form), RED) for form in ("GIF", "WEBP", "PNG")],
    "several pages": [(animation("TIFF"), RED)],
    "another suffix": [(saved(plain(), form), RED) for form in ("PNG", "BMP", "WEBP", "PPM")],
}
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
WHOLE = [saved(NOISE, form) for form in "JPEG PNG GIF WEBP BMP TIFF JPEG2000 PPM".split()]
REFUSED = {
    "more than 16 bits": [(tiff(np.full((6, 8), 1 << 20, np.int32)), "more than 16 bits")],
    "floating point": [(tiff(np.full((6, 8), 0.5, np.float32)), "floating-point")],
    "other colour spaces": [(saved(Image.new("LAB", (8, 6)), "TIFF"), "mode LAB")],
    "truncated": [(w[: len(w) * part // 10], "x.jpg") for w in WHOLE for part in (1, 5, 9)],
    "zero bytes": [(b"", "not an image")],
    "a text called .jpg": [(b"this is a text\n" * 99, "not an image")],
}
# Held by tests of their own: the limits below, and tests/preprocess/test_bombs.py.
ELSEWHERE = {"above 89 million pixels", "a resize above that", "a file above 1 GiB"}


def decoded(tmp_path, content):
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    return decode(Item("x.jpg", path), "image")


def each(table):
    return [(line, number) for line, cases in table.items() for number in range(len(cases))]


@pytest.mark.parametrize(("line", "number"), each(BECOMES))
def test_an_odd_image_becomes_what_the_readme_says(tmp_path, line, number):
    content, color = BECOMES[line][number]
    got = decoded(tmp_path, content)
    assert got.mode == "RGB"
    pixels = np.asarray(got).astype(int)
    if got.size == (16, 8):
        assert np.abs(pixels[:, 9:] - np.array(BLUE)).max() <= 3
        pixels = pixels[:, :7]
    else:
        assert got.size == (8, 6)
    assert np.abs(pixels - np.array(color)).max() <= 3


@pytest.mark.parametrize(("line", "number"), each(REFUSED))
def test_an_odd_image_is_refused_by_name(tmp_path, line, number):
    content, complaint = REFUSED[line][number]
    with pytest.raises(DataError, match=complaint) as caught:
        decoded(tmp_path, content)
    assert "x.jpg" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1)])
def test_a_sliver_is_not_resized_to_billions_of_pixels(size):
    stated = {"size": 224, "resize": 256, "mean": [0.0], "std": [1.0]}
    with pytest.raises(DataError, match="would be resized to"):
        ImageSpec.from_stated(stated, "test").apply(Image.new("RGB", size))
    exact = ImageSpec.from_stated({**stated, "resize": "exact"}, "test")
    assert exact.apply(Image.new("RGB", size)).shape == (3, 224, 224)


def test_the_table_has_these_lines(lines_of_readme):
    assert set(lines_of_readme("Images")) == {*BECOMES, *REFUSED, *ELSEWHERE}
