"""Borrows torch's threads and its generator, and gives them back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def borrowed(threads: int) -> Iterator[None]:
    """So many threads of torch's while this lasts, and draws that nobody outside sees."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        torch.set_num_threads(before)
