"""Runs a torch module as a frozen backbone: evaluation mode, no gradients, taps by name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from zoo.backbones.torch_dtypes import check_grouped_convolutions
from zoo.backbones.torch_taps import LayerTap
from zoo.backbones.torch_twin import twin
from zoo.errors import DataError, SourceError, UsageError
from zoo.plugin import Backbone, Contract, Features, LoadOptions

if TYPE_CHECKING:
    import numpy as np

    from zoo.preprocess import ImageSpec, TextSpec


class TorchTrunk(Backbone):
    """A torch module with its taps; subclasses say what a sample and a batch are.

    A tap is a key of the module's output, the dotted name of a submodule for its output, or
    ``name.input`` for what the submodule is given.
    """

    def __init__(self, module: Any, contract: Contract, options: LoadOptions) -> None:
        import torch

        self.contract = contract
        self._taps = {contract.tap: contract}
        self._device = _device(options.device)
        self._dtype = getattr(torch, options.compute_dtype)
        torch.set_num_threads(options.threads)
        self._module = module.eval().requires_grad_(requires_grad=False).to(self._device)
        self._layers = dict(module.named_modules())
        for part in self._layers.values():  # a model's own eval() or train() may pass over some
            if getattr(part, "training", False):
                part.training = False
        if self._dtype is torch.bfloat16:
            check_grouped_convolutions(module)

    @property
    def parameters(self) -> int:
        """Parameters of the module, buffers not counted."""
        return sum(p.numel() for p in self._module.parameters())

    def module(self) -> Any:
        """The torch module itself."""
        return self._module

    def twin(self) -> Self | None:
        """One that shares the weights; None on a GPU, which one batch fills, or of unknown code."""
        if self._device.type != "cpu":
            return None
        return twin(self, self._module, self._shared())

    def _shared(self) -> tuple[Any, ...]:
        """What twins have in common beside the weights."""
        return tuple(self._taps.values())

    @property
    def taps(self) -> Mapping[str, Contract]:
        """The contract of each tap, by the name under which `forward` gives it."""
        return self._taps

    def also(self, contracts: Sequence[Contract]) -> None:
        """From now on `forward` gives these taps too, each under ``tap/pooling``."""
        self._taps |= {f"{other.tap}/{other.pooling}": other for other in contracts}

    @abstractmethod
    def inputs(self, batch: Any) -> dict[str, Any]:
        """Keyword arguments of the module, as tensors on the device."""

    def mask(self, inputs: Mapping[str, Any]) -> Any:
        """(b, t) mask of the positions that count, or None."""
        del inputs
        return None

    def forward(self, batch: Any) -> dict[str, Features]:
        """The taps' outputs for one batch; raises SourceError where there is no such tap."""
        import torch

        inputs = self.inputs(batch)
        wanted = {contract.tap for contract in self._taps.values()}
        if any(tap.startswith("hidden_states.") for tap in wanted):
            inputs["output_hidden_states"] = True
        layers = {tap: LayerTap(self._layers, tap) for tap in wanted}
        with torch.inference_mode(), ExitStack() as watching:
            for layer in layers.values():
                watching.enter_context(layer.watching())
            output = self._module(**inputs)
        values = {tap: _value(output, tap, layer) for tap, layer in layers.items()}
        mask = self.mask(inputs)
        out = {}
        for name, contract in self._taps.items():
            value = values[contract.tap]
            # A pooled or spatial tap has other axes than the tokens.
            fits = mask is not None and tuple(mask.shape) == tuple(value.shape[:2])
            counted = self.counted(value, mask if fits else None, contract.pooling)
            out[name] = Features(value, counted)
        return out

    def counted(self, value: Any, mask: Any, pooling: str) -> Any:
        """The mask of the positions that a pooling takes, of all that count; or None for all."""
        del value, pooling
        return mask


