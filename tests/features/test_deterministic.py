"""Features and batches: near without --deterministic, equal to the last bit with it."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.features import ExtractOptions, extract, open_model
from zoo.plugin import Dataset, Item, LoadOptions, Target
from zoo.registry import Registry
from zoo.runs.plan import RunOptions

# Of a row's norm: float32 sums of a few hundred terms in another order.
TOLERANCE = 1e-5
RNG = np.random.default_rng(5)
PICTURES = [RNG.integers(0, 256, (20 + n, 31, 3), dtype=np.uint8) for n in range(14)]
TEXTS = ["very " * (n % 12) + f"good film {'not ' * (n % 3)}a" for n in range(12)]
WAVES = [RNG.uniform(-0.5, 0.5, 600 + 350 * (n % 5)).astype(np.float32) for n in range(11)]


@pytest.fixture(scope="module")
def tiny_wav2vec2(tmp_path_factory):
    """A Wav2Vec2 of 16 features with random weights, which masks what was padded."""
    import torch
    import transformers as t

    torch.manual_seed(0)
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
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
    )
    folder = tmp_path_factory.mktemp("audio") / "wav2vec2"
    t.Wav2Vec2Model(config).save_pretrained(folder)
    t.Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    return folder


@pytest.fixture(params=["image", "convolutions", "onnx", "text", "audio"])
def kind(request):
    """Source, modality and samples of each kind of backbone that is built in."""
    if request.param == "text":
        return f"hf:{request.getfixturevalue('tiny_bert')}", "text", TEXTS
    if request.param == "audio":
        return f"hf:{request.getfixturevalue('tiny_wav2vec2')}", "audio", WAVES
    if request.param == "convolutions":
        return "builtin:tinyconv", "image", PICTURES
    if request.param == "onnx":
        path = request.getfixturevalue("make_onnx")()
        path.with_name("preprocess.toml").write_text(
            'input = "image"\nsize = 8\nresize = "exact"\nmean = [0.5]\nstd = [0.5]\n'
            'tap = "embedding"\n'
        )
        return f"onnx:{path}", "image", PICTURES
    return f"hf:{request.getfixturevalue('tiny_vit')}", "image", PICTURES


def rows(kind, root, order=None, *, threads=1, batch_size=32, **options):
    """Features by sample number, computed anew in an order, in a store of their own."""
    source, modality, samples = kind
    order = range(len(samples)) if order is None else order
    items = tuple(Item(f"s{n}", samples[n]) for n in order)
    data = Dataset("d", modality, items, Target("none", np.full(len(items), -1, np.int64)))
    loading = LoadOptions(threads=threads, device="cpu", modality=modality, **options)
    model = open_model(Registry(lambda line: None, disabled=frozenset()), source, loading)
    got = extract(data, model, ExtractOptions(root, batch_size=batch_size, threads=threads))
    assert got.forwards == len(items)
    return dict(zip(order, got.features, strict=True)), got.key


def apart(one, other):
    return max(np.linalg.norm(one[n] - other[n]) / np.linalg.norm(one[n]) for n in one)


def test_a_batch_changes_the_last_digits_at_most(kind, tmp_path):
    alone, _ = rows(kind, tmp_path / "1", batch_size=1)
    together, _ = rows(kind, tmp_path / "2", order=range(len(kind[2]))[::-1], threads=2)
    assert apart(alone, together) <= TOLERANCE


def test_deterministic_rows_are_equal_to_the_last_bit(kind, tmp_path):
    first, key = rows(kind, tmp_path / "1", deterministic=True)
    order = np.random.default_rng(1).permutation(len(kind[2])).tolist()
    for number, batch_size in enumerate((1, 3, 64)):
        root = tmp_path / f"other{number}"
        other, same = rows(
            kind, root, order, threads=number + 2, batch_size=batch_size, deterministic=True
        )
        assert same == key
        assert all((first[n] == other[n]).all() for n in first)
    few, _ = rows(kind, tmp_path / "few", order[:3], threads=3, deterministic=True)
    assert all((first[n] == few[n]).all() for n in few)
    usual, _ = rows(kind, tmp_path / "usual")
    assert apart(first, usual) <= TOLERANCE


def test_deterministic_rows_have_a_key_of_their_own_with_what_made_them(tmp_path):
    pictures = "builtin:tinyconv", "image", PICTURES
    _, usual = rows(pictures, tmp_path)
    _, own = rows(pictures, tmp_path, deterministic=True)  # counts its forwards: none is shared
    made = own.pop("deterministic")
    assert own == usual
    assert made["device"] == "cpu"
    assert made["processor"]
    assert "torch" in made["versions"]


def test_torch_is_left_as_it_was(tmp_path):
    import torch

    rows(("builtin:tinyconv", "image", PICTURES), tmp_path, threads=2, deterministic=True)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_deterministic_debug_mode() == 0


def test_the_option_reaches_the_store_the_run_and_its_predictions(zoo, photos, tmp_path):
    (tmp_path / "zoo.toml").write_text("deterministic = true\n")
    words = ["--model", "builtin:tinyconv", "--data", "photos", "--json"]
    by_file = zoo("transfer", *words, "--out", "run", "--threads", "2").json
    assert by_file["features"]["forwards"] == 24
    (tmp_path / "zoo.toml").unlink()
    assert zoo("extract", *words, "--deterministic").json["features"]["forwards"] == 0
    assert zoo("extract", *words).json["features"]["forwards"] == 24
    done = zoo("predict", "run", "photos", "--json")
    assert done.json["forwards"] == 0
    assert "another key" not in done.err


def test_it_is_among_the_options_of_a_run():
    assert RunOptions(deterministic=True).load_options().deterministic
    assert RunOptions(deterministic=True).as_dict()["deterministic"] is True
