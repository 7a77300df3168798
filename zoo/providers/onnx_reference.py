"""The plain way through an ONNX file: Pillow or soundfile and soxr, NumPy, one session."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.providers.plain import PlainReference

if TYPE_CHECKING:
    from zoo.plugin import Contract


def onnx_reference(path: Path, stated: Mapping[str, Any], contract: Contract) -> PlainReference:
    """A reference around a session on the CPU; an inner tensor is made an output of the graph."""
    import onnx
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    model = onnx.load(str(path), load_external_data=False)
    graph: str | bytes = str(path)
    if contract.tap not in [output.name for output in model.graph.output]:
        model.graph.output.append(onnx.ValueInfoProto(name=contract.tap))
        graph = model.SerializeToString()
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(path.parent)
        )
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    inputs = {node.name: node.shape for node in session.get_inputs()}
    name = str(stated.get("input_name") or next(iter(inputs)))
    fixed = inputs[name][0] if inputs[name] and isinstance(inputs[name][0], int) else 1

    def run(batch: np.ndarray) -> np.ndarray:
        (values,) = session.run([contract.tap], {name: np.repeat(batch, fixed, axis=0)})
        return np.asarray(values[:1], np.float32)

    before = "soundfile, soxr" if contract.modality == "audio" else "Pillow"
    title = f"{before}, NumPy and onnxruntime {ort.__version__}"
    return PlainReference(title, stated, run, contract)
