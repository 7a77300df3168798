"""onnx: files give what ONNX Runtime gives on the stated preprocessing."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zoo.backbones.pooling import pool
from zoo.errors import SourceError, TrustError, UsageError
from zoo.plugin import LoadOptions, Source
from zoo.providers.onnx import OnnxProvider

STATED = {"input": "image", "size": 8, "resize": "exact", "mean": [10.0, 20.0, 30.0], "std": [50.0]}


def pictures(count=5):
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (12, 9, 3), dtype=np.uint8)) for _ in range(count)]


def features(path, tap="", **changes):
    loading = LoadOptions(preprocess={**STATED, "scale": 1.0, **changes})
    backbone = OnnxProvider().load(Source.parse(f"onnx:{path}{tap}"), loading)
    contract = backbone.contract
    prepared = [backbone.prepare(picture) for picture in pictures()]
    size = backbone.max_batch or len(prepared)
    rows = []
    for start in range(0, len(prepared), size):
        out = backbone.forward(backbone.collate(prepared[start : start + size]))
        values, mask = out[contract.tap].numpy()
        rows.append(
            pool(values, mask, pooling=contract.pooling, layout=contract.layout, tap=contract.tap)
        )
    return np.concatenate(rows)


def reference(path, output="embedding", *, bgr=False, nhwc=False, dtype=np.float32):
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rows = []
    for picture in pictures():
        pixels = np.asarray(picture.resize((8, 8), Image.Resampling.BILINEAR)).astype(np.float32)
        pixels = pixels[:, :, ::-1] if bgr else pixels
        pixels = (pixels - np.float32([10, 20, 30])) / np.float32(50)
        batch = (pixels if nhwc else pixels.transpose(2, 0, 1))[None].astype(dtype)
        rows.append(session.run([output], {"input": batch})[0])
    return np.concatenate(rows).astype(np.float32)


@pytest.mark.parametrize("color", ["rgb", "bgr"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_features_equal_onnx_runtime(make_onnx, layout, color):
    path = make_onnx(layout=layout)
    want = reference(path, bgr=color == "bgr", nhwc=layout == "nhwc")
    np.testing.assert_allclose(features(path, layout=layout, color=color), want, rtol=1e-4)


def test_a_float16_input_with_a_fixed_batch_of_one(make_onnx):
    path = make_onnx(dtype="float16", batch=1)
    got = features(path, dtype="float16", batch=1)
    np.testing.assert_allclose(got, reference(path, dtype=np.float16), rtol=1e-4)


def test_a_fixed_batch_is_padded_and_cut(make_onnx):
    path = make_onnx(batch=3)
    free = make_onnx(name="free.onnx")
    np.testing.assert_allclose(features(path), reference(free), rtol=1e-4)


def test_an_inner_tensor_can_be_the_tap(make_onnx):
    path = make_onnx()
    full = make_onnx(name="full.onnx", outputs=("embedding", "maps"))
    want = reference(full, "maps").mean(axis=(2, 3))
    np.testing.assert_allclose(features(path, "#maps/mean"), want, rtol=1e-4)


def test_a_channels_last_inner_tensor_is_pooled_over_space(make_onnx):
    path = make_onnx(layout="nhwc")
    full = make_onnx(layout="nhwc", name="full.onnx", outputs=("embedding", "last"))
    want = reference(full, "last", nhwc=True).mean(axis=(1, 2))
    got = features(path, "#last/mean", layout="nhwc")
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_preprocess_toml_beside_the_file_is_read(make_onnx):
    path = make_onnx()
    path.with_name("preprocess.toml").write_text(
        'size = 8\nresize = "exact"\nscale = 1.0\nmean = [10.0, 20.0, 30.0]\nstd = [50.0]\n'
    )
    contract = OnnxProvider().describe(Source.parse(f"onnx:{path}"), LoadOptions())
    stated = LoadOptions(preprocess={**STATED, "scale": 1.0})
    assert (
        contract.digest() == OnnxProvider().describe(Source.parse(f"onnx:{path}"), stated).digest()
    )


def test_without_stated_preprocessing_it_stops_and_says_what_is_missing(make_onnx):
    with pytest.raises(SourceError, match="size, resize, mean, std"):
        OnnxProvider().describe(Source.parse(f"onnx:{make_onnx()}"), LoadOptions())


def test_several_outputs_and_no_tap_is_an_error_that_lists_them(make_onnx):
    path = make_onnx(outputs=("embedding", "maps"))
    with pytest.raises(SourceError, match="2 outputs") as caught:
        features(path)
    assert "maps" in caught.value.hint


def test_an_unknown_tensor_is_an_error(make_onnx):
    with pytest.raises(SourceError, match="no tensor 'map'") as caught:
        features(make_onnx(), "#map")
    assert "maps" in caught.value.hint


def test_a_wrong_size_is_an_error_with_a_hint(make_onnx):
    with pytest.raises(SourceError, match="failed on a batch") as caught:
        features(make_onnx(layout="nhwc"), layout="nchw")
    assert "layout" in caught.value.hint


def test_a_broken_file_is_an_error(tmp_path):
    path = tmp_path / "broken.onnx"
    for content in (b"", b"not a model at all", b"\x08\x07" * 99):
        path.write_bytes(content)
        with pytest.raises(SourceError, match="not a readable ONNX model"):
            features(path, "#x")


def test_a_missing_file_and_a_forced_dtype_are_errors(make_onnx):
    with pytest.raises(SourceError, match="no file"):
        OnnxProvider().describe(Source.parse("onnx:./nowhere.onnx"), LoadOptions())
    source = Source.parse(f"onnx:{make_onnx()}")
    with pytest.raises(UsageError, match="bfloat16"):
        OnnxProvider().describe(source, LoadOptions(dtype="bfloat16", preprocess=STATED))


def external(path, location="w.bin"):
    """The same model with its kernel in a file of its own."""
    import onnx
    from onnx.external_data_helper import convert_model_to_external_data

    model = onnx.load(path)
    convert_model_to_external_data(model, location=location, size_threshold=0)
    onnx.save(model, path)
    return path.with_name(location)


def test_weights_beside_the_file_enter_the_key(make_onnx):
    path = make_onnx()
    want = reference(path)
    weights = external(path)
    np.testing.assert_allclose(features(path), want, rtol=1e-4)
    np.testing.assert_allclose(features(path, "#pooled/none"), want, rtol=1e-4)
    stated = LoadOptions(preprocess={**STATED, "scale": 1.0})
    source = Source.parse(f"onnx:{path}")
    before = OnnxProvider().describe(source, stated)
    weights.write_bytes(np.flip(np.frombuffer(weights.read_bytes(), np.float32)).tobytes())
    after = OnnxProvider().describe(source, stated)
    assert before.weights != after.weights
    weights.unlink()
    with pytest.raises(SourceError, match="missing"):
        OnnxProvider().describe(source, stated)


def test_weights_outside_the_folder_are_refused(make_onnx, tmp_path):
    import onnx

    path = make_onnx()
    external(path)
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../w.bin"
    path = tmp_path / "deep" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(model.SerializeToString())
    stated = LoadOptions(preprocess={**STATED, "scale": 1.0})
    with pytest.raises(TrustError, match="outside"):
        OnnxProvider().describe(Source.parse(f"onnx:{path}"), stated)


def test_a_link_out_of_the_folder_is_refused_and_one_of_the_hubs_cache_is_not(make_onnx, tmp_path):
    path = make_onnx()
    want = reference(path)
    weights = external(path)
    stated = LoadOptions(preprocess={**STATED, "scale": 1.0})
    snapshot = tmp_path / "models--org--name" / "snapshots" / "0123"
    blobs = tmp_path / "models--org--name" / "blobs"
    for folder in (snapshot, blobs):
        folder.mkdir(parents=True)
    weights.rename(blobs / "w")
    (snapshot / "w.bin").symlink_to(blobs / "w")
    path.rename(blobs / "m")
    (snapshot / "model.onnx").symlink_to(blobs / "m")
    np.testing.assert_allclose(features(snapshot / "model.onnx"), want, rtol=1e-4)
    copy = tmp_path / "copy"
    copy.mkdir()
    (blobs / "m").rename(copy / "model.onnx")
    (copy / "w.bin").symlink_to(blobs / "w")
    with pytest.raises(TrustError, match="outside its folder"):
        OnnxProvider().describe(Source.parse(f"onnx:{copy / 'model.onnx'}"), stated)


def test_weights_of_an_inner_graph_that_lie_outside_are_refused(make_onnx):
    import onnx
    from onnx import TensorProto, helper

    path = make_onnx()
    model = onnx.load(path)
    tensor = TensorProto(name="secret", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret.bin")
    result = helper.make_tensor_value_info("secret", TensorProto.FLOAT, [1])
    branch = helper.make_graph([], "branch", [], [result], [tensor])
    nodes = [
        helper.make_node("If", ["flag"], ["out"], then_branch=branch, else_branch=branch),
        helper.make_node("Constant", [], ["constant"], value=tensor),
    ]
    stated = LoadOptions(preprocess={**STATED, "scale": 1.0})
    for node in nodes:
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        changed.graph.node.append(node)
        path.write_bytes(changed.SerializeToString())
        with pytest.raises(TrustError, match="secret"):
            OnnxProvider().describe(Source.parse(f"onnx:{path}#embedding"), stated)


def test_a_device_that_is_not_there_is_an_error(make_onnx):
    source = Source.parse(f"onnx:{make_onnx()}")
    loading = LoadOptions(device="mps", preprocess={**STATED, "scale": 1.0})
    with pytest.raises(UsageError, match="mps"):
        OnnxProvider().load(source, loading)
