"""What timm says of a model: architecture, arguments and data configuration, as remembered data.

timm's own configurations live in its modules, so that reading one imports torch. What it says is
kept beside the digests of large files, and the next look at the same model reads that alone.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from zoo import settings
from zoo.engine import FileDigests
from zoo.plugin import SourceError
from zoo_timm.timm_import import import_timm

if TYPE_CHECKING:
    from zoo.providers import Snapshot

_INPUT = ("input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode")
# Arguments of timm's factory that say where weights come from: never a model's own to choose.
_REFUSED = frozenset(("cache_dir", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay"))
# timm's rule for what a config.json leaves out; size, mean and std are never left to a rule.
_DEFAULTS = {"interpolation": "bicubic", "crop_pct": 0.875, "crop_mode": "center"}


@dataclass(frozen=True)
class Pretrained:
    """A pretrained model as timm describes it.

    Attributes:
        architecture: the name that timm builds it by, without a tag.
        arguments: what else the architecture is built with.
        config: timm's `PretrainedCfg`: data configuration, classifier, licence.
    """

    architecture: str
    arguments: Mapping[str, Any]
    config: Mapping[str, Any]

    @classmethod
    def named(cls, name: str) -> Pretrained:
        """The model that timm knows by `name`; raises SourceError where there is none."""
        spec = importlib.util.find_spec("timm")
        if spec is None or spec.origin is None:
            raise SourceError("timm is not installed", hint="pip install timm")
        # Of this state of the package's files and this version.
        kind = f"timm-1:{metadata.version('timm')}:{name}"
        memo = FileDigests(settings.home())
        return cls(**json.loads(memo.derived(spec.origin, kind, lambda _: _named(name))))

    @classmethod
    def in_folder(cls, snapshot: Snapshot) -> Pretrained:
        """The model that a config.json of timm's describes; raises SourceError where it cannot."""
        path = snapshot.folder / "config.json"
        told = snapshot.read("config.json")
        if told is None:
            raise SourceError(
                f"'{snapshot.folder}' has no config.json: it is not a model that timm has saved",
                hint="for weights alone: timm:ARCHITECTURE?weights=FILE.safetensors",
            )
        config, arguments = told.get("pretrained_cfg", told), told.get("model_args") or {}
        architecture = told.get("architecture")
        shapes = (
            isinstance(config, dict),
            isinstance(arguments, dict),
            isinstance(architecture, str),
        )
        if not all(shapes):
            raise SourceError(f"'{path}' is not a configuration of timm's")
        refused = sorted(_REFUSED & set(arguments))
        if refused:
            raise SourceError(
                f"'{path}' sets '{refused[0]}', which is not a model's to choose",
                hint="do not use this model",
            )
        config = {**_DEFAULTS, **config}
        if "num_classes" in told:
            config["num_classes"] = told["num_classes"]
        size = arguments.get("img_size")
        if size is not None and config.get("fixed_input_size"):
            config["input_size"] = [3, *(size if isinstance(size, list) else [size, size])]
        return cls(architecture, arguments, config)

    @property
    def prepares(self) -> bool:
        """Whether timm says how images are prepared for it."""
        return all(self.config.get(key) is not None for key in _INPUT)

    def stated(self, where: str) -> dict[str, Any]:
        """The image keys of zoo; raises SourceError where timm prepares images in another way.

        Scale and crop are those of timm's `create_transform` for evaluation, at the input size of
        training (timm's own default), not at `test_input_size`.
        """
        missing = [key for key in _INPUT if self.config.get(key) is None]
        if missing:  # named by ImageSpec in zoo's words, unless --preprocess states them
            return {"input": "image"}
        channels, height, width = self.config["input_size"]
        pct, mode = float(self.config["crop_pct"]), self.config["crop_mode"]
        squash = mode == "squash"
        understood = squash or (mode == "center" and height == width)
        if channels != 3 or not 0 < pct <= 1 or not understood:
            raise SourceError(
                f"{where}: timm prepares {channels}x{height}x{width} inputs with crop mode "
                f"'{mode}' and crop_pct {pct:g}, which is not supported",
                hint="state another way: --preprocess 'size=...,resize=...,mean=...,std=...'",
            )
        edges = [math.floor(height / pct), math.floor(width / pct)]
        return {
            "input": "image",
            "size": [height, width],
            "resize": edges if squash else edges[0],
            "crop": "center",
            "filter": self.config["interpolation"],
            "mean": list(self.config["mean"]),
            "std": list(self.config["std"]),
        }


def _named(name: str) -> str:
    """What timm says of a name, as the JSON of a Pretrained."""
    timm = import_timm()
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), 3)
        raise SourceError(
            f"timm {timm.__version__} has no model '{architecture}'",
            hint=f"like it: {', '.join(close)}" if close else "timm.list_models() lists them",
        )
    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        known = [each.partition(".")[2] for each in timm.list_pretrained(f"{architecture}.*")]
        raise SourceError(
            f"timm {timm.__version__} has no weights '{tag}' for '{architecture}'",
            hint=f"one of {', '.join(known)}" if known else f"timm:{architecture}?weights=FILE",
        ) from error
    told = {} if config is None else config.to_dict()
    return json.dumps(asdict(Pretrained(architecture, {}, told)))
