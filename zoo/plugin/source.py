"""Parses the name of a model: ``provider:reference[@revision][?weights=FILE][#tap[,tap]]``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.errors import SourceError

_PROVIDER = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]*(/[A-Za-z0-9_.+-]+)?\Z")


@dataclass(frozen=True)
class Source:
    """A parsed model source.

    Attributes:
        provider: the registered name before the first colon.
        reference: what the provider understands: ``org/name``, a path, a file.
        revision: branch, tag or commit; empty for the provider's default.
        weights: a weights file given by ``?weights=``; empty for the model's own.
        tap: the layer whose output is wanted, optionally ``tap/pooling``, or several with commas
            between; empty for the default.
    """

    provider: str
    reference: str
    revision: str = ""
    weights: str = ""
    tap: str = ""

    @classmethod
    def parse(cls, text: str) -> Source:
        """Parse a full source; raises SourceError where a part is missing or unknown."""
        rest, mark, tap = text.partition("#")
        if mark and not tap:
            raise SourceError(f"source '{text}' ends in '#' without a tap")
        names = tap.split(",")
        if len(names) > 1 and (not all(names) or len(set(names)) < len(names)):
            raise SourceError(
                f"source '{text}' names a tap twice, or none between commas",
                hint="for example #last_hidden_state/cls,last_hidden_state/mean",
            )
        rest, mark, query = rest.partition("?")
        weights = ""
        if mark:
            name, _, weights = query.partition("=")
            if name != "weights" or not weights:
                raise SourceError(
                    f"source '{text}': '?{query}' is not understood",
                    hint="the only query is ?weights=FILE",
                )
        provider, colon, reference = rest.partition(":")
        if not colon or not reference.partition("@")[0] or not _PROVIDER.match(provider):
            raise SourceError(
                f"source '{text}' is not of the form provider:reference",
                hint="for example hf:org/name, hf:./folder or onnx:./model.onnx",
            )
        revision = ""
        if not is_path(reference):
            reference, mark, revision = reference.partition("@")
            if mark and not revision:
                raise SourceError(f"source '{text}' ends in '@' without a revision")
        return cls(provider, reference, revision, weights, tap)

    def of_each_tap(self) -> tuple[Source, ...]:
        """The same source with each of its taps alone, in their order."""
        return tuple(replace(self, tap=tap) for tap in self.tap.split(","))

    @property
    def path(self) -> Path | None:
        """The reference as a path where it is one, else None.

        Raises:
            SourceError: it starts with ``~user`` and there is no such user.
        """
        if not is_path(self.reference):
            return None
        try:
            return Path(self.reference).expanduser()
        except RuntimeError as error:
            raise SourceError(f"source '{self}': {error}") from error

    def __str__(self) -> str:
        out = f"{self.provider}:{self.reference}"
        out += f"@{self.revision}" if self.revision else ""
        out += f"?weights={self.weights}" if self.weights else ""
        return out + (f"#{self.tap}" if self.tap else "")


def is_path(reference: str) -> bool:
    """Whether a reference is a path: it starts with ``.``, ``/`` or ``~``."""
    return reference.startswith((".", "/", "~"))
