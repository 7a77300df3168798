"""How a Hugging Face checkpoint prepares recordings, from its configuration alone."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.errors import SourceError
from zoo.preprocess import AudioSpec
from zoo.preprocess.audio import MAX_SAMPLES
from zoo.preprocess.stated import check_keys

if TYPE_CHECKING:
    from zoo.backbones.torch_trunk import TorchTrunk
    from zoo.plugin import Contract, LoadOptions

# Feature extractors that run without torchaudio, with the values that their classes supply for keys
# a file leaves out: they decide features, so they are stated and not left to a version's defaults.
_WAVEFORM, _LOG_MEL, _FILTER_BANK = (
    "Wav2Vec2FeatureExtractor",
    "WhisperFeatureExtractor",
    "ASTFeatureExtractor",
)
_SETTINGS: dict[str, dict[str, Any]] = {
    _WAVEFORM: {
        "feature_size": 1,
        "sampling_rate": 16000,
        "padding_value": 0.0,
        "return_attention_mask": False,
        "do_normalize": True,
    },
    _LOG_MEL: {
        "feature_size": 80,
        "sampling_rate": 16000,
        "hop_length": 160,
        "chunk_length": 30,
        "n_fft": 400,
        "padding_value": 0.0,
    },
    _FILTER_BANK: {
        "feature_size": 1,
        "sampling_rate": 16000,
        "num_mel_bins": 128,
        "max_length": 1024,
        "padding_value": 0.0,
        "do_normalize": True,
        "mean": -4.2677393,
        "std": 4.5689974,
    },
}
_WINDOW = 400  # samples of a filter bank's window, whatever the rate
# Older checkpoints of these families don't name their extractor.
_BY_FAMILY = dict.fromkeys(
    "data2vec-audio hubert unispeech unispeech-sat wav2vec2 wavlm".split(), _WAVEFORM
)
_ZERO_OR_MORE = frozenset({"padding_value", "mean"})  # the other numbers are positive


@dataclass(frozen=True)
class Extraction:
    """What turns samples into a model's input.

    Attributes:
        kind: the name of transformers' feature extractor class.
        settings: its arguments, every one.
        convolutions: widths and steps of those over samples; empty for spectrograms.
        masks: whether padding behind a mask leaves a recording's features as they were.
    """

    kind: str
    settings: Mapping[str, Any]
    convolutions: tuple[tuple[int, int], ...] = ()
    masks: bool = False

    @property
    def is_waveform(self) -> bool:
        """Whether the model takes samples, in any number; else a spectrogram of fixed size."""
        return self.kind == _WAVEFORM

    @property
    def shortest(self) -> int:
        """The fewest samples that give the model one frame."""
        samples = 1
        for kernel, stride in reversed(self.convolutions):
            samples = (samples - 1) * stride + kernel
        return samples if self.kind != _FILTER_BANK else _WINDOW

    def rules(self) -> dict[str, str]:
        """How recordings of different lengths share a batch, for people."""
        if not self.is_waveform:
            counted = {"mask": "frames that begin in sound count"} if self.kind == _LOG_MEL else {}
            return {"padding": "to the window, longer ones are cut", **counted}
        if self.masks:
            return {
                "padding": "to the longest of a batch, behind the sound",
                "mask": "padding is hidden from frames and counts in no pooling",
            }
        return {"padding": "none: recordings of one length run together", "mask": "none is needed"}

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values for a contract."""
        return {"extractor": self.kind, "settings": dict(self.settings)}


def is_audio(processor: Mapping[str, Any] | None) -> bool:
    """Whether a preprocessor_config.json is of recordings."""
    return processor is not None and "sampling_rate" in processor


