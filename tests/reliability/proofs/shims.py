"""Builds the shim of ``shim.c`` that stands before the C library in processes started with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from proofs import processes

SOURCE = Path(__file__).parents[1] / "shim.c"


def can_build() -> bool:
    """Whether there is a compiler, and a loader that takes LD_PRELOAD."""
    return sys.platform == "linux" and shutil.which("cc") is not None


def built(root: Path) -> Path:
    """The shim, compiled into this folder."""
    path = root / "shim.so"
    if not path.exists():
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", path, SOURCE, "-ldl"]
        subprocess.run(list(map(str, command)), check=True)
    return path


def environment(root: Path, **settings: object) -> dict[str, str]:
    """For a process under the shim; settings as in shim.c, without their SHIM_."""
    named = {f"SHIM_{name.upper()}": str(value) for name, value in settings.items()}
    return processes.environment(LD_PRELOAD=str(built(root)), **named)
