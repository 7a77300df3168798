"""``--features tokens``: a row for every token, patch and frame that counts, of each sample."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from zoo import settings
from zoo.engine import FeatureStore, Ragged
from zoo.errors import SourceError, UsageError
from zoo.registry import Registry
from zoo.runs import RunOptions, run_extract, run_transfer

LAYER = "last_hidden_state"


@pytest.fixture
def registry():
    return Registry(pytest.fail)


@pytest.fixture
def tokens_of(registry):
    """Extracts tokens; gives the whole result."""

    def run(folder, data, tap="", export_to=None, **options):
        chosen = RunOptions(features="tokens", batch_size=7, **options)
        return run_extract(registry, f"hf:{folder}{tap}", data, options=chosen, export_to=export_to)

    return run


def assert_rows(got, want):
    assert isinstance(got, Ragged)
    assert [len(row) for row in got] == [len(row) for row in want]
    for row, other in zip(got, want, strict=True):
        np.testing.assert_allclose(row, other, rtol=1e-4, atol=1e-6)


def test_tokens_of_texts_are_those_of_each_text_alone(tokens_of, tiny_bert, reviews):
    import csv

    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    model = AutoModel.from_pretrained(tiny_bert, dtype=torch.float32).eval()
    texts = [row["text"] for row in csv.DictReader(reviews.read_text().splitlines())]
    with torch.no_grad():
        want = [
            model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()
            for text in texts
        ]
    assert len({len(row) for row in want}) > 3
    result = tokens_of(tiny_bert, reviews)
    assert_rows(result.tokens(), want)
    assert result.features.shape == (30, 0)
    assert (result.summary["features"]["dim"], result.summary["model"]["dim"]) == (16, 16)


def test_patches_of_images_leave_the_class_token_out(tokens_of, tiny_vit, photos):
    import torch
    from transformers import AutoImageProcessor, AutoModel

    result = tokens_of(tiny_vit, photos)
    images = [Image.open(item.value) for item in result.extracted.dataset.items]
    processor = AutoImageProcessor.from_pretrained(tiny_vit, backend="pil")
    model = AutoModel.from_pretrained(tiny_vit, dtype=torch.float32).eval()
    with torch.no_grad():
        hidden = model(**processor(images, return_tensors="pt")).last_hidden_state
    assert_rows(result.tokens(), hidden[:, 1:].numpy())
    assert result.tokens().values.shape == (24 * 16, 16)


def test_frames_of_recordings_end_where_sound_ends(tokens_of, tmp_path):
    import torch
    import transformers as t

    config = t.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=[8, 8],
        conv_kernel=[10, 8],
        conv_stride=[5, 8],
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
    )
    torch.manual_seed(0)
    model = t.Wav2Vec2Model(config).eval()
    model.save_pretrained(tmp_path / "m")
    extractor = t.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    extractor.save_pretrained(tmp_path / "m")
    rng = np.random.default_rng(0)
    folder = tmp_path / "sounds" / "one"
    folder.mkdir(parents=True)
    want = []
    for number, length in enumerate((900, 1333, 401)):
        samples = (rng.integers(-9000, 9000, length) / 32768).astype(np.float32)
        soundfile.write(folder / f"{number}.wav", samples, 16000, subtype="PCM_16")
        inputs = extractor(samples, sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            want.append(model(inputs["input_values"]).last_hidden_state[0].numpy())
    assert_rows(tokens_of(tmp_path / "m", tmp_path / "sounds").tokens(), want)


def test_maps_are_read_row_by_row(registry, make_onnx, photos):
    stated = {"size": 8, "resize": "exact", "scale": 1.0, "mean": [120.0], "std": [50.0]}

    def rows(tap, features):
        options = RunOptions(preprocess=stated, features=features)
        return run_extract(registry, f"onnx:{make_onnx()}#{tap}", photos, options=options)

    got = rows("maps", "tokens").tokens()
    assert got.values.shape == (24 * 64, 4)
    pooled = rows("maps/mean", "pooled").features
    np.testing.assert_allclose(np.stack([row.mean(axis=0) for row in got]), pooled, rtol=1e-5)


def test_they_are_a_column_of_their_own_and_computed_once(tokens_of, registry, tiny_bert, reviews):
    mean = run_extract(registry, f"hf:{tiny_bert}", reviews, options=RunOptions()).extracted
    first, again = tokens_of(tiny_bert, reviews), tokens_of(tiny_bert, reviews)
    assert (first.extracted.forwards, again.extracted.forwards) == (30, 0)
    assert first.extracted.key == mean.key
    np.testing.assert_allclose(
        np.stack([row.mean(axis=0) for row in again.tokens()]), mean.features, rtol=1e-4, atol=1e-6
    )
    with FeatureStore.open(settings.store_root(), mean.key) as store:
        assert set(store.columns()) == {f"{LAYER}/mean/float32", f"{LAYER}/tokens/float32"}
        assert not store.verify().damaged


def test_rows_of_other_versions_are_compared_sample_by_sample(
    tokens_of, tiny_bert, reviews, monkeypatch
):
    from zoo.features import model

    before = tokens_of(tiny_bert, reviews, limit=12).extracted
    changed = {"device": "cpu", "machine": "other", "versions": {}}
    monkeypatch.setattr(model, "conditions", lambda device: changed)
    after = tokens_of(tiny_bert, reviews).extracted
    assert (after.key, after.forwards) == (before.key, 18 + 8)


def test_an_export_has_offsets_in_the_order_of_its_items(tokens_of, tiny_bert, reviews, tmp_path):
    from safetensors.numpy import load_file

    result = tokens_of(tiny_bert, reviews, export_to=tmp_path / "t.npz")
    tokens, items = result.tokens(), result.extracted.dataset.items
    place = {item.name: i for i, item in enumerate(items)}
    with np.load(tmp_path / "t.npz") as file:
        data = dict(file)
    assert len(data["offsets"]) == len(data["items"]) + 1 == 31
    assert len(data["features"]) == data["offsets"][-1] == len(tokens.values)
    for i, name in enumerate(data["items"]):
        row = data["features"][data["offsets"][i] : data["offsets"][i + 1]]
        np.testing.assert_array_equal(row, tokens[place[str(name)]])
    tokens_of(tiny_bert, reviews, export_to=tmp_path / "t.safetensors")
    again = load_file(tmp_path / "t.safetensors")
    np.testing.assert_array_equal(again["features"], data["features"])
    np.testing.assert_array_equal(again["offsets"], data["offsets"])


@pytest.mark.parametrize("tap", ["#last_hidden_state/mean", "#cls", "#last_hidden_state,layernorm"])
def test_pooled_or_several_taps_are_refused(tokens_of, tiny_vit, photos, tap):
    with pytest.raises(UsageError, match="one layer and not pooled"):
        tokens_of(tiny_vit, photos, tap)


def test_a_layer_of_one_vector_a_sample_is_refused(tokens_of, tiny_vit, photos):
    with pytest.raises(SourceError, match="one vector a sample") as caught:
        tokens_of(tiny_vit, photos, "#pooler_output")
    assert "last_hidden_state" in caught.value.hint


def test_pooled_features_have_no_tokens(registry, tiny_vit, photos):
    result = run_extract(registry, f"hf:{tiny_vit}", photos, options=RunOptions())
    with pytest.raises(UsageError, match="pooled"):
        result.tokens()


def test_heads_take_no_tokens_so_far(registry, zoo, tiny_vit, photos):
    for dry in ((), ("--dry-run",)):
        ended = zoo(
            "transfer", "--model", f"hf:{tiny_vit}", "--data", photos, "--features", "tokens", *dry
        )
        assert ended.code == 2
        assert ended.err.startswith("zoo: a head takes one row a sample")
        assert "zoo extract --features tokens" in ended.err
    run = run_transfer(registry, f"hf:{tiny_vit}", photos, options=RunOptions(head="prototype"))
    with pytest.raises(UsageError, match="one row a sample"):
        run.predict(photos, features="tokens")
    with pytest.raises(UsageError, match="features 'words'"):
        run_transfer(registry, "hf:x/y", photos, options=RunOptions(features="words"))


def test_tokens_on_the_command_line(zoo, tiny_bert, reviews):
    run = ("extract", "--model", f"hf:{tiny_bert}", "--data", reviews, "--features", "tokens")
    dry = zoo(*run, "--dry-run", "--json").json
    assert (dry["forwards"], dry["bytes"]) == (30, None)
    told = zoo(*run)
    assert "16 features each token, patch or frame; 30 forward passes" in told.out
    assert zoo(*run, "--json").json["features"]["forwards"] == 0
    assert json.loads(zoo(*run, "--dry-run", "--json").out)["bytes"] == 0
