"""Runs an ONNX graph as a frozen backbone; any tensor of the graph can be the tap."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import SourceError
from zoo.plugin import Backbone, Contract, Features, LoadOptions

if TYPE_CHECKING:
    from zoo.preprocess import ImageSpec


class OnnxGraph(Backbone):
    """An ONNX file on images, in ONNX Runtime."""

    def __init__(
        self,
        path: Path,
        contract: Contract,
        options: LoadOptions,
        *,
        spec: ImageSpec,
        input_name: str = "",
        batch: int | None = None,
    ) -> None:
        self.contract = contract
        self._spec = spec
        self._session = _session(path, contract.tap, options)
        self._input = _input(self._session, input_name, path)
        self._batch = batch if batch is not None else _fixed(self._session, self._input)
        self._parameters = _count_parameters(path)

    @property
    def parameters(self) -> int | None:
        """Elements of the graph's initialisers of floating or quantised type."""
        return self._parameters

    @property
    def max_batch(self) -> int | None:
        """The batch that the graph is fixed to, if any."""
        return self._batch

    def prepare(self, sample: Any) -> np.ndarray:
        """One RGB image as the graph's input, without the batch axis."""
        return self._spec.apply(sample)

    def collate(self, prepared: list[Any]) -> np.ndarray:
        """The prepared images with a batch axis."""
        return np.stack(prepared)

    def forward(self, batch: Any) -> dict[str, Features]:
        """The tap's output; a last batch smaller than a fixed one is padded with its own rows."""
        count = len(batch)
        if self._batch is not None and count < self._batch:
            batch = np.concatenate([batch, np.repeat(batch[-1:], self._batch - count, axis=0)])
        tap = self.contract.tap
        try:
            (values,) = self._session.run([tap], {self._input: batch})
        except Exception as error:  # ONNX Runtime's own errors share no public base
            raise SourceError(
                f"'{self.contract.info.get('file', 'the graph')}' failed on a batch of shape "
                f"{batch.shape}: {_first_line(error)}",
                hint="check size, layout, dtype and batch of the stated preprocessing",
            ) from error
        if len(values) != len(batch):
            raise SourceError(f"tap '{tap}' has shape {values.shape} for a batch of {len(batch)}")
        return {tap: Features(np.asarray(values[:count], dtype=np.float32))}


def outputs(path: Path) -> list[str]:
    """Names of a graph's outputs; raises SourceError where the file is no ONNX model."""
    return [output.name for output in _model(path).graph.output]


def _model(path: Path) -> Any:
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's errors depend on its back end
        raise SourceError(f"'{path}' is not a readable ONNX model") from error
    if not model.graph.node:
        raise SourceError(f"'{path}' is not a readable ONNX model: its graph is empty")
    return model


def _session(path: Path, tap: str, options: LoadOptions) -> Any:
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.log_severity_level = 4
    providers = ["CPUExecutionProvider"]
    if options.device == "cuda":
        providers.insert(0, "CUDAExecutionProvider")
    model: str | bytes = str(path)
    if tap not in outputs(path):
        model = _with_output(path, tap)
        settings.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(path.parent)
        )
    try:
        return ort.InferenceSession(model, settings, providers=providers)
    except Exception as error:  # ONNX Runtime's own errors share no public base
        raise SourceError(f"'{path}' cannot be run: {_first_line(error)}") from error


def _with_output(path: Path, tap: str) -> bytes:
    """The model with an inner tensor as one more output."""
    import onnx

    model = _model(path)
    inner = [name for node in model.graph.node for name in node.output if name]
    if tap not in inner:
        import difflib

        close = difflib.get_close_matches(tap, inner, 3)
        raise SourceError(
            f"'{path}' has no tensor '{tap}'",
            hint=f"like it: {', '.join(close)}" if close else f"its last: {', '.join(inner[-3:])}",
        )
    model.graph.output.append(onnx.ValueInfoProto(name=tap))
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


def _count_parameters(path: Path) -> int:
    import math

    import onnx

    numeric = {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.BFLOAT16,
        onnx.TensorProto.DOUBLE,
        onnx.TensorProto.INT8,
        onnx.TensorProto.UINT8,
    }
    tensors = _model(path).graph.initializer
    return sum(math.prod(t.dims) for t in tensors if t.data_type in numeric and len(t.dims) > 0)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
