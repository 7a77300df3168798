"""Runs torch modules on recordings: waveforms of any length, or spectrograms of fixed size.

The checkpoint's own feature extractor (of transformers) prepares each recording by itself, so that
no recording's input depends on its batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.backbones.lengths import by_length
from zoo.backbones.torch_trunk import TorchTrunk
from zoo.errors import DataError
from zoo.plugin import Contract, Features, LoadOptions

if TYPE_CHECKING:
    from zoo.preprocess import AudioSpec, Waveform


# The first convolution makes hundreds of channels of every few samples: a minute of 16 kHz takes
# about a gigabyte while it passes, so 2 minutes are a batch.
_BATCH_SAMPLES = 1 << 21


class WaveformTrunk(TorchTrunk):
    """A torch module of samples, such as Wav2Vec2's.

    Where it takes no attention mask it can't tell padding from silence, and where it mixes what is
    apart in time no mask hides padding: recordings then run by length, and are never padded.
    """

    def __init__(
        self,
        module: Any,
        contract: Contract,
        options: LoadOptions,
        *,
        spec: AudioSpec,
        extractor: Any,
        convolutions: Sequence[tuple[int, int]],
        masks: bool,
        shortest: int,
    ) -> None:
        super().__init__(module, contract, options)
        self._spec = spec
        self._extractor = extractor
        self._convolutions = tuple(convolutions)
        self._masks = masks
        self._shortest = shortest

    def prepare(self, sample: Waveform) -> np.ndarray:
        """(n,) float32 samples, normalised where the extractor says so.

        Raises:
            DataError: the recording is too short for one frame.
        """
        samples = _long_enough(self._spec, sample, self._shortest)
        out = self._extractor(samples, sampling_rate=self._spec.rate, return_tensors="np")
        return np.asarray(out["input_values"][0], np.float32)

    @property
    def max_cost(self) -> int:
        """Samples of a batch, padding included."""
        return _BATCH_SAMPLES

    def cost(self, prepared: Any) -> int:
        """Samples."""
        return len(prepared)

    def collate(self, prepared: list[Any]) -> list[Any]:
        """The samples as they are: their lengths differ."""
        return prepared

    def forward(self, batch: Any) -> dict[str, Features]:
        """The tap's output, padded where frames are fewer, with the mask of those that count."""
        if self._masks:
            return super().forward(batch)
        return by_length(batch, self._of_one_length)

    def _of_one_length(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs of (k, n) samples, which are a batch without a mask, by tap."""
        out = super().forward(samples)
        return {name: features.numpy()[0] for name, features in out.items()}

    def inputs(self, batch: Any) -> dict[str, Any]:
        """Samples padded to the longest, and their mask where the model takes one."""
        import torch

        if isinstance(batch, np.ndarray):
            return {"input_values": torch.from_numpy(batch).to(self._device, self._dtype)}
        lengths = np.array([len(one) for one in batch])
        values = np.full((len(batch), lengths.max()), self._extractor.padding_value, np.float32)
        for row, one in zip(values, batch, strict=True):
            row[: len(one)] = one
        mask = np.arange(lengths.max()) < lengths[:, None]
        return {
            "input_values": torch.from_numpy(values).to(self._device, self._dtype),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)).to(self._device),
        }

    def mask(self, inputs: Mapping[str, Any]) -> Any:
        """(b, frames), true for frames that see samples alone and no padding."""
        import torch

        mask = inputs.get("attention_mask")
        if mask is None:
            return None
        total = self._frames(torch.tensor(mask.shape[1]))
        frames = self._frames(mask.sum(dim=1))
        return torch.arange(int(total), device=mask.device) < frames[:, None]

    def _frames(self, samples: Any) -> Any:
        for kernel, stride in self._convolutions:
            samples = (samples - kernel) // stride + 1
        return samples


class SpectrogramTrunk(TorchTrunk):
    """A torch module of spectrograms of one size, such as Whisper's encoder; longer is cut off."""

    def __init__(
        self,
        module: Any,
        contract: Contract,
        options: LoadOptions,
        *,
        spec: AudioSpec,
        extractor: Any,
        shortest: int,
    ) -> None:
        super().__init__(module, contract, options)
        self._spec = spec
        self._extractor = extractor
        self._shortest = shortest
        self._name: str = extractor.model_input_names[0]

    def prepare(self, sample: Waveform) -> tuple[np.ndarray, np.ndarray | None]:
        """The spectrogram, and which of its columns hold sound where the extractor tells.

        Raises:
            DataError: the recording is too short for one window.
        """
        samples = _long_enough(self._spec, sample, self._shortest)
        out = self._extractor(
            samples,
            sampling_rate=self._spec.rate,
            return_attention_mask=True,
            return_tensors="np",
        )
        columns = out.get("attention_mask")
        values = np.asarray(out[self._name][0], np.float32)
        return values, None if columns is None else np.asarray(columns[0], np.bool_)

    def collate(self, prepared: list[Any]) -> Any:
        """(b, ...) float32, and (b, columns) bool or None."""
        values = np.stack([values for values, _ in prepared])
        masks = [mask for _, mask in prepared if mask is not None]
        return values, np.stack(masks) if masks else None

    def forward(self, batch: Any) -> dict[str, Features]:
        """The tap's output with the mask of frames that begin in sound."""
        values, columns = batch
        out = super().forward(values)
        return {name: _in_sound(features.values, columns) for name, features in out.items()}

    def inputs(self, batch: Any) -> dict[str, Any]:
        """The batch as one tensor of the compute dtype."""
        import torch

        return {self._name: torch.from_numpy(batch).to(self._device, self._dtype)}


def _in_sound(values: Any, columns: np.ndarray | None) -> Features:
    """An output with the mask of its frames, where it has frames; they have the columns' steps."""
    frames = values.shape[1]
    if columns is None or values.ndim != 3 or columns.shape[1] % frames:
        return Features(values)
    return Features(values, columns[:, :: columns.shape[1] // frames])


def _long_enough(spec: AudioSpec, sample: Waveform, shortest: int) -> np.ndarray:
    samples = spec.apply(sample)
    if len(samples) < shortest:
        raise DataError(
            f"a recording of {len(samples)} samples at {spec.rate} Hz, where the model takes "
            f"{shortest} or more",
            hint=f"--preprocess min_samples={shortest} pads such recordings with zeros",
        )
    return samples
