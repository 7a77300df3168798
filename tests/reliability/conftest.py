"""Lets the tests here import the proofs that the long form runs too."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

if os.name != "posix":  # processes are forked, stopped and killed
    collect_ignore_glob = ["test_*.py"]
