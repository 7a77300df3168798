"""The header of a safetensors file, read without trusting a byte of it, and built."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from zoo.errors import DataError

ALIGNMENT = 64
METADATA = "__metadata__"
# The format allows 100 MB. Parsed, that takes gigabytes; a file of rows has a few tensors.
_MAX_HEADER = 16 << 20
_MAX_AXES = 32
_SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1,
    "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4,
    "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies: dtype as the format names it, shape, first byte within the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int

    @property
    def bytes(self) -> int:
        """Its size."""
        return math.prod(self.shape) * _SIZES[self.dtype]


def read_header(file: BinaryIO) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and the tensors of a file that is open for reading.

    Raises:
        DataError: not a safetensors file, or one whose tensors overlap, leave holes, are of an
            unknown type or do not end where the file does. OSError passes.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, _MAX_HEADER):
        raise DataError(f"its header has no possible length: {length} of {size} bytes")
    try:
        header = json.loads(file.read(length).decode(), object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise DataError(f"its header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise DataError("its header is no JSON object")
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise DataError(f"its {METADATA} is not made of texts")
    start = 8 + length
    tensors = {name: _tensor(name, told, start) for name, told in header.items()}
    at = start
    for name, tensor in sorted(tensors.items(), key=lambda pair: (pair[1].start, pair[1].bytes)):
        if tensor.start != at:
            raise DataError(f"its tensor '{name}' overlaps another or leaves a hole")
        at += tensor.bytes
    if at != size:
        raise DataError(f"it has {size} bytes, and its header tells of {at}")
    return metadata, tensors


def build_header(
    metadata: Mapping[str, str], tensors: Mapping[str, tuple[str, tuple[int, ...]]], length: int = 0
) -> bytes:
    """Length and JSON of tensors (dtype, shape) that lie in this order, padded with spaces.

    It has `length` bytes, or as few as a multiple of 64 allows.
    """
    told: dict[str, Any] = {METADATA: dict(metadata)}
    at = 0
    for name, (dtype, shape) in tensors.items():
        end = at + math.prod(shape) * _SIZES[dtype]
        told[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    whole = length or -(-(8 + len(text)) // ALIGNMENT) * ALIGNMENT
    return (whole - 8).to_bytes(8, "little") + text.ljust(whole - 8)


def _tensor(name: str, told: Any, start: int) -> Tensor:
    fields = told if isinstance(told, dict) else {}
    dtype, shape, place = (fields.get(f) for f in ("dtype", "shape", "data_offsets"))
    # By type, not isinstance: True is an int, too.
    whole = all(
        isinstance(numbers, list) and all(type(n) is int and 0 <= n < 1 << 63 for n in numbers)
        for numbers in (shape, place)
    )
    if (
        len(fields) != 3
        or not isinstance(dtype, str)
        or not whole
        or shape is None
        or len(shape) > _MAX_AXES  # the product of a million numbers would take hours
        or place is None
        or len(place) != 2
    ):
        raise DataError(f"its tensor '{name}' is not described as the format asks")
    if dtype not in _SIZES:
        raise DataError(f"its tensor '{name}' is of an unknown type, {dtype}")
    tensor = Tensor(dtype, tuple(shape), start + place[0])
    if place[1] - place[0] != tensor.bytes:
        raise DataError(f"its tensor '{name}' is not as long as its shape says")
    return tensor


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are distinct: of two tensors of one name, readers take either."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found
