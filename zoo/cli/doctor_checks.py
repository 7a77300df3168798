"""What ``zoo doctor`` looks at: versions, imports that fail, kernels, folders, the Hub's state."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_LIBRARIES = (
    "zoo-transfer numpy torch transformers tokenizers safetensors huggingface-hub pillow "
    "scikit-learn soundfile soxr onnxruntime onnxruntime-gpu onnx simplejpeg pyarrow timm "
    "torchvision torchaudio"
).split()
# Older ones have known faults that let a model's file run code or corrupt memory.
SAFE_FROM = {"torch": (2, 10), "transformers": (5, 5), "onnx": (1, 21)}
_LEAST_FREE = 1_000_000_000  # bytes: less than features of a middling data set
_PATIENCE = 120.0  # seconds for the imports
_DRIVER = Path("/proc/driver/nvidia/version")
# In a process of its own: torch takes seconds to import, and a broken library may end it.
_PROBE = """
import importlib.util, json
out = {}
for name in ("torch", "torchvision", "torchaudio"):
    if importlib.util.find_spec(name) is None:
        continue
    try:
        importlib.import_module(name)
        out[name] = ""
    except BaseException as error:
        out[name] = f"{type(error).__name__}: {error}".splitlines()[0]
if out.get("torch") == "":
    import torch
    out["cuda"] = torch.version.cuda
    out["devices"] = torch.cuda.device_count() if torch.cuda.is_available() else 0
print(json.dumps(out))
"""

Finding = dict[str, str]


def examine() -> dict[str, Any]:
    """Everything that ``zoo doctor`` shows, as plain JSON values; never a token's value."""
    from zoo import settings
    from zoo.engine import build_info

    found: dict[str, Any] = {
        "schema": 1,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": settings.threads(),
        "core": build_info(),
        **_home(settings.home()),
        "hub": _hub(),
        "versions": _versions(),
    }
    imports = _imports()
    found["torch"] = {
        "version": found["versions"].get("torch") if imports.get("torch") == "" else None,
        "cuda": imports.get("cuda"),
        "cuda_devices": imports.get("devices", 0),
    }
    findings = [
        {"problem": problem, "do": remedy}
        for check in (_amiss_home, _amiss_versions, _amiss_devices, _amiss_plugins)
        for problem, remedy in check(found)
    ]
    findings += [{"problem": p, "do": remedy} for p, remedy in _amiss_imports(found, imports)]
    found["findings"] = findings
    found["problems"] = [f"{finding['problem']}: {finding['do']}" for finding in findings]
    return found


def _home(home: Path) -> dict[str, Any]:
    exists = next(path for path in (home, *home.parents) if path.exists())
    used = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    return {
        "home": str(home),
        "writable": _writable(exists),
        "free_bytes": shutil.disk_usage(exists).free,
        "used_bytes": used,
    }


def _writable(folder: Path) -> bool:
    """Whether a file can be made there: permissions alone do not say so of every file system."""
    if not folder.is_dir():
        return False
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _hub() -> dict[str, Any]:
    import huggingface_hub
    from huggingface_hub import constants

    from zoo import settings

    return {
        "token": bool(huggingface_hub.get_token()),
        "offline": settings.offline(),
        "cache": str(constants.HF_HUB_CACHE),
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _imports() -> dict[str, Any]:
    """By library an empty string or why it does not import; the CUDA version and devices."""
    try:
        done = subprocess.run(  # noqa: S603 - this very interpreter
            [sys.executable, "-c", _PROBE],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired):
        return {"torch": f"no answer within {_PATIENCE:.0f} seconds"}
    except (ValueError, IndexError):
        return {"torch": f"importing it ends the process (exit code {done.returncode})"}
    return told


def _amiss_home(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not found["writable"]:
        yield f"'{found['home']}' cannot be written", "set ZOO_HOME to a folder that can"
    elif found["free_bytes"] < _LEAST_FREE:
        free = found["free_bytes"] / 1e6
        yield (
            f"the disk of '{found['home']}' has {free:.0f} MB left",
            "zoo cache prune --max-size 1GB, or set ZOO_HOME to another disk",
        )


def _amiss_versions(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    versions = found["versions"]
    for name, least in SAFE_FROM.items():
        have = versions.get(name)
        if have is not None and _numbers(have) < least:
            wanted = ".".join(map(str, least))
            yield (
                f"{name} {have} has known security faults",
                f"pip install '{name}>={wanted}'",
            )
    if {"onnxruntime", "onnxruntime-gpu"} <= set(versions):
        yield (
            "onnxruntime and onnxruntime-gpu own the same module",
            "pip uninstall onnxruntime onnxruntime-gpu, then install one of them",
        )
    if find_spec("onnxruntime") is None:
        yield "onnx: sources cannot be used", "pip install 'zoo-transfer[onnx]'"


def _amiss_devices(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not _DRIVER.exists() or os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"}:
        return
    torch = found["torch"]
    if torch["version"] and not torch["cuda"]:
        yield (
            f"there is an NVIDIA driver, and torch {torch['version']} is built for the CPU",
            "install torch from PyPI, which is built for CUDA, to use the GPU",
        )
    elif torch["cuda"] and not torch["cuda_devices"]:
        yield (
            f"there is an NVIDIA driver, and torch (CUDA {torch['cuda']}) sees no device",
            "update the driver, or look at nvidia-smi",
        )


def _amiss_plugins(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    del found
    from zoo.registry import Registry

    for plugin in Registry(warn=lambda _: None).plugins():
        if plugin.state in {"failed", "incompatible"}:
            yield (
                f"plugin '{plugin.name}' is {plugin.state}: {plugin.reason}",
                f"remove it, or leave it out: ZOO_DISABLE_PLUGINS={plugin.name}",
            )


def _amiss_imports(found: dict[str, Any], imports: dict[str, Any]) -> Iterator[tuple[str, str]]:
    versions = found["versions"]
    for name in ("torch", "torchvision", "torchaudio"):
        why = imports.get(name, "")
        if not why:
            continue
        if name == "torch":
            yield f"torch does not import: {why}", "pip install --force-reinstall torch"
            continue
        # PyPI's torchvision is built for CUDA: beside a CPU build of torch its operators lack.
        pair = f"{name} {versions.get(name, '')} does not import beside torch"
        index = "https://download.pytorch.org/whl/cpu"
        yield (
            f"{pair} {versions.get('torch', '')}: {why}",
            f"pip uninstall {name} (zoo needs none), or take both from one index, as {index}",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3])
