"""Says where torch computes in bfloat16 by instructions of the processor, not by emulation."""

from __future__ import annotations

from typing import Any


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
