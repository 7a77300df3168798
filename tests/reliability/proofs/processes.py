"""Processes that may be killed at any moment: forks of this one, and fresh interpreters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
import warnings
from pathlib import Path

import zoo


def fork(work, *arguments):
    """Run `work` in a copy of this process, which has no store open; returns its pid."""
    with warnings.catch_warnings():
        # The numerical libraries keep idle threads; the child uses none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work(*arguments)
        code = 0
    except BaseException:  # noqa: BLE001 - a child must never run on in its parent's code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def kill(pid):
    """SIGKILL the child; True if that is what ended it, else it had finished by itself."""
    os.kill(pid, signal.SIGKILL)
    status = ended(pid)
    if status > 0:
        raise RuntimeError(f"a child failed with {status}")
    return status == -signal.SIGKILL


def ended(pid):
    """Wait for the child; its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def environment(**more):
    """For a fresh interpreter that imports this very zoo and these proofs."""
    paths = [str(Path(zoo.__file__).parents[1]), str(Path(__file__).parents[1])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1", **more}


def fresh(module, *arguments, env=None, timeout=600, **more):
    """Run `python -m module` to its end, with its output as text."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=env or environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
        **more,
    )
