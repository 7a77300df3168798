"""From a decoded sample to a backbone's input, exactly as the backbone's own configuration says."""

from zoo.preprocess.audio import AudioSpec, Waveform
from zoo.preprocess.image import ImageSpec
from zoo.preprocess.stated import check_keys, parse_overrides, read_beside, read_toml
from zoo.preprocess.text import TextSpec

__all__ = [
    "AudioSpec",
    "ImageSpec",
    "TextSpec",
    "Waveform",
    "check_keys",
    "parse_overrides",
    "read_beside",
    "read_toml",
]