class ImageTrunk(TorchTrunk):
    """A torch module on images.

    Args:
        module: the module.
        contract: what it promises.
        options: device, dtype and threads.
        spec: how an image is prepared.
        name: of the module's argument for pixels.
        patches: of a vision transformer, how many tokens stand for patches; 0 of others.
        prefix: and how many stand before those, which a mean over the patches leaves out.
        arguments: more keyword arguments of the module.
    """

    def __init__(
        self,
        module: Any,
        contract: Contract,
        options: LoadOptions,
        *,
        spec: ImageSpec,
        name: str,
        patches: int = 0,
        prefix: int = 0,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        import torch

        super().__init__(module, contract, options)
        # Convolutions on CPU and on tensor cores run about twice as fast on channels-last tensors.
        self._format = torch.channels_last
        self._module.to(memory_format=self._format)
        self._spec = spec
        self._name = name
        self._patches = patches
        self._prefix = prefix
        self._arguments = dict(arguments or {})

    def prepare(self, sample: Any) -> np.ndarray:
        """(3, h, w) float32 of one RGB image."""
        return self._spec.apply(sample)

    def collate(self, prepared: list[Any]) -> np.ndarray:
        """(b, 3, h, w) float32."""
        import numpy as np

        return np.stack(prepared)

    def inputs(self, batch: Any) -> dict[str, Any]:
        """The batch as one tensor of the compute dtype."""
        import torch

        tensor = torch.from_numpy(batch).to(self._device, self._dtype)
        return {self._name: tensor.contiguous(memory_format=self._format), **self._arguments}

    def counted(self, value: Any, mask: Any, pooling: str) -> Any:
        """Of tokens a mean takes those of patches alone."""
        import torch

        tokens = self._prefix + self._patches
        if pooling != "mean" or not self._prefix or tuple(value.shape[1:2]) != (tokens,):
            return mask
        if value.ndim != 3:
            return mask
        return (torch.arange(tokens, device=value.device) >= self._prefix).expand(len(value), -1)


class TextTrunk(TorchTrunk):
    """A torch module on token sequences."""

    def __init__(
        self,
        module: Any,
        contract: Contract,
        options: LoadOptions,
        *,
        spec: TextSpec,
        tokenizer: Any,
    ) -> None:
        super().__init__(module, contract, options)
        self._spec = spec
        self._tokenizer = tokenizer
        if tokenizer.pad_token is None:  # decoders have none; the mask hides whatever stands there
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
        if spec.padding == "right":
            tokenizer.padding_side = "right"

    def _shared(self) -> tuple[Any, ...]:
        """The tokenizer too, whose vocabulary may be large."""
        return (*super()._shared(), self._tokenizer)

    @property
    def tokenizer(self) -> Any:
        """The checkpoint's own tokenizer."""
        return self._tokenizer

    def prepare(self, sample: Any) -> Any:
        """Token ids of one text, special tokens included, cut to the contract's length.

        Raises:
            DataError: it has no tokens at all.
        """
        encoded = self._tokenizer(
            self._spec.apply(sample),
            truncation=True,
            max_length=self._spec.max_length,
            return_attention_mask=True if self._spec.padding == "right" else None,
        )
        if not encoded["input_ids"]:
            raise DataError("the text has no tokens")
        return dict(encoded)

    def cost(self, prepared: Any) -> int:
        """Tokens."""
        return len(prepared["input_ids"])

    def collate(self, prepared: list[Any]) -> Any:
        """Token ids and masks, (b, t) each, padded to the longest of the batch or to full size."""
        full = self._spec.padding == "max_length"
        return self._tokenizer.pad(
            prepared,
            padding="max_length" if full else True,
            max_length=self._spec.max_length if full else None,
            return_tensors="pt",
        )

    def inputs(self, batch: Any) -> dict[str, Any]:
        """The tokenizer's tensors on the device."""
        return {key: value.to(self._device) for key, value in batch.items()}

    def mask(self, inputs: Mapping[str, Any]) -> Any:
        """The attention mask: padding does not count."""
        return inputs.get("attention_mask")


def _device(name: str) -> Any:
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(name, False):
        raise UsageError(f"device '{name}' is not available here", hint="--device auto or cpu")
    return torch.device(name)


def named_outputs(output: Any) -> dict[str, Any]:
    """What a module returned, by name; ``output`` where it has none."""
    if isinstance(output, Mapping):
        return dict(output)
    return {"output": output}


def _value(output: Any, tap: str, layer: LayerTap) -> Any:
    """A tap's tensor in float32."""
    import torch

    caught = layer.value(output)
    value = _lookup(output, tap) if caught is None else caught
    value = value[0] if isinstance(value, tuple) else value
    if not isinstance(value, torch.Tensor):
        names = [k for k, v in named_outputs(output).items() if isinstance(v, torch.Tensor)]
        raise SourceError(
            f"the model has no tap '{tap}'",
            hint=f"its outputs: {', '.join(names)}; or a layer by its dotted name; "
            "then /mean, /cls or /last",
        )
    return value.float()


def _lookup(output: Any, tap: str) -> Any:
    """An output by name; ``hidden_states.3`` style indices reach into tuples."""
    name, _, index = tap.partition(".")
    value = named_outputs(output).get(name)
    if index.isdigit() and isinstance(value, tuple) and int(index) < len(value):
        return value[int(index)]
    return None if index else value
