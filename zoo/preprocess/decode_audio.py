"""From a recording's file to one channel of samples, a block at a time, within a stated size."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from zoo.errors import DataError
from zoo.preprocess.audio import MAX_SAMPLES, OWN_RATE, Waveform

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMERICS = 1  # raised whenever the same bytes would give other samples
RATES = (1_000, 768_000)  # outside of them a header is wrong, or resampling would explode
_BLOCK = 1 << 18  # samples of all channels that are read at once
_UNKNOWN = 1 << 62  # libsndfile gives no less for a stream that states no length
_REWRITE = "copy it again; where a recorder left the header so, rewrite it: ffmpeg -i IN OUT"


def decode_audio(source: Path | bytes, name: str) -> Waveform:
    """The samples of a WAV, FLAC, OGG or MP3 file, or of its bytes, by content and not by name.

    Channels are averaged. A header's promises are never trusted with memory: what is held grows
    with what was decoded.

    Raises:
        DataError: the file can't be read, is no recording, is damaged, cut short or empty, holds
            more than `MAX_SAMPLES` samples a channel, or samples that are not finite.
    """
    import soundfile

    try:
        with _Memory(source) if isinstance(source, bytes) else source.open("rb") as file:
            _check_riff(file, name)
        # By name and not by the file object: libsndfile's calls back into Python print what they
        # raise, and take the interpreter's lock. As bytes, a name may be in any encoding.
        with soundfile.SoundFile(_openable(source)) as sound:
            rate, promised = int(sound.samplerate), int(sound.frames)
            _check_header(rate, promised, name)
            samples = np.concatenate([*_blocks(sound, name), np.empty(0, np.float32)])
    except OSError as error:
        raise DataError(f"'{name}': {error.strerror or error}") from error
    except soundfile.LibsndfileError as error:
        raise DataError(
            f"'{name}' is not a recording that can be read: {error.error_string}"
        ) from error
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        raise DataError(f"'{name}' is a damaged recording: {error}") from error
    if not len(samples):
        raise DataError(f"'{name}' holds no samples")
    if len(samples) < promised:
        raise _cut_short(name, promised, len(samples), "samples")
    return Waveform(samples, rate)


class _Memory(io.BytesIO):
    """Bytes as a file that never raises: libsndfile would print it, and see no error."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):  # before the start, or beyond what there can be
            return self.tell()


def _openable(source: Path | bytes) -> Any:
    if isinstance(source, bytes):
        return _Memory(source)
    return str(source) if os.name == "nt" else os.fsencode(source)


def audio_array(values: np.ndarray, name: str) -> Waveform:
    """Samples that a caller holds, (n,) of floating point, at the backbone's own rate.

    Raises:
        DataError: the array is something else, empty, too long or not finite.
    """
    if values.ndim != 1 or values.dtype.kind != "f":
        raise DataError(
            f"'{name}' has shape {values.shape} and dtype {values.dtype}",
            hint="recordings are floating-point arrays of one channel, -1..1, at the model's rate",
        )
    if not 0 < len(values) <= MAX_SAMPLES:
        raise DataError(f"'{name}' holds {len(values)} samples, not 1 to {MAX_SAMPLES}")
    if not np.isfinite(values).all():
        raise DataError(f"'{name}' holds samples that are not finite")
    return Waveform(values.astype(np.float32), OWN_RATE)


def _check_header(rate: int, frames: int, name: str) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise DataError(f"'{name}' states a rate of {rate} Hz, not {RATES[0]} to {RATES[1]}")
    if frames >= _UNKNOWN:  # soundfile can't read such a stream to its end
        raise DataError(f"'{name}' states no length", hint=_REWRITE)
    if frames > MAX_SAMPLES:
        raise DataError(
            f"'{name}' would decode to more than {MAX_SAMPLES} samples",
            hint="cut it into shorter recordings",
        )


def _blocks(sound: Any, name: str) -> Iterator[np.ndarray]:
    """Mono float32 blocks, not more of them than the header promises."""
    step = max(1, _BLOCK // int(sound.channels))
    while len(block := sound.read(step, dtype="float32", always_2d=True)):
        if not np.isfinite(block).all():
            raise DataError(f"'{name}' holds samples that are not finite")
        yield block.mean(axis=1, dtype=np.float64).astype(np.float32)


def _check_riff(file: BinaryIO, name: str) -> None:
    """Refuse a WAV whose header promises more than the file holds: libsndfile would just stop."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    position = 12
    frame = 1
    while head[:4] == b"RIFF" and head[8:] == b"WAVE" and position + 8 <= size:
        file.seek(position)
        kind, length = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
        position += 8
        if kind == b"fmt ":
            block_align = file.read(14)[12:14].ljust(2, b"\0")
            frame = max(1, int.from_bytes(block_align, "little"))
        if kind == b"data":
            if length // frame > (size - position) // frame:
                raise _cut_short(name, length, size - position, "bytes")
            break
        position += length + length % 2


def _cut_short(name: str, promised: int, held: int, what: str) -> DataError:
    return DataError(
        f"'{name}' is cut short: its header promises {promised} {what}, it holds {held}",
        hint=_REWRITE,
    )
