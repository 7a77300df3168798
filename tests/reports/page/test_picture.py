"""README's picture shows the report of the demo; ``ZOO_PICTURE=1`` takes it anew."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ROOT = Path(__file__).parents[3]
PICTURE = ROOT / "docs" / "report.png"
WIDTH, HEIGHT, COLOURS = 1200, 1000, 64
TAKE = os.environ.get("ZOO_PICTURE") == "1"  # before tests clear the variables


def taken(path):
    """The first screen of a report, in few colours."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(path.as_uri())
        shot = page.screenshot()
        browser.close()
    with Image.open(io.BytesIO(shot)) as image:
        return image.convert("RGB").quantize(COLOURS)


def blocks(image):
    """Mean grey of each block of 20 by 20 pixels: where something stands, and not its letters."""
    grey = np.asarray(image.convert("L"), np.float64)
    return grey.reshape(HEIGHT // 20, 20, WIDTH // 20, 20).mean(axis=(1, 3))


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_picture_in_the_readme_is_of_the_demo_s_report(zoo, tmp_path, monkeypatch):
    monkeypatch.delenv("ZOO_NO_VERDICT")
    # A budget that binds on no machine: what training from scratch reaches is then the same.
    done = zoo("demo", "--json", "--out", "run", "--scratch-budget", "600", timeout=900)
    assert done.code == 0, done.err
    picture = taken(tmp_path / "run" / "report.html")
    if TAKE:
        PICTURE.parent.mkdir(exist_ok=True)
        picture.save(PICTURE, optimize=True)
    assert "(docs/report.png)" in (ROOT / "README.md").read_text(encoding="utf-8")
    with Image.open(PICTURE) as kept:
        assert kept.size == (WIDTH, HEIGHT)
        apart = np.abs(blocks(kept) - blocks(picture))
    assert PICTURE.stat().st_size < 250_000
    # Fonts and the last digits of a clock differ from machine to machine, what stands where not.
    assert apart.mean() < 4.0
    assert (apart > 40.0).mean() < 0.05
