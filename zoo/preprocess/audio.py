"""Recordings: one channel, resampled to the backbone's rate, padded where too short, and scaled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from zoo.errors import DataError, SourceError

NUMERICS = 1  # raised whenever the same recording would come out otherwise
MAX_SAMPLES = 1 << 26  # 256 MiB as float32: 70 minutes at 16 kHz, 23 at 48 kHz

OWN_RATE = 0


@dataclass(frozen=True, eq=False)
class Waveform:
    """A decoded recording.

    Attributes:
        samples: (n,) float32, one channel, -1..1 where the file holds integers.
        rate: samples a second; `OWN_RATE` where they are at the backbone's already.
    """

    samples: np.ndarray
    rate: int


@dataclass(frozen=True)
class AudioSpec:
    """How a recording becomes an array.

    Attributes:
        rate: samples a second that the backbone takes; others are resampled by soxr (HQ).
        scale: factor on -1..1, after resampling.
        min_samples: a shorter array is padded with zeros up to it.
        pad: where: ``center`` on both sides, the odd one at the end, or ``end``.
        dtype: of the array.
    """

    rate: int
    scale: float = 1.0
    min_samples: int = 0
    pad: str = "center"
    dtype: str = "float32"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; what decides the array, and nothing else."""
        return {"input": "audio", "numerics": NUMERICS, **asdict(self)}

    @classmethod
    def from_stated(cls, stated: Mapping[str, Any], where: str) -> AudioSpec:
        """From preprocess.toml's keys; raises SourceError with what is missing or can't be."""
        if "rate" not in stated:
            raise SourceError(
                f"{where}: preprocessing is not stated: rate",
                hint="put a preprocess.toml beside the model or give --preprocess "
                "'input=audio,rate=16000'",
            )
        if stated.get("dtype", "float32") not in {"float32", "float16"}:
            raise SourceError(f"{where}: audio is float32 or float16, not {stated['dtype']}")
        if stated.get("min_samples", 0) > MAX_SAMPLES:
            raise SourceError(f"{where}: min_samples is above {MAX_SAMPLES}")
        return cls(
            rate=int(stated["rate"]),
            scale=float(stated.get("scale", 1.0)),
            min_samples=int(stated.get("min_samples", 0)),
            pad=stated.get("pad", "center"),
            dtype=stated.get("dtype", "float32"),
        )

    def apply(self, waveform: Waveform) -> np.ndarray:
        """(n,) of `dtype`, n at least `min_samples`.

        Raises:
            DataError: it would be longer than `MAX_SAMPLES`.
        """
        samples = waveform.samples
        if waveform.rate not in {self.rate, OWN_RATE}:
            if len(samples) * self.rate > MAX_SAMPLES * waveform.rate:
                raise DataError(
                    f"at {self.rate} Hz it would have more than {MAX_SAMPLES} samples",
                    hint="cut it into shorter recordings",
                )
            import soxr

            samples = soxr.resample(samples, waveform.rate, self.rate, quality="HQ")
        missing = max(0, self.min_samples - len(samples))
        before = missing // 2 if self.pad == "center" else 0
        padded = np.pad(samples, (before, missing - before))
        return np.asarray(padded * np.float32(self.scale), dtype=self.dtype)
