"""A timm model as a frozen backbone: built, filled to the last weight, and run up to its head."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.backbones import ImageTrunk
from zoo.plugin import Contract, Features, LoadOptions, SourceError
from zoo_timm.timm_import import import_timm

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from zoo.preprocess import ImageSpec
    from zoo_timm.pretrained import Pretrained

# What timm and torch raise where a file or a configuration does not fit.
_UNFIT = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, AssertionError)

# A second classifier of Inception's published weights, for training alone: timm builds none.
_AUXILIARY = "AuxLogits"


class TimmTrunk(ImageTrunk):
    """A timm model without its classifier.

    Taps: ``pre_logits``, what the classifier would see, (b, d); ``features``, the last maps or
    tokens. The mean of tokens leaves class and register tokens out, as timm's own pooling does.
    """

    def __init__(
        self, module: Any, contract: Contract, options: LoadOptions, *, spec: ImageSpec
    ) -> None:
        super().__init__(module, contract, options, spec=spec, name="x")
        self._resize = spec
        self._rest = replace(spec, resize=None)

    def prepare(self, sample: Image) -> np.ndarray:
        """(3, h, w) float32 of one RGB image, as timm's evaluation transform on Pillow images.

        Of a crop that leaves an odd number of pixels out, torchvision rounds the half to even.
        """
        image, (height, width) = _resized(sample, self._resize), self._resize.size
        if self._resize.crop and image.height >= height and image.width >= width:
            top, left = round((image.height - height) / 2), round((image.width - width) / 2)
            image = image.crop((left, top, left + width, top + height))
        return self._rest.apply(image)

    def forward(self, batch: Any) -> dict[str, Features]:
        """The taps' outputs for one batch; maps have their channels first."""
        import torch

        module, values = self.module(), {}
        with torch.inference_mode():
            try:
                values["features"] = module.forward_features(self.inputs(batch)["x"])
            except AssertionError as error:  # timm's own check of an input's size
                raise SourceError(
                    f"{self.contract.info['architecture']} does not take these images: {error}",
                    hint="leave size at what the model states",
                ) from error
            if any(contract.tap == "pre_logits" for contract in self.taps.values()):
                values["pre_logits"] = module.forward_head(values["features"], pre_logits=True)
        return {
            name: self._tapped(values[contract.tap], contract)
            for name, contract in self.taps.items()
        }

    def _tapped(self, values: Any, contract: Contract) -> Features:
        import torch

        module, tap = self.module(), contract.tap
        if not isinstance(values, torch.Tensor) or (tap == "pre_logits" and values.ndim != 2):
            raise SourceError(
                f"{self.contract.info['architecture']} gives no single tensor at '{tap}'"
            )
        prefix = getattr(module, "num_prefix_tokens", 0) if values.ndim == 3 else 0
        if contract.pooling == "cls" and not prefix:
            raise SourceError(
                f"{self.contract.info['architecture']} has no class token at '{tap}'",
                hint="#features/mean, or the default #pre_logits",
            )
        if values.ndim == 4 and getattr(module, "output_fmt", "NCHW") == "NHWC":
            values = values.permute(0, 3, 1, 2)
        mask = None
        if prefix and contract.pooling == "mean":
            mask = torch.ones(values.shape[:2], dtype=torch.bool)
            mask[:, :prefix] = False
        return Features(values.float(), mask)


def build(pretrained: Pretrained, path: Path, options: LoadOptions) -> Any:
    """The torch module with the weights of a safetensors file, in the compute dtype.

    The classifier gets as many classes as the file has for it, so that fine-tuned weights load.

    Raises:
        SourceError: the file is damaged or does not fit the architecture: nothing stays random.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    timm = import_timm()
    if not timm.is_model(pretrained.architecture):  # it may also be a name that timm would fetch
        raise SourceError(f"timm {timm.__version__} has no model '{pretrained.architecture}'")
    known = {field.name for field in fields(timm.models.PretrainedCfg)}
    config = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in pretrained.config.items()
        if key in known
    }
    try:
        state = {k.removeprefix("module."): v for k, v in load_file(path).items()}
        module = timm.create_model(
            pretrained.architecture,
            pretrained=False,
            pretrained_cfg=config,
            num_classes=_classes(pretrained, state),
            **{k: v for k, v in pretrained.arguments.items() if k != "num_classes"},
        )
        if getattr(module, _AUXILIARY, None) is None:
            state = {k: v for k, v in state.items() if not k.startswith(f"{_AUXILIARY}.")}
        if state.keys() != module.state_dict().keys():
            # Of a checkpoint that keeps its authors' names; timm knows how to translate those.
            translate = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
            state = state if translate is None else translate(state, module)
        module.load_state_dict(state, strict=True)
    except (SafetensorError, *_UNFIT) as error:
        lines = [line.strip() for line in str(error).strip().splitlines()[:2]]
        raise SourceError(
            f"the weights '{path.name}' cannot be loaded into {pretrained.architecture}: "
            f"{' '.join(lines)[:200] or type(error).__name__}",
            hint="the file may be damaged or belong to another architecture",
        ) from error
    if not (hasattr(module, "forward_features") and hasattr(module, "forward_head")):
        raise SourceError(f"{pretrained.architecture} has no features beside its classifier")
    return module.to(getattr(torch, options.compute_dtype))


def _classes(pretrained: Pretrained, state: dict[str, Any]) -> int:
    name = pretrained.config.get("classifier")
    name = name[0] if isinstance(name, list | tuple) else name
    if name is None:
        return int(pretrained.config.get("num_classes", 1000))
    weight = state.get(f"{name}.weight")
    return 0 if weight is None else int(weight.shape[0])


def _resized(image: Image, spec: ImageSpec) -> Image:
    from PIL import Image as Pillow

    if spec.resize is None:
        return image
    if isinstance(spec.resize, tuple):
        target = (spec.resize[1], spec.resize[0])
    else:
        short, long = sorted(image.size)
        longer = int(spec.resize * long / short)
        target = (spec.resize, longer) if image.width <= image.height else (longer, spec.resize)
    kind = Pillow.Resampling[spec.filter.upper()]
    return image if target == image.size else image.resize(target, kind)
