"""Searches Hugging Face models: folders nearby, the Hub's cache, and the Hub itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo import settings
from zoo.errors import SourceError
from zoo.plugin import Found
from zoo.providers import nearby

_WEIGHTS = "model*.safetensors"
_PATIENCE = 10.0  # seconds for the Hub to answer


def search(query: str, *, offline: bool, limit: int) -> Iterator[Found]:
    """Models that match, local ones first; the Hub is asked where there is a query.

    Raises:
        SourceError: the Hub does not answer; what is local has been given by then.
    """
    local = [found for found in _local() if found.matches(query)]
    yield from local
    if query and not settings.offline(flag=offline):
        known = {found.source for found in local}
        yield from (found for found in _hub(query, limit) if found.source not in known)


def _local() -> Iterator[Found]:
    for path in nearby.files("config.json"):
        if any(path.parent.glob(_WEIGHTS)):
            yield Found(f"hf:{nearby.reference(path.parent)}", "folder", local=True)
    from huggingface_hub import constants

    names = set()
    for config in Path(constants.HF_HUB_CACHE).glob("models--*/snapshots/*/config.json"):
        if any(config.parent.glob(_WEIGHTS)):
            names.add(config.parents[2].name.removeprefix("models--").replace("--", "/"))
    for name in sorted(names):
        yield Found(f"hf:{name}", "in the Hub's cache", local=True)


def _hub(query: str, limit: int) -> Iterator[Found]:
    """One request, and no second try: who searches waits at the terminal."""
    import huggingface_hub as hub
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    # Whatever HTTP library this version of the client stands on, its errors are bases of this one.
    failures: tuple[type[Exception], ...] = (OSError, ValueError, *HfHubHTTPError.__bases__)
    wanted: dict[str, str | int] = {
        "search": query,
        "filter": "safetensors",
        "sort": "downloads",
        "limit": limit,
    }
    try:
        answer = hub.get_session().get(
            f"{hub.constants.ENDPOINT}/api/models",
            params=wanted,
            headers=build_hf_headers(),
            timeout=_PATIENCE,
        )
        answer.raise_for_status()
        models = answer.json()
    except failures as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SourceError(
            f"the Hub does not answer: {first}",
            hint="check the network; --offline searches what is here",
        ) from error
    for model in models if isinstance(models, list) else []:
        if isinstance(model, dict) and isinstance(model.get("id"), str):
            yield _described(model)


def _described(model: dict[str, Any]) -> Found:
    tags = [str(tag) for tag in model.get("tags") or []]
    licences = [tag.removeprefix("license:") for tag in tags if tag.startswith("license:")]
    downloads = model.get("downloads")
    used = f"{downloads:,} downloads" if isinstance(downloads, int) else ""
    summary = ", ".join(part for part in (str(model.get("pipeline_tag") or ""), used) if part)
    return Found(f"hf:{model['id']}", summary, licence=", ".join(licences))
