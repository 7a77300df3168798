"""``zoo doctor``: versions, kernels and folders of this installation."""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import click

from zoo.cli import common

_LIBRARIES = (
    "zoo-transfer numpy torch transformers tokenizers safetensors huggingface-hub pillow "
    "soundfile soxr scikit-learn onnxruntime onnxruntime-gpu onnx simplejpeg pyarrow datasets timm "
    "torchvision"
).split()


@click.command("doctor")
@common.output
def command(*, as_json: bool, quiet: bool, debug: bool) -> None:
    """Show versions, kernels, folders and what is amiss with this installation."""
    del debug, quiet
    found = examine()
    if as_json:
        common.print_json(found)
        return
    common.show(f"python    {found['python']} on {found['platform']}, {found['threads']} threads")
    core = ", ".join(f"{key} {value}" for key, value in found["core"].items())
    common.show(f"core      {core}")
    common.show(
        f"home      {found['home']} ({'writable' if found['writable'] else 'READ-ONLY'}, "
        f"{found['free_bytes'] / 1e9:.1f} GB free)"
    )
    for name, version in found["versions"].items():
        common.show(f"  {name:<18}{version}")
    for line in found["problems"]:
        common.show(f"problem   {line}")
    common.show("" if found["problems"] else "no problems found")


def examine() -> dict[str, Any]:
    """Everything that ``zoo doctor`` shows, as plain JSON values; imports no heavy library."""
    from zoo import settings
    from zoo.engine import build_info

    home = settings.home()
    exists = next(path for path in (home, *home.parents) if path.exists())
    writable = exists.is_dir() and os.access(exists, os.W_OK)
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    problems = []
    if not writable:
        problems.append(f"'{home}' cannot be written: set ZOO_HOME to another folder")
    if {"onnxruntime", "onnxruntime-gpu"} <= set(versions):
        problems.append("onnxruntime and onnxruntime-gpu own the same module: uninstall one")
    if find_spec("onnxruntime") is None:
        problems.append("onnx: sources need: pip install 'zoo-transfer[onnx]'")
    return {
        "schema": 1,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": settings.threads(),
        "core": build_info(),
        "home": str(home),
        "writable": writable,
        "free_bytes": shutil.disk_usage(exists).free,
        "versions": versions,
        "problems": problems,
    }
