"""What ``timm:`` is held against: timm's own evaluation transform and its model."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from zoo.plugin import Contract, Reference
from zoo_timm.timm_import import import_timm


class TimmReference(Reference):
    """`timm.data.create_transform` before a timm model.

    Args:
        module: the model with its weights, in float32.
        contract: whose tap and pooling are taken.
    """

    def __init__(self, module: Any, contract: Contract) -> None:
        timm = import_timm()
        data = importlib.import_module("timm.data")
        config = data.resolve_data_config({}, model=module)
        self._transform = data.create_transform(**config, is_training=False)
        self._module, self._contract = module.eval(), contract
        self.name = f"timm {timm.__version__}: create_transform, {type(module).__name__}"

    def row(self, sample: Any) -> np.ndarray:
        """(d,) float32 of a file, or of an RGB image."""
        import torch
        from PIL import Image

        if isinstance(sample, Path):
            with Image.open(sample) as image:
                sample = image.convert("RGB")
        with torch.no_grad():
            values = self._module.forward_features(self._transform(sample)[None])
            if self._contract.tap == "pre_logits":
                values = self._module.forward_head(values, pre_logits=True)
            elif values.ndim == 4:
                channels_last = getattr(self._module, "output_fmt", "NCHW") == "NHWC"
                values = values.mean((1, 2) if channels_last else (2, 3))
            elif self._contract.pooling == "mean":
                values = values[:, self._module.num_prefix_tokens :].mean(1)
            else:
                values = values[:, 0 if self._contract.pooling == "cls" else -1]
        return np.asarray(values[0], np.float32)
