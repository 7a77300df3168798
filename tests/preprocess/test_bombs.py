"""Files that claim gigabytes are refused before memory is taken for them."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import soundfile
from PIL import Image

# The most that may be taken beyond what decoding a sound small file of the same kind took.
ALLOWED_MIB = 24
PROBE = """
import resource, sys
from pathlib import Path
from zoo.errors import DataError
from zoo.plugin import Item
from zoo.preprocess.decode import decode
kind, sound, bomb = sys.argv[1:]
decode(Item("sound", Path(sound)), kind)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode(Item("bomb", Path(bomb)), kind)
except DataError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def png_of(width, height):
    """A PNG whose header states a size, with hardly any data behind it."""

    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(10_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def bmp_of(width, height):
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, *[0] * 6)


def gif_of(width, height):
    file = io.BytesIO()
    Image.new("P", (4, 4)).save(file, "GIF")
    content = file.getvalue()
    return content[:6] + struct.pack("<HH", width, height) + content[10:]


def wav_of(length):
    file = io.BytesIO()
    soundfile.write(file, np.zeros(100), 16000, format="WAV")
    content = file.getvalue()
    return content[:40] + struct.pack("<I", length) + content[44:]


def flac_of(total):
    file = io.BytesIO()
    soundfile.write(file, np.zeros(16000), 16000, format="FLAC")
    content = file.getvalue()
    (packed,) = struct.unpack(">Q", content[18:26])
    return content[:18] + struct.pack(">Q", packed >> 36 << 36 | total) + content[26:]


BOMBS = {
    "png, 40000 by 40000": ("image", png_of(40_000, 40_000), "too many pixels"),
    "png, just above the limit": ("image", png_of(9_500, 9_500), "too many pixels"),
    "bmp, 65535 by 65535": ("image", bmp_of(65_535, 65_535), "too many pixels"),
    "gif, 65535 by 65535": ("image", gif_of(65_535, 65_535), "too many pixels"),
    "wav, 4 GiB": ("audio", wav_of(0xFFFFFFFF), "promises"),
    "wav, 2 GiB": ("audio", wav_of(0x7FFFFFFE), "promises"),
    "flac, 2**36 samples": ("audio", flac_of((1 << 36) - 1), "would decode to more"),
    "flac, just below the limit": ("audio", flac_of(1 << 26), "damaged|cut short|read"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
@pytest.mark.parametrize("case", BOMBS)
def test_a_bomb_is_refused_with_small_memory(tmp_path, case):
    import re

    kind, content, complaint = BOMBS[case]
    bomb, sound = tmp_path / "bomb", tmp_path / "sound"
    bomb.write_bytes(content)
    if kind == "image":
        Image.new("RGB", (64, 64)).save(sound, "PNG")
    else:
        soundfile.write(sound, np.zeros(300_000), 16000, format="WAV")
    done = subprocess.run(
        [sys.executable, "-c", PROBE, kind, sound, bomb], capture_output=True, text=True, check=True
    )
    refused, grown = done.stdout.splitlines()
    assert re.search(complaint, refused)
    assert int(grown) <= ALLOWED_MIB
    assert len(content) < 100_000


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_an_image_file_of_gigabytes_is_not_read_to_be_refused(tmp_path):
    sound, huge = tmp_path / "sound", tmp_path / "huge"
    Image.new("RGB", (64, 64)).save(sound, "PNG")
    for head in (b"RIFF\xff\xff\xff\x7fWEBPVP8 ", b"no image at all"):
        with huge.open("wb") as file:
            file.write(head)
            file.truncate(3 << 30)  # sparse: takes no room on the disk
        done = subprocess.run(
            [sys.executable, "-c", PROBE, "image", sound, huge],
            capture_output=True,
            text=True,
            check=True,
        )
        refused, grown = done.stdout.splitlines()
        assert "larger than" in refused
        assert int(grown) <= ALLOWED_MIB
