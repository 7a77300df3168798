"""The frame of a proof: a script with a count and a seed that prints one line of JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any


def main(name: str, prove: Callable[[int, int], dict[str, Any]], *, short: int, long: int) -> None:
    """Run `prove(count, seed)` and print its counts.

    What it returns under ``faults`` maps each way of failing to how often it happened; the script
    exits with 1 unless all are 0.
    """
    parser = argparse.ArgumentParser(description=prove.__doc__)
    parser.add_argument("--count", type=int, default=short, help=f"{short}; long form: {long}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--long", action="store_true", help="the long form's count")
    options = parser.parse_args()
    count = long if options.long else options.count
    start = time.monotonic()
    found = prove(count, options.seed)
    seconds = round(time.monotonic() - start, 1)
    line = {"proof": name, "count": count, "seed": options.seed, **found, "seconds": seconds}
    print(json.dumps(line), flush=True)
    sys.exit(1 if any(found["faults"].values()) else 0)
