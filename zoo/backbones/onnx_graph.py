"""Runs an ONNX graph as a frozen backbone; any tensor of the graph can be the tap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.backbones.lengths import by_length
from zoo.engine import build_info
from zoo.errors import SourceError, UsageError
from zoo.plugin import Backbone, Contract, Features, LoadOptions

if TYPE_CHECKING:
    from zoo.preprocess import AudioSpec, ImageSpec


_CHECK = {
    "image": "check size, layout, dtype and batch of the stated preprocessing",
    "audio": "check min_samples, dtype and batch of the stated preprocessing",
}
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class OnnxGraph(Backbone):
    """An ONNX file on images or waveforms, in ONNX Runtime."""

    def __init__(
        self,
        path: Path,
        contract: Contract,
        options: LoadOptions,
        *,
        spec: ImageSpec | AudioSpec,
        facts: GraphFacts,
        input_name: str = "",
        batch: int | None = None,
        more: Sequence[Contract] = (),
    ) -> None:
        self.contract = contract
        self._taps = {contract.tap: contract.tap}  # names of tensors, by what `forward` calls them
        self._taps |= {f"{other.tap}/{other.pooling}": other.tap for other in more}
        self._spec = spec
        inner = sorted(set(self._taps.values()) - set(facts.outputs))
        self._session = _session(path, inner, options)
        self._input = _input(self._session, input_name, path)
        self._batch = batch if batch is not None else _fixed(self._session, self._input)
        self._parameters = facts.parameters

    @property
    def parameters(self) -> int | None:
        """Elements of the graph's initialisers."""
        return self._parameters

    @property
    def max_batch(self) -> int | None:
        """The batch that the graph is fixed to, if any."""
        return self._batch

    @property
    def immutable(self) -> bool:
        """A session's graph and initialisers are as the file had them, for as long as it lives."""
        return True

    def prepare(self, sample: Any) -> np.ndarray:
        """One RGB image or waveform as the graph's input, without the batch axis."""
        return self._spec.apply(sample)

    def cost(self, prepared: Any) -> int:
        """Samples of a waveform; all images cost the same."""
        return len(prepared) if prepared.ndim == 1 else 1

    def collate(self, prepared: list[Any]) -> Any:
        """The prepared images with a batch axis; waveforms, whose lengths differ, as they are."""
        return np.stack(prepared) if self.contract.modality == "image" else prepared

    def forward(self, batch: Any) -> dict[str, Features]:
        """The taps' outputs; waveforms of different lengths run apart and are never padded."""
        if isinstance(batch, list):
            out = by_length(batch, self._run, most=self._batch)
        else:
            out = {tap: Features(values) for tap, values in self._run(batch).items()}
        return {name: out[tap] for name, tap in self._taps.items()}

    def _run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Tensors by name; a batch smaller than a fixed one is padded with its own rows."""
        count = len(batch)
        if self._batch is not None and count < self._batch:
            batch = np.concatenate([batch, np.repeat(batch[-1:], self._batch - count, axis=0)])
        taps = list(dict.fromkeys(self._taps.values()))
        try:
            outputs = self._session.run(taps, {self._input: batch})
        except Exception as error:  # ONNX Runtime's own errors share no public base
            raise SourceError(
                f"'{self.contract.info.get('file', 'the graph')}' failed on a batch of shape "
                f"{batch.shape}: {_first_line(error)}",
                hint=_CHECK[self.contract.modality],
            ) from error
        for tap, values in zip(taps, outputs, strict=True):
            if values.shape[:1] != batch.shape[:1]:
                raise SourceError(
                    f"tap '{tap}' has shape {values.shape} for a batch of {len(batch)}"
                )
        return {
            tap: np.asarray(values[:count], dtype=np.float32)
            for tap, values in zip(taps, outputs, strict=True)
        }


@dataclass(frozen=True)
class GraphFacts:
    """What a provider must know of a graph before it is run.

    Attributes:
        outputs: names of the graph's outputs.
        external: files that hold weights outside the .onnx file, relative to its folder.
        parameters: elements of the initialisers of floating or quantised type.
    """

    outputs: tuple[str, ...]
    external: tuple[str, ...]
    parameters: int

    @classmethod
    def read(cls, path: Path) -> GraphFacts:
        """Parse the file; raises SourceError where it is no ONNX model."""
        import math

        import onnx

        model = _model(path)
        graph = model.graph
        kinds = onnx.TensorProto
        numeric = {
            kinds.FLOAT,
            kinds.FLOAT16,
            kinds.BFLOAT16,
            kinds.DOUBLE,
            kinds.INT8,
            kinds.UINT8,
        }
        tensors = [t for t in graph.initializer if t.data_type in numeric and len(t.dims) > 0]
        external = {
            entry.value
            for tensor in _tensors(model)
            for entry in tensor.external_data
            if entry.key == "location"
        }
        return cls(
            tuple(output.name for output in graph.output),
            tuple(sorted(external)),
            sum(math.prod(tensor.dims) for tensor in tensors),
        )


def graph_taps(path: Path) -> tuple[dict[str, tuple[int, ...]], str]:
    """The shape of one sample at every tensor that a node gives, outputs first; and the licence.

    Axes that the graph leaves open are -1; a shape that cannot be inferred is empty. The licence
    is the model's own ``license`` property, empty where it has none. Weights are not read.

    Raises:
        SourceError: the file is no ONNX model.
    """
    import onnx

    model = _model(path)
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # noqa: BLE001 - onnx's own errors share no public base; shapes are a courtesy
        graph = model.graph
    known = {
        info.name: tuple(
            axis.dim_value if axis.HasField("dim_value") else -1
            for axis in info.type.tensor_type.shape.dim
        )[1:]
        for info in (*graph.value_info, *graph.output)
    }
    outputs = [output.name for output in graph.output]
    inner = [name for node in graph.node for name in node.output if name]
    shapes = {name: known.get(name, ()) for name in (*outputs, *inner)}
    stated = {entry.key.casefold(): entry.value for entry in model.metadata_props}
    return shapes, stated.get("license", "")


def _model(path: Path) -> Any:
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's errors depend on its back end
        raise SourceError(f"'{path}' is not a readable ONNX model") from error
    if not model.graph.node:
        raise SourceError(f"'{path}' is not a readable ONNX model: its graph is empty")
    return model


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor that may lie in another file: those of inner graphs and functions as well."""
    todo: list[Any] = [model.graph, *model.functions]
    while todo:
        graph = todo.pop()
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                todo += [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
                yield from attribute.tensors
                if attribute.HasField("t"):
                    yield attribute.t


def _session(path: Path, inner: Sequence[str], options: LoadOptions) -> Any:
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.log_severity_level = 4
    model: str | bytes = str(path)
    if inner:
        model = _with_outputs(path, inner)
        settings.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(path.parent)
        )
    providers = _execution_providers(options.device, ort.get_available_providers())
    try:
        session = ort.InferenceSession(model, settings, providers=providers)
    except Exception as error:  # ONNX Runtime's own errors share no public base
        raise SourceError(f"'{path}' cannot be run: {_first_line(error)}") from error
    if options.device == "cuda" and session.get_providers()[0] != _CUDA:
        raise UsageError(
            "ONNX Runtime finds no usable CUDA device", hint="--device auto or cpu; see zoo doctor"
        )
    return session


