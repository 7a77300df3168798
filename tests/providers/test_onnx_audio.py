"""onnx: files of waveforms give what ONNX Runtime gives on each recording alone."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from zoo.backbones.pooling import pool
from zoo.errors import SourceError
from zoo.plugin import LoadOptions, Source
from zoo.preprocess import Waveform
from zoo.providers.onnx import OnnxProvider

STATED = {"input": "audio", "rate": 16000, "scale": 2.0, "min_samples": 40}
LENGTHS = (64, 20, 100, 64, 41)


@pytest.fixture
def make(tmp_path):
    """Writes an ONNX model of waveforms: one convolution over time, its frames and their mean."""

    def made(*, batch=None, dtype="float32"):
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        kind = TensorProto.FLOAT16 if dtype == "float16" else TensorProto.FLOAT
        kernel = np.random.default_rng(0).standard_normal((4, 1, 8)).astype(dtype)
        nodes = [
            helper.make_node("Unsqueeze", ["waveform", "axis"], ["channel"]),
            helper.make_node("Conv", ["channel", "kernel"], ["maps"], strides=[4]),
            helper.make_node("Transpose", ["maps"], ["frames"], perm=[0, 2, 1]),
            helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["embedding"]),
        ]
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("waveform", kind, [batch or "n", "samples"])],
            [helper.make_tensor_value_info(o, kind, None) for o in ("embedding", "frames")],
            [
                numpy_helper.from_array(kernel, "kernel"),
                numpy_helper.from_array(np.array([1], np.int64), "axis"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        path = tmp_path / "sound.onnx"
        onnx.save(model, path)
        return path

    return made


def waves():
    rng = np.random.default_rng(1)
    return [Waveform(rng.uniform(-1, 1, n).astype(np.float32), 16000) for n in LENGTHS]


def features(path, tap, **changes):
    loading = LoadOptions(preprocess={**STATED, **changes})
    backbone = OnnxProvider().load(Source.parse(f"onnx:{path}{tap}"), loading)
    contract = backbone.contract
    assert contract.modality == "audio"
    out = backbone.forward(backbone.collate([backbone.prepare(wave) for wave in waves()]))
    values, mask = out[contract.tap].numpy()
    return pool(values, mask, pooling=contract.pooling, layout=contract.layout, tap=contract.tap)


def reference(path, output, dtype=np.float32):
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rows = []
    for wave in waves():
        missing = max(0, 40 - len(wave.samples))
        padded = np.pad(wave.samples, (missing // 2, missing - missing // 2))
        batch = (padded * np.float32(2))[None].astype(dtype)
        (value,) = session.run([output], {"waveform": batch})
        rows.append(value[0] if value.ndim == 2 else value[0].mean(axis=0))
    return np.stack(rows).astype(np.float32)


@pytest.mark.parametrize("batch", [None, 1, 2])
def test_recordings_of_any_length_are_never_padded_together(make, batch):
    free = make()
    pooled, frames = reference(free, "embedding"), reference(free, "frames")
    path = make(batch=batch)
    np.testing.assert_allclose(features(path, "#embedding"), pooled, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(features(path, "#frames/mean"), frames, rtol=1e-4, atol=1e-6)


def test_a_float16_input(make):
    path = make(dtype="float16", batch=1)
    want = reference(path, "embedding", np.float16)
    np.testing.assert_allclose(features(path, "#embedding", dtype="float16"), want, rtol=1e-3)


def test_a_recording_too_short_for_the_graph_says_what_to_state(make):
    loading = LoadOptions(preprocess={"input": "audio", "rate": 16000})
    backbone = OnnxProvider().load(Source.parse(f"onnx:{make()}#embedding"), loading)
    with pytest.raises(SourceError, match="failed on a batch") as caught:
        backbone.forward([np.zeros(3, np.float32)])
    assert "min_samples" in caught.value.hint


def test_rate_must_be_stated_and_texts_are_not_supported(make):
    source = Source.parse(f"onnx:{make()}#embedding")
    with pytest.raises(SourceError, match="not stated: rate"):
        OnnxProvider().describe(source, LoadOptions(preprocess={"input": "audio"}))
    with pytest.raises(SourceError, match="takes text"):
        OnnxProvider().describe(source, LoadOptions(preprocess={"input": "text"}))


def test_every_key_of_the_preprocessing_enters_the_contract(make):
    source = Source.parse(f"onnx:{make()}#embedding")
    changes = [{}, {"rate": 8000}, {"scale": 1.0}, {"min_samples": 0}, {"pad": "end"}]
    digests = {
        OnnxProvider().describe(source, LoadOptions(preprocess={**STATED, **change})).digest()
        for change in changes
    }
    assert len(digests) == len(changes)


def test_a_folder_of_recordings_end_to_end(make, zoo, tmp_path):
    make()
    toml = 'input = "audio"\nrate = 16000\nmin_samples = 40\ntap = "frames"\npool = "mean"\n'
    (tmp_path / "preprocess.toml").write_text(toml)
    rng = np.random.default_rng(2)
    forms = ("wav", "flac", "ogg", "mp3")
    for number in range(24):
        label, level = ("loud", 0.5) if number % 2 else ("quiet", 0.02)
        folder = tmp_path / "sounds" / label
        folder.mkdir(parents=True, exist_ok=True)
        sound = np.abs(rng.uniform(0, level, (4000 + 100 * number, 1 + number % 2)))
        rate = (8000, 16000, 44100)[number % 3]
        soundfile.write(folder / f"{number}.{forms[number // 2 % 4]}", sound, rate)
    run = ("transfer", "--model", "onnx:./sound.onnx", "--data", "sounds", "--json")
    first = zoo(*run).json
    assert first["features"] == {**first["features"], "rows": 24, "dim": 4, "forwards": 24}
    assert first["evaluation"]["metrics"]["accuracy"]["value"] == 1.0
    assert zoo(*run).json["features"]["forwards"] == 0
    told = zoo("predict", first["run"], "sounds/loud/3.flac", "--json").json
    assert [p["label"] for p in told["predictions"]] == ["loud"]
    (tmp_path / "sounds" / "loud" / "empty.wav").write_bytes(b"")
    third = zoo(*run).json
    assert [bad["item"] for bad in third["data"]["bad"]] == ["loud/empty.wav"]


def test_arrays_in_memory_are_at_the_models_rate(make, tmp_path):
    import zoo

    sounds = [wave.samples for wave in waves()]
    stated = {**STATED, "tap": "embedding"}
    got = zoo.extract(f"onnx:{make()}", sounds, preprocess=stated).extracted
    for number, sound in enumerate(sounds):
        soundfile.write(tmp_path / f"{number}.wav", sound, 16000, subtype="FLOAT")
    files = [tmp_path / f"{number}.wav" for number in range(len(sounds))]
    same = zoo.extract(f"onnx:{tmp_path}/sound.onnx", files, preprocess=stated).extracted
    np.testing.assert_allclose(got.features, same.features, rtol=1e-6)
