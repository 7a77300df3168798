"""Says how large a Hugging Face model is, what may be done with it and which layers it has."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from zoo.backbones.pooling import width
from zoo.plugin import Contract, Facts

if TYPE_CHECKING:
    from zoo.providers.hf_files import Snapshot

_log = logging.getLogger(__name__)

_TOKENS = 7  # of the text that shapes are found with: as no layer is wide


def facts(
    snapshot: Snapshot,
    contract: Contract,
    parameters: int | None,
    taps: dict[str, tuple[int, ...]],
) -> Facts:
    """Facts of a described model; `parameters` and `taps` as `traced` found them."""
    shape = taps.get(contract.tap, ())
    dim = width(shape, pooling=contract.pooling, layout=contract.layout)
    return Facts(dim, parameters, _licence(snapshot), taps)


def traced(
    contract: Contract, config: Any, tower: str
) -> tuple[int | None, dict[str, tuple[int, ...]]]:
    """Parameters and the shapes of taps of the part of an architecture that gives features."""
    from transformers import AutoModel

    from zoo.backbones.torch_shapes import trace
    from zoo.providers.hf_parts import part_of

    try:
        parameters, shapes = trace(
            lambda: part_of(AutoModel.from_config(config), tower), _inputs(contract)
        )
    except (RuntimeError, ValueError, TypeError, KeyError, ImportError) as error:
        # The architecture is transformers' affair: where it can't be built, loading says why.
        _log.debug("shapes are not known: %s", error)
        return None, {}
    if contract.modality == "text":
        shapes = {
            name: tuple(-1 if axis == _TOKENS else axis for axis in shape)
            for name, shape in shapes.items()
        }
    return parameters, shapes


def _inputs(contract: Contract) -> dict[str, tuple[tuple[int, ...], str]]:
    if contract.modality == "text":
        return {"input_ids": ((1, _TOKENS), "int64")}
    if contract.modality == "image":
        height, width_ = contract.preprocess["size"]
        return {"pixel_values": ((1, 3, height, width_), "float32")}
    return {}


def _licence(snapshot: Snapshot) -> str:
    """By the model card, else by config.json, else the name of a licence file."""
    stated = _card(snapshot).get("license")
    stated = stated or (snapshot.read("config.json") or {}).get("license")
    if stated:
        return ", ".join(map(str, stated)) if isinstance(stated, list) else str(stated)
    files = sorted(path.name for path in snapshot.folder.glob("LICEN[CS]E*"))
    return f"see {files[0]}" if files else ""


def _card(snapshot: Snapshot) -> dict[str, Any]:
    """The metadata of the model card; empty where there is none, or none that can be read."""
    import huggingface_hub as hub
    import yaml

    card = snapshot.folder / "README.md"
    if not card.is_file():
        return {}
    try:
        return hub.metadata_load(card) or {}
    except (ValueError, OSError, yaml.YAMLError) as error:
        _log.debug("no licence from '%s': %s", card, error)
        return {}
