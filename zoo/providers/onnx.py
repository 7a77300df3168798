"""``onnx:./file.onnx#tensor``: an ONNX file with its preprocessing stated beside it or by flag."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zoo import settings
from zoo.backbones.onnx_graph import GraphFacts, OnnxGraph, graph_taps
from zoo.backbones.pooling import NUMERICS as POOLING_NUMERICS
from zoo.backbones.pooling import width
from zoo.engine import FileDigests
from zoo.errors import SourceError, TrustError, UsageError
from zoo.plugin import Backbone, Contract, Facts, Found, LoadOptions, Provider, Reference, Source
from zoo.preprocess import AudioSpec, ImageSpec, read_beside
from zoo.preprocess.plausible import check_beside
from zoo.preprocess.stated import BESIDE, check_keys
from zoo.providers import nearby, taps

_UNPADDED = {"padding": "none: recordings of one length run together", "mask": "none is needed"}


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
        spec = _spec(stated, source)
        check_beside(spec.as_dict(), options.preprocess, source)
        memo = FileDigests(settings.home())
        facts = _facts(path, memo)
        tap, pooling = _tap(path, source, stated, facts)
        return Contract(
            modality="image" if isinstance(spec, ImageSpec) else "audio",
            preprocess=spec.as_dict(),
            model={
                "runtime": "onnx",
                "input": stated.get("input_name", ""),
                "pooling_numerics": POOLING_NUMERICS,
            },
            weights=_weights_digest(path, facts, memo),
            tap=tap,
            pooling=pooling,
            layout=_layout(spec),
            rules={} if isinstance(spec, ImageSpec) else _UNPADDED,
            info={"file": path.name},
        )

    def load(self, source: Source, options: LoadOptions) -> Backbone:
        """The graph in an ONNX Runtime session."""
        return self.load_taps([source], options)

    def load_taps(self, sources: Sequence[Source], options: LoadOptions) -> Backbone:
        """The same with several tensors as taps."""
        contract, *more = (self.describe(source, options) for source in sources)
        source = sources[0]
        path = _file(source)
        stated = _stated(path, options)
        return OnnxGraph(
            path,
            contract,
            options,
            spec=_spec(stated, source),
            facts=_facts(path, FileDigests(settings.home())),
            input_name=str(stated.get("input_name", "")),
            batch=stated.get("batch"),
            more=more,
        )

    def search(self, query: str, *, offline: bool, limit: int) -> Iterable[Found]:
        """The .onnx files nearby that match."""
        del offline
        matching = (found for found in map(_found, nearby.files("*.onnx")) if found.matches(query))
        return itertools.islice(matching, limit)

    def inspect(self, source: Source, options: LoadOptions) -> Facts:
        """Facts from the graph alone, its weights left aside."""
        path = _file(source)
        contract = self.describe(source, options)
        shapes, licence = graph_taps(path)
        dim = width(shapes.get(contract.tap, ()), pooling=contract.pooling, layout=contract.layout)
        parameters = _facts(path, FileDigests(settings.home())).parameters
        return Facts(dim, parameters, licence, shapes)

    def reference(self, source: Source, options: LoadOptions) -> Reference:
        """Pillow, or soundfile and soxr, and NumPy before a session of ONNX Runtime's own."""
        from zoo.providers.onnx_reference import onnx_reference

        path = _file(source)
        stated = {**options.preprocess, **read_beside(path.parent)}
        return onnx_reference(path, stated, self.describe(source, options))


def _found(path: Path) -> Found:
    stated = "" if path.with_name(BESIDE).is_file() else ", states no preprocessing"
    size = path.stat().st_size / 1e6
    return Found(f"onnx:{nearby.reference(path)}", f"{size:.1f} MB{stated}", local=True)


def _facts(path: Path, memo: FileDigests) -> GraphFacts:
    """Outputs and external files of the graph, parsed once for every state of the file."""

    def compute(file: Path) -> str:
        return json.dumps(asdict(GraphFacts.read(file)))

    told = json.loads(memo.derived(path, "onnx-facts-2", compute))
    return GraphFacts(tuple(told["outputs"]), tuple(told["external"]), told["parameters"])


def _weights_digest(path: Path, facts: GraphFacts, memo: FileDigests) -> str:
    """SHA-256 of the file, or over the digests of it and its external files.

    Raises:
        TrustError: an external file lies outside the model's folder.
        SourceError: an external file is missing.
    """
    digests = [memo.sha256(path)]
    for name in facts.external:
        location = Path(name)
        if location.is_absolute() or ".." in location.parts or _leads_out(path.parent, location):
            raise TrustError(
                f"'{path.name}' keeps weights in '{name}', outside its folder",
                hint="do not use this model",
            )
        if not (path.parent / location).is_file():
            raise SourceError(f"'{path.name}' keeps weights in '{name}', which is missing")
        digests.append(memo.sha256(path.parent / location))
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _leads_out(folder: Path, location: Path) -> bool:
    """Whether a link takes a file out of the model's folder, or of the Hub's cache around it."""
    real, home = (folder / location).resolve(), folder.resolve()
    blobs = home.parent.parent / "blobs" if home.parent.name == "snapshots" else home
    return not (real.is_relative_to(home) or real.is_relative_to(blobs))


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
    stated = {**read_beside(path.parent), **options.preprocess}
    stated = check_keys(stated, str(path.with_name(BESIDE)))
    if stated.get("input") == "text":
        raise SourceError(
            f"'{path.name}' takes text: ONNX models of images and recordings are supported"
        )
    return stated


def _spec(stated: dict[str, Any], source: Source) -> ImageSpec | AudioSpec:
    kind = AudioSpec if stated.get("input") == "audio" else ImageSpec
    return kind.from_stated(stated, str(source))


def _layout(spec: ImageSpec | AudioSpec) -> str:
    nhwc = isinstance(spec, ImageSpec) and spec.layout == "nhwc"
    return "channels_last" if nhwc else "channels_first"


def _tap(path: Path, source: Source, stated: dict[str, Any], facts: GraphFacts) -> tuple[str, str]:
    """Tap and pooling; the graph's output where it has just one and nothing else names a tap."""
    default = (facts.outputs[0], "none") if len(facts.outputs) == 1 else None
    try:
        return taps.choose(source.tap, stated, None if "tap" in stated else default)
    except SourceError as error:
        raise SourceError(
            f"'{path.name}' has {len(facts.outputs)} outputs and none is stated as the tap",
            hint=f"#NAME, one of {', '.join(facts.outputs)} or any inner tensor",
        ) from error
