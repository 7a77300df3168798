"""The contract as checks that a plugin's author runs over an entry; see plugins/README.md."""

from zoo.testing.check import Check, ContractBroken, run_checks
from zoo.testing.head import head_checks
from zoo.testing.provider import provider_checks
from zoo.testing.reader import reader_checks

__all__ = [
    "Check",
    "ContractBroken",
    "head_checks",
    "provider_checks",
    "reader_checks",
    "run_checks",
]
