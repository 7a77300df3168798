"""What a plugin registers: data that names a factory, which is imported when it is used."""

from __future__ import annotations

from dataclasses import dataclass

API_VERSION = 0  # stays 0 until fine-tuning has landed


@dataclass(frozen=True)
class Entry:
    """One thing under one name: a provider, head, score, dataset, run time or exporter.

    Attributes:
        name: the name users write, such as ``timm`` in ``timm:resnet18``.
        factory: ``module:attribute`` of the class; called without arguments.
        summary: one line for listings.
        requires: modules that must be importable for it to work.
        extra: what brings `requires`: for a built-in an extra of ``zoo-transfer``, for a plugin
            what to give to pip; empty where the first missing module's name is right.
    """

    name: str
    factory: str
    summary: str = ""
    requires: tuple[str, ...] = ()
    extra: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the report that a plugin adds: a title and plain text paragraphs."""

    title: str
    paragraphs: tuple[str, ...]
