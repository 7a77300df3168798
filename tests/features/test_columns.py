"""Several taps of one source: a column each, one forward pass for all, side by side for a head."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import settings
from zoo.engine import FeatureStore
from zoo.errors import SourceError
from zoo.plugin import LoadOptions, Source
from zoo.registry import Registry
from zoo.runs import RunOptions, run_extract

CLS, MEAN, POOLED = "last_hidden_state/cls", "last_hidden_state/mean", "pooler_output/none"


@pytest.fixture
def registry():
    return Registry(pytest.fail)


@pytest.fixture
def extracted(registry, tiny_vit, photos):
    """Extracts the photos by some taps of the ViT."""

    def run(*taps, **options):
        source = f"hf:{tiny_vit}#{','.join(taps)}"
        result = run_extract(registry, source, photos, options=RunOptions(batch_size=5, **options))
        return result.extracted

    return run


def columns_of(extracted):
    with FeatureStore.open(settings.store_root(), extracted.key) as store:
        return {name: rows for name, (_, _, rows) in store.columns().items()}


def test_rows_are_those_of_the_taps_side_by_side_from_one_forward(extracted):
    together = extracted(CLS, MEAN, POOLED)
    assert together.features.shape == (24, 48)
    assert together.forwards == 24
    for number, tap in enumerate((CLS, MEAN, POOLED)):
        alone = extracted(tap)
        assert alone.forwards == 0
        np.testing.assert_array_equal(
            alone.features, together.features.reshape(24, 3, 16)[:, number]
        )
    assert len({together.features[0, i] for i in (0, 16, 32)}) == 3
    assert columns_of(together) == {f"{tap}/float32": 24 for tap in (CLS, MEAN, POOLED)}


def test_taps_give_in_one_forward_what_each_gives_in_its_own(
    registry, extracted, monkeypatch, tmp_path
):
    apart = [extracted(tap).features for tap in (MEAN, "hidden_states.1/cls", "layernorm/mean")]
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "another"))
    together = extracted(MEAN, "hidden_states.1/cls", "layernorm/mean")
    assert together.forwards == 24
    np.testing.assert_array_equal(together.features, np.concatenate(apart, axis=1))


def test_a_later_forward_adds_the_column_that_is_missing(extracted):
    first = extracted(CLS)
    both = extracted(CLS, MEAN)
    assert (both.forwards, both.key) == (24, first.key)
    np.testing.assert_array_equal(both.features[:, :16], first.features)
    assert columns_of(both) == {f"{CLS}/float32": 24, f"{MEAN}/float32": 24}
    assert extracted(MEAN, CLS).forwards == 0


def test_rows_of_other_versions_are_compared_in_every_column(extracted, monkeypatch):
    from zoo.features import model

    before = extracted(CLS, MEAN, limit=12)
    changed = {"device": "cpu", "machine": "other", "versions": {}}
    monkeypatch.setattr(model, "conditions", lambda device: changed)
    after = extracted(CLS, MEAN)
    assert after.key == before.key
    assert after.forwards == 12 + 8  # eight stored rows were computed again, and serve


@pytest.mark.parametrize(
    ("taps", "complaint"),
    [
        ((CLS, CLS), "names a tap twice"),
        ((CLS, ""), "none between commas"),
        ((CLS, "last_hidden_state"), "the same rows twice"),  # whose pooling is cls by default
        ((CLS, "nothing"), "no tap 'nothing'"),
    ],
)
def test_taps_that_are_none_or_one_are_refused(extracted, taps, complaint):
    with pytest.raises(SourceError, match=complaint):
        extracted(*taps)


def test_every_tap_needs_its_weights(registry, tiny_vit, photos, tmp_path):
    """An untrained pooler as the second tap is as bad as one as the first."""
    import shutil

    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_vit, tmp_path / "copy")
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("pooler.")}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(SourceError, match="do not fit"):
        run_extract(registry, f"hf:{folder}#{CLS},{POOLED}", photos, options=RunOptions())


def test_a_provider_of_single_taps_says_so(registry, photos):
    with pytest.raises(SourceError, match="one tap at a time") as caught:
        run_extract(registry, "builtin:tinyconv#a,b", photos, options=RunOptions())
    assert "builtin:tinyconv#a" in caught.value.hint


def test_several_taps_through_the_whole_way(zoo, tiny_vit, photos):
    source = f"hf:{tiny_vit}#{CLS},{MEAN}"
    dry = zoo("extract", "--model", source, "--data", photos, "--dry-run", "--json").json
    assert dry["forwards"] == 24
    told = zoo("models", source, "--json").json
    assert told["facts"]["dim"] == 32
    assert told["contract"]["info"]["taps"] == [CLS, MEAN]
    run = zoo("transfer", "--model", source, "--data", photos, "--head", "prototype", "--json").json
    assert (run["model"]["dim"], run["features"]["forwards"]) == (32, 24)
    predicted = zoo("predict", run["run"], photos, "--json").json
    assert (len(predicted["predictions"]), predicted["forwards"]) == (24, 0)
    again = zoo("extract", "--model", source, "--data", photos, "--dry-run", "--json").json
    assert (again["forwards"], again["stored"]) == (0, 24)


def test_taps_of_a_graph(registry, make_onnx, photos, tmp_path):
    path = make_onnx()
    stated = {"size": 8, "resize": "exact", "scale": 1.0, "mean": [120.0], "std": [50.0]}

    def rows(tap):
        options = RunOptions(preprocess=stated)
        return run_extract(registry, f"onnx:{path}#{tap}", photos, options=options).extracted

    both = rows("embedding,maps/mean,conv/mean")
    assert (both.features.shape, both.forwards) == ((24, 12), 24)
    for number, tap in enumerate(("embedding", "maps/mean", "conv/mean")):
        np.testing.assert_array_equal(rows(tap).features, both.features[:, 4 * number :][:, :4])
    np.testing.assert_allclose(both.features[:, :4], both.features[:, 4:8], rtol=1e-5)


@pytest.mark.parametrize("masked", [True, False])
def test_taps_of_recordings_of_any_lengths(registry, masked, tmp_path):
    """In one batch, padded behind a mask or by their lengths."""
    import torch
    import transformers as t

    from zoo.backbones.pooling import pool
    from zoo.preprocess import Waveform
    from zoo.providers.hf import HuggingFaceProvider

    config = t.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=[8, 8],
        conv_kernel=[10, 8],
        conv_stride=[5, 8],
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        **({"feat_extract_norm": "layer", "do_stable_layer_norm": True} if masked else {}),
    )
    torch.manual_seed(0)
    t.Wav2Vec2Model(config).save_pretrained(tmp_path)
    t.Wav2Vec2FeatureExtractor(return_attention_mask=masked).save_pretrained(tmp_path)
    rng = np.random.default_rng(0)
    waves = [
        Waveform(rng.normal(0, 0.3, n).astype(np.float32), 16000) for n in (900, 333, 900, 401)
    ]
    provider = HuggingFaceProvider()

    def rows(*taps):
        sources = [Source.parse(f"hf:{tmp_path}#{tap}") for tap in taps]
        backbone = provider.load_taps(sources, LoadOptions())
        out = backbone.forward(backbone.collate([backbone.prepare(wave) for wave in waves]))
        assert list(out) == [taps[0].partition("/")[0], *taps[1:]]
        poolings = [tap.rpartition("/")[2] for tap in taps]
        return [
            pool(*features.numpy(), pooling=pooling, layout="channels_first", tap=tap)
            for (tap, features), pooling in zip(out.items(), poolings, strict=True)
        ]

    both = rows("last_hidden_state/mean", "hidden_states.1/last")
    np.testing.assert_array_equal(both[0], rows("last_hidden_state/mean")[0])
    np.testing.assert_array_equal(both[1], rows("hidden_states.1/last")[0])
