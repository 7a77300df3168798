"""Numbers that can't be together are named; those of every known model pass."""

from __future__ import annotations

import pytest

from zoo.errors import SourceError
from zoo.preprocess import ImageSpec
from zoo.preprocess.plausible import check_beside, contradiction, implied_range, quarrel

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
IN_LEVELS = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
NONE, HALF, ONES = (0.0,) * 3, (0.5,) * 3, (1.0,) * 3


def stated(scale, statistics, **more):
    mean, std = statistics
    return ImageSpec((8, 8), 8, crop=True, scale=scale, mean=mean, std=std, **more).as_dict()


@pytest.mark.parametrize(
    ("scale", "statistics"),
    [
        (1 / 255, IMAGENET),
        (1 / 255, CLIP),
        (1 / 255, (HALF, HALF)),
        (1 / 255, (NONE, ONES)),
        (1 / 127.5, (ONES, ONES)),
        (1.0, (NONE, ONES)),
        (1.0, IN_LEVELS),
        (1.0, ((103.939, 116.779, 123.68), ONES)),
        (1.0, ((127.5,) * 3, (128.0,) * 3)),
        (1 / 255, ((0.1307,) * 3, (0.3081,) * 3)),
        (1 / 255, ((0.003,) * 3, (0.05,) * 3)),  # pictures of the night
    ],
)
def test_what_known_models_state_is_plausible(scale, statistics):
    assert contradiction(stated(scale, statistics)) == ""


@pytest.mark.parametrize(
    ("scale", "statistics", "said"),
    [
        (1.0, IMAGENET, "std is in units of 0..1"),
        (1 / 255, IN_LEVELS, "std is in units of 0..255"),
        (1 / 255, (IMAGENET[0], IN_LEVELS[1]), "std is in units of 0..255"),
        (1 / 255, (IN_LEVELS[0], IMAGENET[1]), "mean is in units of 0..255"),
        (1.0, (IMAGENET[0], ONES), "mean is in units of 0..1"),
        (1 / 255**2, IMAGENET, "std is in units of 0..255"),
    ],
)
def test_units_that_do_not_fit_each_other_are_named(scale, statistics, said):
    assert said in contradiction(stated(scale, statistics))


def test_raw_pixels_and_other_inputs_state_nothing_to_contradict():
    assert implied_range(stated(1.0, (NONE, ONES), dtype="uint8")) is None
    assert contradiction({"input": "audio", "rate": 16000}) == ""
    assert contradiction({}) == ""


def test_overrides_that_undo_the_models_own_are_named():
    own = stated(1 / 255, IMAGENET)
    assert quarrel(own, stated(1 / 255, CLIP)) == ""
    assert quarrel(own, stated(1 / 255, (HALF, HALF))) == ""
    assert "0..1 where" in quarrel(own, stated(1 / 255, (NONE, ONES)))
    assert "0..255 where" in quarrel(own, stated(1.0, (NONE, ONES)))
    assert "color bgr" in quarrel(own, stated(1 / 255, IMAGENET, color="bgr"))
    assert quarrel({}, own) == ""


def test_a_file_beside_a_model_that_contradicts_itself_is_refused_unless_the_user_overrides():
    odd = stated(1.0, IMAGENET)
    with pytest.raises(SourceError, match=r"preprocess\.toml of 'onnx:m': .* in units of 0\.\.1"):
        check_beside(odd, {}, "onnx:m")
    with pytest.raises(SourceError):
        check_beside(odd, {"color": "bgr"}, "onnx:m")
    check_beside(odd, {"scale": 1.0}, "onnx:m")  # told of where the override is looked at
    check_beside(stated(1 / 255, IMAGENET), {}, "onnx:m")
