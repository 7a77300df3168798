"""Feature rows that no provider makes yet: word vectors, static embeddings, speech embeddings.

Each takes the folder of assets and n items, and gives (n, d) float32.
"""

from __future__ import annotations

import re
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_WORD = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
SAMPLES = 20960  # of a clip at 16 kHz, as the speech model's own recipe takes
RATE = 16000


def static_means(assets: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """64-d means of the rows of a text's tokens, special tokens left out."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    folder = assets / "model-static-minilm-64d"
    table = load_file(folder / "model.safetensors")["embedding.weight"].astype(np.float32)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    found = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return np.stack([_mean(table[encoding.ids], table.shape[1]) for encoding in found])


def glove_means(assets: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """50-d means of the vectors of a text's known words; zeros where none is known."""
    vectors = _glove(assets)
    dim = len(next(iter(vectors.values())))
    return np.stack(
        [
            _mean([vectors[word] for word in _WORD.findall(text.lower()) if word in vectors], dim)
            for text in texts
        ]
    )


def glove_windows(assets: Path, windows: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """The vectors of a window's words side by side; zeros for a word that is not known."""
    vectors = _glove(assets)
    unknown = np.zeros(len(next(iter(vectors.values()))), np.float32)
    return np.stack(
        [np.concatenate([vectors.get(word.lower(), unknown) for word in w]) for w in windows]
    )


def speech_embeddings(assets: Path, clips: Sequence[str]) -> NDArray[np.float32]:
    """96-d means over a clip's windows; clips are 16-bit mono WAV files."""
    import onnxruntime

    path = assets / "model-onnx-speech-embedding/speech_embedding.onnx"
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    # One clip a batch, as preprocess.toml asks.
    pooled = [session.run(["pooled"], {"waveform": _clip(Path(c))[None]})[0][0] for c in clips]
    return np.stack(pooled)


def _mean(rows: Any, dim: int) -> NDArray[np.float32]:
    return np.mean(rows, axis=0, dtype=np.float32) if len(rows) else np.zeros(dim, np.float32)


def _glove(assets: Path) -> dict[str, NDArray[np.float32]]:
    path = assets / "model-glove-6b-50d-8k/glove.6B.50d.subset.txt"
    vectors = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            word, _, values = line.rstrip().partition(" ")
            vectors[word] = np.array(values.split(), np.float32)
    return vectors


def _clip(path: Path) -> NDArray[np.float32]:
    """16 kHz samples in -1..1: the first `SAMPLES`, or zeros on both sides of fewer."""
    from scipy.signal import resample_poly

    with wave.open(str(path)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    wide = resample_poly(samples, RATE, rate)[:SAMPLES]
    before = (SAMPLES - len(wide)) // 2
    return np.pad(wide, (before, SAMPLES - len(wide) - before)).astype(np.float32)