def stated_audio(
    processor: Mapping[str, Any], config: Mapping[str, Any], options: LoadOptions, where: str
) -> tuple[AudioSpec, Extraction]:
    """The spec and extraction that the checkpoint states, with ``--preprocess`` over it.

    Raises:
        SourceError: an extractor that is not understood, or values that can't be.
    """
    kind = str(processor.get("feature_extractor_type", ""))
    kind = kind or _BY_FAMILY.get(str(config.get("model_type")), "")
    if kind not in _SETTINGS:
        raise SourceError(f"{where}: feature extractor '{kind or 'not named'}' is not supported")
    settings = {
        key: _checked(processor.get(key, default), key, default, where)
        for key, default in _SETTINGS[kind].items()
    }
    for key, allowed in (("padding_side", "right"), ("dither", 0)):
        if processor.get(key, allowed) != allowed:
            raise SourceError(f"{where}: {key} = {processor[key]!r} of {kind} is not supported")
    rate = settings["sampling_rate"]
    if "rate" in options.preprocess and options.preprocess["rate"] != rate:
        raise SourceError(f"{where}: the rate is the checkpoint's, {rate} Hz")
    if rate * settings.get("chunk_length", 1) > MAX_SAMPLES or settings.get("n_fft", 0) > rate:
        raise SourceError(f"{where}: {kind} states windows of impossible length")
    given = {k: v for k, v in options.preprocess.items() if k not in {"tap", "pool"}}
    stated = check_keys({"input": "audio", "rate": rate, **given}, "--preprocess")
    convolutions = _convolutions(config, where) if kind == _WAVEFORM else ()
    masks = settings.get("return_attention_mask", False) and not _mixes_time(config)
    return AudioSpec.from_stated(stated, where), Extraction(kind, settings, convolutions, masks)


def trunk(
    module: Any, contract: Contract, options: LoadOptions, spec: AudioSpec, extraction: Extraction
) -> TorchTrunk:
    """The backbone of a module of recordings; raises SourceError without its extractor."""
    from zoo.backbones.torch_audio import SpectrogramTrunk, WaveformTrunk

    try:
        import transformers

        with warnings.catch_warnings():
            # AST's published 128 filters are more than its 257 frequencies fill; so it was trained.
            warnings.filterwarnings("ignore", "At least one mel filter has all zero values")
            extractor = getattr(transformers, extraction.kind)(**extraction.settings)
    except (ImportError, RuntimeError, OSError) as error:
        raise SourceError(
            f"transformers has no working {extraction.kind}: {str(error).strip().splitlines()[0]}",
            hint="a torchaudio that does not fit torch is worse than none: uninstall it",
        ) from error
    if not extraction.is_waveform:
        return SpectrogramTrunk(
            module,
            contract,
            options,
            spec=spec,
            extractor=extractor,
            shortest=extraction.shortest,
        )
    return WaveformTrunk(
        module,
        contract,
        options,
        spec=spec,
        extractor=extractor,
        convolutions=extraction.convolutions,
        masks=extraction.masks,
        shortest=extraction.shortest,
    )


def _checked(value: Any, key: str, default: Any, where: str) -> Any:
    if isinstance(default, bool):
        right = isinstance(value, bool)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        right = False
    else:
        whole = isinstance(value, int) or not isinstance(default, int)
        right = whole and abs(value) < 1e6 and (key in _ZERO_OR_MORE or value > 0)
    if not right:
        raise SourceError(f"{where}: {key} = {value!r} in preprocessor_config.json")
    return value


def _mixes_time(config: Mapping[str, Any]) -> bool:
    """Whether padding reaches the sound before the mask does.

    By normalising over time in the first layer (the default), or where positions pass several
    convolutions (data2vec) or a normalisation that makes something of zeros.
    """
    return bool(
        config.get("feat_extract_norm", "group") != "layer"
        or config.get("model_type") == "data2vec-audio"
        or config.get("conv_pos_batch_norm")
    )


def _convolutions(config: Mapping[str, Any], where: str) -> tuple[tuple[int, int], ...]:
    """Widths and steps of the convolutions; the class's own where the file leaves them out."""
    kernels = config.get("conv_kernel", [10, 3, 3, 3, 3, 2, 2])
    strides = config.get("conv_stride", [5, 2, 2, 2, 2, 2, 2])
    for values in (kernels, strides):
        sound = isinstance(values, list) and all(type(x) is int and 0 < x < 1000 for x in values)
        if not sound or len(kernels) != len(strides) or len(kernels) > 16:
            raise SourceError(f"{where}: conv_kernel or conv_stride in config.json")
    if config.get("add_adapter"):
        raise SourceError(f"{where}: models with an adapter behind the encoder are not supported")
    return tuple(zip(kernels, strides, strict=True))
