"""Texts: what is decided about them before the checkpoint's own tokenizer sees them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

NUMERICS = 1  # raised whenever the same text would come out otherwise


@dataclass(frozen=True)
class TextSpec:
    """How a text becomes tokens.

    Attributes:
        tokenizer: SHA-256 over the tokenizer's files, in hex.
        max_length: tokens kept, special ones included; the rest of the text is cut off.
        lower_case: whether the text is lower-cased first.
        prefix: put before every text.
        padding: of a batch: ``right`` of the tokens, to ``max_length`` always, or empty for the
            tokenizer's own side up to the longest.
    """

    tokenizer: str
    max_length: int
    lower_case: bool = False
    prefix: str = ""
    padding: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; what decides the tokens, and nothing else."""
        out = {"input": "text", "numerics": NUMERICS, **asdict(self)}
        if not self.padding:
            del out["padding"]  # where the mask hides it, it decides nothing
        return out

    def apply(self, text: str) -> str:
        """The text as the tokenizer gets it."""
        return self.prefix + (text.lower() if self.lower_case else text)