def _execution_providers(device: str, available: list[str]) -> list[str]:
    if device == "mps" or (device == "cuda" and _CUDA not in available):
        raise UsageError(
            f"device '{device}' is not available to ONNX Runtime here", hint="--device auto or cpu"
        )
    wanted = device == "cuda" or (device == "auto" and build_info()["cuda_devices"] > 0)
    return [_CUDA, _CPU] if wanted and _CUDA in available else [_CPU]


def _with_outputs(path: Path, taps: Sequence[str]) -> bytes:
    """The model with inner tensors as outputs too."""
    import onnx

    model = _model(path)
    inner = [name for node in model.graph.node for name in node.output if name]
    for tap in taps:
        if tap in inner:
            model.graph.output.append(onnx.ValueInfoProto(name=tap))
            continue
        import difflib

        close = difflib.get_close_matches(tap, inner, 3)
        raise SourceError(
            f"'{path}' has no tensor '{tap}'",
            hint=f"like it: {', '.join(close)}" if close else f"its last: {', '.join(inner[-3:])}",
        )
    return bytes(model.SerializeToString())


def _input(session: Any, name: str, path: Path) -> str:
    names = [node.name for node in session.get_inputs()]
    if name and name not in names:
        raise SourceError(f"'{path}' has no input '{name}'", hint=f"its inputs: {', '.join(names)}")
    if not name and len(names) != 1:
        raise SourceError(
            f"'{path}' has {len(names)} inputs", hint=f"input_name= one of {', '.join(names)}"
        )
    return name or names[0]


def _fixed(session: Any, name: str) -> int | None:
    shape = next(node.shape for node in session.get_inputs() if node.name == name)
    return shape[0] if shape and isinstance(shape[0], int) else None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
