"""transformers' own way from samples to rows: its processors, its models, one sample at a time."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.plugin import Contract, Reference
from zoo.providers.plain import opened_image, opened_sound, pooled, stated_pixels, tapped

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from zoo.providers.hf_patches import Patches

_LOCAL = {"local_files_only": True, "trust_remote_code": False}
_PROJECTIONS = {"vision": "visual_projection", "text": "text_projection"}


class _Model(Reference):
    """AutoModel behind some preparation.

    Args:
        folder: the checkpoint's files.
        config: its configuration, as transformers takes it and without what could name code.
        contract: whose modality, tap and pooling are taken.
        tower: ``vision`` or ``text`` of a model of several; else empty.
        patches: of a vision transformer.
        told: what sentence_bert_config.json says, or nothing.
        given: keys of preprocess.toml that the user states; those that no checkpoint does are
            followed.
    """

    def __init__(
        self,
        folder: Path,
        config: Any,
        contract: Contract,
        *,
        tower: str,
        patches: Patches | None,
        told: Mapping[str, Any],
        given: Mapping[str, Any],
    ) -> None:
        import torch
        import transformers

        self._contract, self._told, self._given = contract, told, given
        self._patches = patches
        if config.model_type == "vit_mae":
            config.mask_ratio = 0.0  # what it hides of an image while it learns, it hides by lot
        model = transformers.AutoModel.from_pretrained(
            folder, config=config, dtype=torch.float32, use_safetensors=True, **_LOCAL
        ).eval()
        self._projection: Any = None
        self._module: Any = model
        if tower:
            self._module = getattr(model, f"{tower}_model")
            self._projection = getattr(model, _PROJECTIONS[tower], None)
        elif model.config.is_encoder_decoder:
            self._module = model.get_encoder()
        prepared = self._prepares(folder)
        self.name = f"transformers {transformers.__version__}: {prepared}, {type(model).__name__}"

    @abstractmethod
    def _prepares(self, folder: Path) -> str:
        """Make what prepares samples; returns its name."""

    @abstractmethod
    def _inputs(self, sample: Any) -> tuple[dict[str, Any], Any]:
        """The module's inputs, and how many of its positions count: a number, None for all."""

    def row(self, sample: Any) -> np.ndarray:
        """(d,) float32 of an image, a text or a recording."""
        inputs, count = self._inputs(sample)
        if self._patches is not None:
            inputs |= self._patches.arguments()
        if self._contract.tap == "embeds" and self._projection is not None:
            values = self._projection(tapped(self._module, "pooler_output", inputs))
        else:
            values = tapped(self._module, self._contract.tap, inputs)
        if callable(count):
            count = count(values)
        if self._patches is not None and self._contract.pooling == "mean" and values.ndim == 3:
            values = values[:, self._patches.prefix :]
        return pooled(values.detach().numpy(), self._contract, count)


class StatedImages(_Model):
    """AutoModel behind Pillow and NumPy: of a checkpoint that does not say how images are made."""

    def _prepares(self, folder: Path) -> str:
        del folder
        return "Pillow and NumPy as stated"

    def _inputs(self, sample: Any) -> tuple[dict[str, Any], None]:
        import torch

        pixels = stated_pixels(sample, self._given)
        return {"pixel_values": torch.from_numpy(pixels[None])}, None


class HuggingFaceReference(_Model):
    """AutoModel behind the checkpoint's own processor."""

    def _prepares(self, folder: Path) -> str:
        import transformers

        kind = {
            "image": transformers.AutoImageProcessor,
            "text": transformers.AutoTokenizer,
            "audio": transformers.AutoFeatureExtractor,
        }[self._contract.modality]
        backend = {"backend": "pil"} if self._contract.modality == "image" else {}
        self._processor = kind.from_pretrained(folder, **_LOCAL, **backend)
        return type(self._processor).__name__

    def _inputs(self, sample: Any) -> tuple[dict[str, Any], Any]:
        if self._contract.modality == "text":
            return self._text(sample)
        return self._audio(sample) if self._contract.modality == "audio" else self._image(sample)

    def _image(self, sample: Any) -> tuple[dict[str, Any], None]:
        out = self._processor(opened_image(sample), return_tensors="pt")
        return {"pixel_values": out["pixel_values"]}, None

    def _text(self, sample: str) -> tuple[dict[str, Any], int | None]:
        text = sample.lower() if self._told.get("do_lower_case") else sample
        full = self._contract.preprocess.get("padding") == "max_length"
        out = self._processor(
            str(self._given.get("prefix", "")) + text,
            truncation=True,
            max_length=self._length(),
            padding="max_length" if full else False,
            return_tensors="pt",
        )
        mask = out.get("attention_mask")
        return dict(out), int(mask.sum()) if full and mask is not None else None

    def _length(self) -> int:
        """Tokens of a text: as Sentence Transformers or the tokenizer says, and the model takes.

        Tokenizers that take any length say so by a number beyond all memory.
        """
        stated = [
            self._told.get("max_seq_length", self._processor.model_max_length),
            getattr(self._module.config, "max_position_embeddings", None),
        ]
        lengths = [length for length in stated if length and length < 1e6]
        return int(min(lengths or [self._given["max_length"]]))

    def _audio(self, sample: Any) -> tuple[dict[str, Any], Any]:
        import numpy as np

        rate = self._processor.sampling_rate
        samples = opened_sound(sample, rate)
        missing = max(0, self._given.get("min_samples", 0) - len(samples))
        before = missing // 2 if self._given.get("pad", "center") == "center" else 0
        samples = np.pad(samples, (before, missing - before))
        out = self._processor(samples, sampling_rate=rate, return_tensors="pt")
        name = self._processor.model_input_names[0]
        hop = getattr(self._processor, "hop_length", 0)
        if not hop:
            return {name: out[name]}, None

        def with_sound(values: Any) -> int | None:
            """How many of a fixed number of frames begin in sound."""
            if values.ndim != 3:
                return None
            frames = int(values.shape[1])
            step = out[name].shape[-1] // frames
            return min(frames, math.ceil(len(samples) / int(hop * step)))

        return {name: out[name]}, with_sound
