"""Probes are odd samples, the same in every place, and zoo reads all of them."""

from __future__ import annotations

import pytest

from zoo.errors import SourceError
from zoo.plugin import Item
from zoo.preprocess.decode import decode
from zoo.runs.probes import make_probes, photo


@pytest.mark.parametrize("modality", ["image", "text", "audio"])
def test_probes_are_the_same_every_time_and_can_be_read(modality, tmp_path):
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        made.append(make_probes(modality, tmp_path / name, rate=16000))
    assert [p.name for p in made[0]] == [p.name for p in made[1]]
    assert len({p.name for p in made[0]}) == len(made[0])
    for one, other in zip(*made, strict=True):
        decode(Item(one.name, one.value), modality)
        if modality == "text":
            assert one.value == other.value
        else:
            assert one.value.read_bytes() == other.value.read_bytes()
    assert any(probe.plain for probe in made[0])


def test_images_are_of_the_modes_they_are_named_for(tmp_path):
    from PIL import Image

    modes, turned = {}, []
    for probe in make_probes("image", tmp_path):
        with Image.open(probe.value) as image:
            modes.setdefault(image.mode, []).append(probe.name)
            turned += [probe.name] if image.getexif().get(0x0112) == 6 else []
    assert set(modes) == {"RGB", "L", "P", "RGBA", "I;16"}
    assert turned == ["EXIF-turned 241x180"]
    assert photo(30, 40).std() > 20  # it has something to resize


def test_another_modality_has_none(tmp_path):
    with pytest.raises(SourceError, match="no probes of video"):
        make_probes("video", tmp_path)
