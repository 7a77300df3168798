"""``onnx:./file.onnx#tensor``: an ONNX file with its preprocessing stated beside it or by flag."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo import settings
from zoo.backbones.pooling import NUMERICS as POOLING_NUMERICS
from zoo.engine import FileDigests
from zoo.errors import SourceError, UsageError
from zoo.plugin import Backbone, Contract, LoadOptions, Provider, Source
from zoo.preprocess import ImageSpec, read_toml
from zoo.preprocess.stated import check_keys
from zoo.providers import taps

BESIDE = "preprocess.toml"


class OnnxProvider(Provider):
    """Backbones in ONNX files."""

    def describe(self, source: Source, options: LoadOptions) -> Contract:
        """The contract as stated; raises SourceError with what is not stated."""
        path = _file(source)
        if options.dtype not in ("auto", "float32"):
            raise UsageError(
                f"--dtype {options.dtype}: an ONNX file computes in its own types",
                hint="leave --dtype at auto",
            )
        stated = _stated(path, options)
        spec = ImageSpec.from_stated(stated, str(source))
        tap, pooling = taps.choose(source.tap, stated, _single_output(path, source, stated))
        return Contract(
            modality="image",
            preprocess=spec.as_dict(),
            model={
                "runtime": "onnx",
                "input": stated.get("input_name", ""),
                "pooling_numerics": POOLING_NUMERICS,
            },
            weights=FileDigests(settings.home()).sha256(path),
            tap=tap,
            pooling=pooling,
            layout="channels_last" if spec.layout == "nhwc" else "channels_first",
            info={"file": path.name},
        )

    def load(self, source: Source, options: LoadOptions) -> Backbone:
        """The graph in an ONNX Runtime session."""
        from zoo.backbones.onnx_graph import OnnxGraph

        path = _file(source)
        stated = _stated(path, options)
        return OnnxGraph(
            path,
            self.describe(source, options),
            options,
            spec=ImageSpec.from_stated(stated, str(source)),
            input_name=str(stated.get("input_name", "")),
            batch=stated.get("batch"),
        )


def _file(source: Source) -> Path:
    path = source.path or Path(source.reference)
    if path.is_dir():
        files = sorted(path.glob("*.onnx"))
        if len(files) == 1:
            return files[0]
        raise SourceError(
            f"'{path}' holds {len(files)} .onnx files",
            hint="name the file: onnx:./folder/file.onnx",
        )
    if not path.is_file():
        raise SourceError(f"there is no file '{path}'", hint="onnx:./path/to/model.onnx")
    return path


def _stated(path: Path, options: LoadOptions) -> dict[str, Any]:
    beside = path.with_name(BESIDE)
    stated = read_toml(beside) if beside.is_file() else {}
    stated = check_keys({**stated, **options.preprocess}, str(beside))
    if stated.get("input", "image") != "image":
        raise SourceError(
            f"'{path.name}' takes {stated['input']}: ONNX models of images are supported so far"
        )
    return stated


def _single_output(path: Path, source: Source, stated: dict[str, Any]) -> tuple[str, str] | None:
    """The graph's output where it has just one and nothing else names a tap."""
    if "tap" in stated or source.tap.partition("/")[0] not in ("", "none", "mean", "cls", "last"):
        return None
    from zoo.backbones.onnx_graph import outputs

    names = outputs(path)
    if len(names) != 1:
        raise SourceError(
            f"'{path.name}' has {len(names)} outputs and none is stated as the tap",
            hint=f"#NAME, one of {', '.join(names)} or any inner tensor",
        )
    return names[0], "none"
