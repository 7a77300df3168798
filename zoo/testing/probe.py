"""Describes a source in a process of its own, and says which large libraries that loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zoo.plugin import Entry, LoadOptions, Provider, Source
from zoo.testing.check import ContractBroken, made

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAVY = frozenset(("torch", "tensorflow", "jax", "onnxruntime"))
_PATIENCE = 300.0  # seconds


@dataclass(frozen=True)
class Probed:
    """What another process said of a source: its contract as a dict, heavy modules loaded."""

    contract: Mapping[str, Any]
    heavy: tuple[str, ...]


def probe(entry: Entry, source: Source, options: LoadOptions) -> Probed:
    """Describe `source` in a new interpreter with the same module path.

    Raises:
        ContractBroken: it fails there.
    """
    asked = {"entry": asdict(entry), "source": str(source), "options": asdict(options)}
    done = subprocess.run(
        [sys.executable, "-m", "zoo.testing.probe"],
        input=json.dumps(asked),
        capture_output=True,
        encoding="utf-8",
        timeout=_PATIENCE,
        check=False,
        # Another order of sets and of hashes, which no digest may depend on.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"},
    )
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise ContractBroken(f"'{source}' cannot be described in a new process: {last}")
    told = json.loads(done.stdout.splitlines()[-1])
    return Probed(told["contract"], tuple(told["heavy"]))


def _main() -> None:
    asked = json.loads(sys.stdin.read())
    entry = Entry(**{**asked["entry"], "requires": tuple(asked["entry"]["requires"])})
    provider: Provider = made("provider", entry, Provider)
    contract = provider.describe(Source.parse(asked["source"]), LoadOptions(**asked["options"]))
    heavy = sorted(HEAVY & set(sys.modules))
    print(json.dumps({"contract": contract.as_dict(), "heavy": heavy}))  # noqa: T201 - its answer


if __name__ == "__main__":
    _main()
