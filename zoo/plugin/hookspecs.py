"""Every hook of zoo, on one page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from zoo.plugin.entry import Entry, Section

hookspec = pluggy.HookspecMarker("zoo")
hookimpl = pluggy.HookimplMarker("zoo")


@hookspec
def zoo_register_providers() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Backbones' loaders, by the prefix of their sources."""


@hookspec
def zoo_register_datasets() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Readers of labelled data."""


@hookspec
def zoo_register_heads() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Heads, by the name given to ``--head``."""


@hookspec
def zoo_register_scores() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Transferability scores: quality guessed from features, before any training."""


@hookspec
def zoo_register_runtimes() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Other ways to execute a backbone, by the name given to ``--runtime``."""


@hookspec
def zoo_register_exporters() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Artefacts that a finished run can be turned into."""


@hookspec(firstresult=True)
def zoo_resolve_source(source: str) -> str | None:
    """Expand a bare name, such as ``org/name``, to a full source; None passes it on."""


@hookspec
def zoo_run_started(plan: Any) -> None:
    """Observe a run that is about to begin."""


@hookspec
def zoo_run_finished(plan: Any, result: Any) -> None:
    """Observe a finished run."""


@hookspec
def zoo_run_failed(plan: Any, error: BaseException) -> None:
    """Observe a run that ended in an error."""


@hookspec
def zoo_report_sections(result: Any) -> Iterable[Section]:  # type: ignore[empty-body]
    """Parts to add to the report of a finished run."""
