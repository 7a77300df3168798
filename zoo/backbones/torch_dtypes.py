"""Says where torch computes in bfloat16 by the processor's instructions, and where wrongly."""

from __future__ import annotations

from typing import Any

from zoo.errors import SourceError

_EXTRA = 8  # positions beyond the kernel's own: the least input that some kernels are wrong on
_WRONG = 0.25  # of the greatest output; rounding to 8 bits costs about 0.01


def computes_bfloat16(module: Any) -> bool:
    """Whether the device that holds a module's parameters multiplies bfloat16 numbers itself.

    On x86-64 by AVX512-BF16 or AMX; on CUDA from compute capability 8.0 on.
    """
    import torch

    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # Private names: a torch without them is taken for a processor without them.
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    known = [getattr(torch.cpu, name, None) for name in asked]
    return any(bool(ask()) for ask in known if ask is not None)


def check_grouped_convolutions(module: Any) -> None:
    """Refuse a module in bfloat16 whose grouped convolutions this processor computes wrongly.

    oneDNN's kernels for AMX (torch 2.13) are off by as much as their outputs are where a
    convolution in one dimension has 8 channels a group or fewer; nothing else says so. Each grouped
    layer's weights meet a little noise, in float32 too.

    Raises:
        SourceError: a layer's outputs differ by more than a quarter of the greatest.
    """
    import torch
    from torch.nn import functional

    kinds = {
        torch.nn.Conv1d: functional.conv1d,
        torch.nn.Conv2d: functional.conv2d,
        torch.nn.Conv3d: functional.conv3d,
    }
    noise = torch.Generator().manual_seed(0)
    for name, layer in module.named_modules():
        run = next((run for kind, run in kinds.items() if isinstance(layer, kind)), None)
        if run is None or layer.groups == 1:
            continue
        own = next(layer.parameters(), layer.weight)  # what it is normalised from stands for it
        if own.device.type != "cpu" or own.dtype != torch.bfloat16:
            continue
        spans = zip(layer.kernel_size, layer.dilation, strict=True)
        shape = [(kernel - 1) * dilation + 1 + _EXTRA for kernel, dilation in spans]
        x = torch.randn((1, layer.in_channels, *shape), generator=noise).bfloat16()
        named = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups}
        with torch.no_grad():
            weight = layer.weight.bfloat16()
            rough = run(x, weight, **named).float()
            exact = run(x.float(), weight.float(), **named)
        apart = float((rough - exact).abs().max() / exact.abs().max().clamp_min(1e-30))
        if not apart <= _WRONG:
            raise SourceError(
                f"torch computes '{name}', a convolution of {layer.groups} groups, wrongly in "
                f"bfloat16 on this processor: off by {apart:.1f} times its greatest output",
                hint="--dtype float32",
            )
