"""The errors that a user can cause: one line, one hint, one exit code."""

from __future__ import annotations


class ZooError(Exception):
    """Base of every error that zoo raises on purpose.

    Attributes:
        hint: what to do about it, in one line.
        exit_code: what the command line exits with.
        default_hint: the hint of errors of the class that state none of their own.
    """

    exit_code = 1
    default_hint = "run again with --debug to see where it happened"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint or self.default_hint


class UsageError(ZooError):
    """The command or call itself is wrong: an unknown option value, a missing argument."""

    exit_code = 2
    default_hint = "--help lists the options and their values"


class SourceError(ZooError):
    """A model source or plugin is unknown, missing, broken or unsupported."""

    exit_code = 3
    default_hint = "zoo models SOURCE shows what a source is; zoo plugins shows who reads it"


class PluginError(SourceError):
    """A plugin's own code failed or does not fit this version of zoo."""


class MissingExtraError(SourceError):
    """An optional dependency is not installed.

    It comes with an extra of zoo's, or with `package` where a plugin needs it.
    """

    def __init__(self, module: str, extra: str, *, package: str = "") -> None:
        wanted = package or f"zoo-transfer[{extra}]"
        super().__init__(f"'{module}' is not installed", hint=f"pip install '{wanted}'")


class DataError(ZooError):
    """The data given is missing, unreadable or unfit for the task."""

    exit_code = 4
    default_hint = "mend what is named and run again: features that were made are kept"


class StoreError(ZooError):
    """The feature store is damaged, full or not writable."""

    exit_code = 5
    default_hint = "set ZOO_HOME to another folder, or see zoo cache verify"


class TrustError(ZooError):
    """Code from a model repository would have to run, and nobody allowed it."""

    exit_code = 6


class GateError(ZooError):
    """A verdict or a check came out below what was asked for."""

    exit_code = 7


class InterruptedByUser(ZooError):  # noqa: N818 - it is not an error of anybody's
    """Ctrl-C: what was done is kept, and `hint` says how to go on."""

    exit_code = 130
