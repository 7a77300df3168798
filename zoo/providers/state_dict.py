"""Weights from a file of named tensors: safetensors, or a pickle that may hold nothing else."""

from __future__ import annotations

import hashlib
import pickle
import pickletools
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import SourceError, TrustError

if TYPE_CHECKING:
    import torch

_PICKLES = (".pt", ".pth", ".th", ".bin", ".ckpt", ".tar")
_ENVELOPES = ("state_dict", "model_state_dict", "model")
_PREFIX = "module."  # of DataParallel
_SHOWN = 3


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Named tensors of a file, on the CPU; an envelope and ``module.`` prefixes are unwrapped.

    Raises:
        SourceError: the file is missing, damaged, of another format, or holds other things.
        TrustError: it is a pickle that would call more than what makes tensors.
    """
    if not path.is_file():
        raise SourceError(f"there is no weights file '{path}'")
    if path.suffix == ".safetensors":
        content = _safetensors(path)
    elif path.suffix in _PICKLES:
        content = _pickle(path)
    else:
        raise SourceError(
            f"weights file '{path}' is of no known format",
            hint=f".safetensors, or a state dict in {', '.join(_PICKLES)}",
        )
    return _unwrapped(content, path)


def fit_weights(module: Any, tensors: Mapping[str, torch.Tensor], name: str) -> None:
    """Put tensors into a torch module; every one has its place, and no place stays empty.

    Raises:
        SourceError: names or shapes differ.
    """
    try:
        result = module.load_state_dict(tensors, strict=False)
    except (RuntimeError, TypeError) as error:  # shapes
        lines = str(error).strip().splitlines()
        raise SourceError(
            f"the weights of '{name}' do not fit: {lines[-1].strip() if lines else error}",
            hint="they are of another architecture",
        ) from error
    missing, unexpected = sorted(result.missing_keys), sorted(result.unexpected_keys)
    wrong = [f"{len(missing)} missing ({_some(missing)})"] if missing else []
    wrong += [f"{len(unexpected)} unexpected ({_some(unexpected)})"] if unexpected else []
    if wrong:
        raise SourceError(
            f"the weights of '{name}' do not fit: {', '.join(wrong)}",
            hint="features would be partly random; name the weights of this very architecture",
        )


def digest(module: Any) -> str:
    """SHA-256 in hex of a module's parameters and buffers: names, dtypes, shapes and values."""
    import torch

    sha = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        value = tensor.detach().cpu().contiguous()
        sha.update(f"{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        sha.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def _safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise SourceError(f"weights file '{path}' cannot be read: {error}") from error


def _pickle(path: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):  # about pickles that it then refuses
            # Said explicitly: what is not said, TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD decides.
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if called := _called(path):
            raise TrustError(
                f"weights file '{path}' is a pickle that would call {called[0]}",
                hint="zoo reads tensors alone; ask for a state dict, or better for .safetensors",
            ) from error
        raise _unreadable(path, error) from error
    except Exception as error:  # a damaged pickle makes torch stumble over anything
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SourceError:
    lines = str(error).strip().splitlines()
    return SourceError(
        f"weights file '{path}' cannot be read: {lines[0] if lines else type(error).__name__}",
        hint="it may be damaged, or no state dict; fetch it again",
    )


def _called(path: Path) -> list[str]:
    """What a refused pickle would import, without running it; empty where it can't be told."""
    import torch

    try:
        found = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # noqa: BLE001 - no zip archive, or a damaged one
        found = _globals(path)
    return sorted(str(name) for name in found)


def _globals(path: Path) -> set[str]:
    """Globals named by the pickles of a file of torch's older format, one after the other."""
    found: set[str] = set()
    strings: list[str] = []
    try:
        with path.open("rb") as file:
            while file.peek(1):
                for code, argument, _ in pickletools.genops(file):
                    if isinstance(argument, str):
                        strings.append(argument)
                    if code.name == "GLOBAL":
                        found.add(str(argument).replace(" ", "."))
                    elif code.name == "STACK_GLOBAL":
                        found.add(".".join(strings[-2:]))
    except (ValueError, OSError, EOFError):  # the values themselves, which follow the pickles
        pass
    return {name for name in found if not name.startswith(("torch.", "collections."))}


def _unwrapped(content: Any, path: Path) -> dict[str, torch.Tensor]:
    import torch

    for name in _ENVELOPES:
        inner = content.get(name) if isinstance(content, Mapping) else None
        if isinstance(inner, Mapping):
            content = inner
            break
    tensors = dict(content) if isinstance(content, Mapping) else {}
    strange = [name for name, value in tensors.items() if not isinstance(value, torch.Tensor)]
    if not tensors or strange:
        kind = f"'{strange[0]}' is no tensor" if strange else f"a {type(content).__name__}"
        raise SourceError(
            f"weights file '{path}' holds no state dict: {kind}",
            hint="named tensors are wanted, alone or under 'state_dict'",
        )
    if all(str(name).startswith(_PREFIX) for name in tensors):
        tensors = {name.removeprefix(_PREFIX): value for name, value in tensors.items()}
    return tensors


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
