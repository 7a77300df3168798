"""The long form of the proofs: ``python tests/reliability/long.py [--only NAME] [--out FILE]``.

Prints a line of JSON a proof; exits 1 if one does not hold.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from proofs import long_forms


def main() -> int:
    """Run the proofs asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(long_forms.FORMS))
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--out", type=Path, help="append the lines to this file too")
    chosen = parser.parse_args()
    logging.getLogger("zoo").setLevel(logging.ERROR)  # damage is what is looked for
    held = True
    for name in chosen.only or long_forms.FORMS:
        with tempfile.TemporaryDirectory(prefix="zoo-reliability-") as root:
            began = time.monotonic()
            outcome = long_forms.FORMS[name](Path(root), chosen.seed)
            if outcome is None:
                print(json.dumps({"proof": name, "skipped": "not possible here"}))
                continue
            outcome.notes["seconds"] = round(time.monotonic() - began, 1)
        line = outcome.line().replace(root, "ROOT")
        print(line, flush=True)
        if chosen.out:
            with chosen.out.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        held = held and outcome.fault_count == 0
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
