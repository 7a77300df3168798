"""Which part of a Hugging Face model gives features: all of it, an encoder or one tower."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.plugin import LoadOptions, Source

# Families with a tower for images and one for texts, each a model of its own after loading.
_TOWERS = frozenset({"clip", "siglip"})
_PROJECTIONS = {"vision": "visual_projection", "text": "text_projection"}
_TOWER_TAP = re.compile(r"(vision|text)(?:\.(?P<tap>.+)|(?P<pooling>/[^/]+))?")


def choose_tower(
    source: Source, config: Mapping[str, Any], options: LoadOptions
) -> tuple[str, Source]:
    """``vision``, ``text`` or nothing, and the source with its tap inside that tower.

    A tap names its tower: ``#text``, ``#vision.last_hidden_state/mean``. Otherwise the modality
    that preprocessing states or the data has decides, and images where nothing does.
    """
    if config.get("model_type") not in _TOWERS:
        return "", source
    named = _TOWER_TAP.fullmatch(source.tap)
    if named:
        return named[1], replace(source, tap=named["tap"] or (named["pooling"] or "")[1:])
    modality = options.preprocess.get("input", options.modality)
    return "text" if modality == "text" else "vision", source


def tower_config(config: Mapping[str, Any], tower: str) -> Mapping[str, Any]:
    """The configuration of a tower, under the model type that it has when it stands alone."""
    if not tower:
        return config
    own = config.get(f"{tower}_config")
    stated = own if isinstance(own, Mapping) else {}
    return {**stated, "model_type": f"{config['model_type']}_{tower}_model"}


def unused_layers(module: Any, tower: str) -> tuple[str, ...]:
    """Beginnings of the names of weights that the part does not need."""
    if tower:
        other = "text" if tower == "vision" else "vision"
        return f"{other}_model.", f"{_PROJECTIONS[other]}.", "logit_"
    return ("decoder.", "model.decoder.") if module.config.is_encoder_decoder else ()


def part_of(module: Any, tower: str) -> Any:
    """The torch module that gives features: a tower, the encoder of an encoder-decoder, or all."""
    if tower:
        return _with_projection(module, tower)
    if module.config.model_type == "vit_mae":
        module.embeddings.random_masking = _all_patches
    return module.get_encoder() if module.config.is_encoder_decoder else module


def _all_patches(tokens: Any, noise: Any = None) -> tuple[Any, None, None]:
    """Every patch in its place: its training hides three of four, at random even in evaluation."""
    del noise
    return tokens, None, None


def _with_projection(module: Any, tower: str) -> Any:
    """A tower whose outputs have `embeds` too, where the model projects them to a shared space."""
    trunk = getattr(module, f"{tower}_model")
    projection: Any = getattr(module, _PROJECTIONS[tower], None)
    if projection is not None:
        trunk.embeds_projection = projection  # so that it moves with the tower

        def add_embeds(_: Any, __: Any, outputs: Any) -> dict[str, Any]:
            return {**outputs, "embeds": projection(outputs["pooler_output"])}

        trunk.register_forward_hook(add_embeds)
    return trunk
