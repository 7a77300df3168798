"""Makes torch's arithmetic repeatable: one thread and no algorithm that depends on chance."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """While this lasts equal inputs give equal bits; torch's settings are put back afterwards.

    One thread, because sums that are split among threads are rounded otherwise. An operation that
    has no deterministic algorithm raises RuntimeError.
    """
    import torch

    # cuBLAS reads it when it is first used; without it its products are refused.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    threads = torch.get_num_threads()
    mode = torch.get_deterministic_debug_mode()
    tuned = torch.backends.cudnn.benchmark
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("error")
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)
        torch.backends.cudnn.benchmark = tuned
