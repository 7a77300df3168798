"""Finishes batches and commits their rows to the store in a thread, beside the next forward pass.

The next pass waits for the commit where that is quick, as it nearly always is: so a process that is
killed has at most one batch to do again. What takes longer (large outputs to pool, a disk that
seals a shard) goes on beside it, and never more than one batch is behind.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

_log = logging.getLogger(__name__)

_PATIENCE = 0.05  # seconds: a commit takes less than one millisecond


class Writer:
    """Runs one job at a time in its thread, in order; leaving the block waits for the last.

    A job's exception is raised by this or the next `put`, or at the end of the block. Where the
    block ends by an exception of its own, Ctrl-C for one, that wins.

    Attributes:
        rows: how many the finished jobs have written.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="zoo-write")
        self._last: Future[int] | None = None

    def put(self, job: Callable[[], int]) -> None:
        """Start a job, which says how many rows it wrote, once the one before is done."""
        self._finish()
        self._last = self._thread.submit(job)
        if wait([self._last], timeout=_PATIENCE).done:
            self._finish()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the last job."""
        try:
            self._finish()
        except Exception as failed:
            if error is None:
                raise
            _log.debug("the last batch was not written: %s", failed)
        finally:
            self._thread.shutdown()

    def _finish(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            self.rows += last.result()
