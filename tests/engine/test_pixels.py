"""The pass from pixels to a backbone's input against Pillow itself, to the last bit.

The short form is part of the tests; of the long one each instruction set is a run of its own:

    ZOO_ISA=avx2 python tests/engine/test_pixels.py 1000
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import PIL
import pytest
from PIL import Image

from zoo import engine

pytestmark = pytest.mark.skipif(
    int(PIL.__version__.split(".")[0]) < 13,
    reason="older Pillows resize tall images horizontally first",
)
SHORT = 120
RAW = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
# Extreme ratios, sides of 1, equal sides, and images that lose their height first.
ODD = [
    ((1, 1), (1, 1)),
    ((1, 1), (40, 30)),
    ((1, 900), (1, 7)),
    ((1, 900), (13, 200)),
    ((900, 1), (7, 1)),
    ((3000, 2), (5, 90)),
    ((2, 3000), (90, 5)),
    ((64, 48), (64, 20)),
    ((64, 48), (20, 48)),
    ((64, 48), (64, 48)),
    ((50, 700), (40, 30)),
    ((50, 700), (120, 30)),
    ((50, 75), (37, 48)),  # 27 and 13: just above twice as many rows go
    ((50, 74), (37, 48)),
    ((21, 5), (22, 6)),
    ((1200, 900), (299, 224)),
]


def resized(pixels, size, filter_, *, box=None, window=None, levels=RAW, **options):
    """By the engine; `size` is width and height, as Pillow has it."""
    window = window or (0, 0, size[1], size[0])
    return engine.prepare_pixels(
        pixels,
        levels,
        resized=size[::-1],
        window=engine.Window(*window),
        filter=filter_,
        box=box,
        **{"layout": "nhwc", **options},
    )


def compare(random, source, target, filter_):
    """Grey, RGB and RGBX; the whole, a window of it and a box in it."""
    width, height = source
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if random.random() < 0.3:  # edges, where a filter overshoots most
        pixels = np.where(pixels > 127, 255, 0).astype(np.uint8)
    number = engine.FILTERS.index(filter_)
    edges = np.sort(random.random((2, 2)), axis=0) * [width, height]
    if random.random() < 0.5:
        edges = np.floor(edges)
    boxes = [None]
    if np.all(edges[0].astype(np.float32) < edges[1].astype(np.float32)):
        boxes.append((*edges[0].tolist(), *edges[1].tolist()))
    top, left = int(random.integers(target[1])), int(random.integers(target[0]))
    rows = int(random.integers(1, target[1] - top + 1))
    columns = int(random.integers(1, target[0] - left + 1))
    extra = random.integers(0, 256, (height, width, 1), dtype=np.uint8)
    for box in boxes:
        where = (source, target, filter_, box)
        want = np.asarray(Image.fromarray(pixels).resize(target, number, box=box))
        assert np.array_equal(resized(pixels, target, filter_, box=box), want), where
        cut = want[top : top + rows, left : left + columns]
        for form in (pixels, np.concatenate([pixels, extra], axis=2)):
            got = resized(form, target, filter_, box=box, window=(top, left, rows, columns))
            assert np.array_equal(got, cut), (where, form.shape)
        grey = np.ascontiguousarray(pixels[:, :, 1])
        want = np.asarray(Image.fromarray(grey).resize(target, number, box=box))
        got = resized(grey, target, filter_, box=box)
        assert np.array_equal(got, np.repeat(want[:, :, None], 3, axis=2)), where


def side(random):
    return int(random.choice([random.integers(1, 12), random.integers(1, 400), 224, 1500]))


def compare_many(count, seed):
    """All odd sizes, then `count` random ones, each by one filter in turn."""
    random = np.random.default_rng(seed)
    for filter_ in engine.FILTERS:
        for source, target in ODD:
            compare(random, source, target, filter_)
    for number in range(count):
        while True:
            w, h, to_w, to_h = (side(random) for _ in range(4))
            if max(w * h, to_w * to_h, to_w * h) <= 400_000:
                break
        compare(random, (w, h), (to_w, to_h), engine.FILTERS[number % len(engine.FILTERS)])


@pytest.mark.parametrize("isa", ["portable", "avx2", "avx512"])
def test_every_instruction_set_gives_pillows_pixels(isa):
    done = subprocess.run(
        [sys.executable, __file__, str(SHORT)],
        env={**os.environ, "ZOO_ISA": isa}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "can't run here" in done.stderr:
        pytest.skip(f"this machine lacks {isa}")
    assert done.returncode == 0, done.stderr
    assert f"{SHORT} random sizes" in done.stdout


def test_the_widest_instruction_set_gives_pillows_pixels():
    compare_many(SHORT, seed=1)


def test_a_large_photo_comes_out_as_pillows():
    random = np.random.default_rng(2)
    pixels = random.integers(0, 256, (1500, 2000, 3), dtype=np.uint8)
    for filter_ in engine.FILTERS:
        want = Image.fromarray(pixels).resize((341, 256), engine.FILTERS.index(filter_))
        got = resized(pixels, (341, 256), filter_, window=(16, 58, 224, 224))
        assert np.array_equal(got, np.asarray(want)[16:240, 58:282])


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8, np.int32])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_levels_layout_and_colour_are_looked_up_exactly(dtype, layout, color):
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (30, 41, 3), dtype=np.uint8)
    levels = (random.normal(0, 50, (3, 256))).astype(dtype)
    got = resized(pixels, (20, 25), "bicubic", levels=levels, layout=layout, color=color)
    seen = np.asarray(Image.fromarray(pixels).resize((20, 25), 3))
    seen = seen if color == "rgb" else seen[:, :, ::-1]
    want = np.stack([levels[c][seen[:, :, c]] for c in range(3)], axis=0 if layout == "nchw" else 2)
    assert got.dtype == dtype
    assert got.tobytes() == np.ascontiguousarray(want).tobytes()


def test_a_window_beyond_the_image_has_levels_of_zero():
    pixels = np.full((4, 4, 3), 9, np.uint8)
    got = resized(pixels, (4, 4), "box", window=(-1, -2, 6, 7))
    want = np.zeros((6, 7, 3), np.uint8)
    want[1:5, 2:6] = 9
    assert np.array_equal(got, want)


@pytest.mark.parametrize(
    "change",
    [
        {"size": (0, 5)},
        {"size": (5, 0)},
        {"size": (-1, 5)},
        {"size": ((1 << 24) + 1, 5)},
        {"size": (5, 1 << 70)},
        {"window": (0, 0, 0, 5)},
        {"window": (0, 1 << 40, 5, 5)},
        {"box": (0, 0, 8, 8)},
        {"box": (3, 3, 3, 5)},
        {"box": (float("nan"), 0, 5, 5)},
        {"filter_": "sinc"},
        {"layout": "chw"},
        {"color": "grb"},
        {"levels": RAW[:2]},
        {"levels": RAW.astype(np.float64)},
        {"pixels": np.zeros((0, 5, 3), np.uint8)},
        {"pixels": np.zeros((5, 5, 2), np.uint8)},
        {"pixels": np.zeros((5, 5, 3), np.float32)},
        {"pixels": np.zeros(5, np.uint8)},
    ],
    ids=", ".join,
)
def test_hostile_sizes_and_arguments_are_errors(change):
    sound = {"pixels": np.zeros((5, 7, 3), np.uint8), "size": (4, 4), "filter_": "bilinear"}
    assert resized(**sound).shape == (4, 4, 3)
    with pytest.raises((ValueError, TypeError, OverflowError)):
        resized(**{**sound, **change})


def test_slices_of_an_image_are_resized_as_their_copies():
    pixels = np.random.default_rng(4).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    part = pixels[::2, 10:70]
    assert np.array_equal(
        resized(part, (30, 20), "lanczos"), resized(part.copy(), (30, 20), "lanczos")
    )


def test_the_interpreter_runs_on_meanwhile():
    """A thread that waits for the lock gets it while a long pass is on its way."""
    pixels = np.zeros((3000, 3000, 3), np.uint8)
    interval = sys.getswitchinterval()

    def thread_ran():
        started, go, ran = threading.Event(), threading.Event(), threading.Event()

        def wait():
            started.set()
            go.wait()
            ran.set()

        thread = threading.Thread(target=wait)
        thread.start()
        started.wait()
        sys.setswitchinterval(60)  # the lock changes hands only where it is given away
        try:
            go.set()
            resized(pixels, (2000, 2000), "lanczos")
            return ran.is_set()
        finally:
            sys.setswitchinterval(interval)
            thread.join()

    assert any(thread_ran() for _ in range(10))  # the thread may wake up late


def test_pillows_memory_is_shared_without_a_copy():
    pixels = np.random.default_rng(5).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    shared = engine.shared_pixels(image)
    assert np.array_equal(shared[:, :, :3], pixels)
    assert not shared.flags.writeable
    image.putpixel((0, 0), (1, 2, 3))
    assert shared[0, 0, :3].tolist() == [1, 2, 3]
    del image
    assert np.array_equal(shared[1:, :, :3], pixels[1:])


def test_what_pillow_does_not_share_is_told_by_none():
    assert engine.shared_pixels(Image.new("L", (4, 4))) is None
    assert engine.shared_pixels(np.zeros((4, 4, 3), np.uint8)) is None
    assert engine.shared_pixels(Image.new("RGB", (4000, 3000))) is None  # in several blocks


if __name__ == "__main__":
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    compare_many(many, seed=many)
    isa = engine.build_info()["isa"]
    print(f"{len(ODD)} odd and {many} random sizes: identical with {isa}")
