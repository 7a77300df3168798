"""A check: one sentence of the contract that holds or is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.registry.catalogue import Kind, Registered
from zoo.registry.factory import make

if TYPE_CHECKING:
    from zoo.plugin import Entry


class ContractBroken(AssertionError):  # noqa: N818 - it names what happened to the contract
    """An entry does not do what the plugin contract says, and the message says how."""


@dataclass(frozen=True)
class Check:
    """One sentence of the contract, called without arguments.

    Attributes:
        name: the sentence, for listings and pytest's ids (``ids=str``).
        run: returns where the sentence holds.

    Raises:
        ContractBroken: from the call, where it does not.
    """

    name: str
    run: Callable[[], None]

    def __call__(self) -> None:
        """Run it."""
        self.run()

    def __str__(self) -> str:
        return self.name


def checks_of(case: object) -> list[Check]:
    """The public methods of a case, in the order in which they are written."""
    return [
        Check(name, getattr(case, name))
        for name, member in vars(type(case)).items()
        if callable(member) and not name.startswith("_")
    ]


def run_checks(checks: Iterable[Check]) -> None:
    """Run all checks and tell of every one that fails; for those who use no pytest.

    Raises:
        ContractBroken: with a line for each check that failed.
    """
    broken: list[str] = []
    for check in checks:
        try:
            check()
        except (ContractBroken, ZooError) as error:
            broken.append(f"{check.name}: {error}")
    if broken:
        raise ContractBroken("\n".join(broken))


def expect(holds: object, otherwise: str) -> None:
    """Raise ContractBroken where something does not hold."""
    if not holds:
        raise ContractBroken(otherwise)


def refused(what: str, attempt: Callable[[], object]) -> None:
    """Raise ContractBroken unless an attempt raises a ZooError, which a user sees as one line."""
    try:
        attempt()
    except ZooError:
        return
    except Exception as error:
        raise ContractBroken(
            f"{what} raises {type(error).__name__}, not a ZooError: {error}"
        ) from error
    raise ContractBroken(f"{what} is accepted")


def made(kind: Kind, entry: Entry, base: type) -> Any:
    """What the entry's factory makes, by the registry's own way.

    Raises:
        ZooError: a required module is missing, or the factory fails or makes something else.
    """
    return make(Registered(kind, entry.name, entry, "under test"), base, foreign=True)
