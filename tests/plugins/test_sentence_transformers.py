"""``st:`` as a stranger has it: the library's own embeddings, and no code that a folder names."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from zoo.errors import TrustError
from zoo.plugin import LoadOptions, Source, SourceError

if importlib.util.find_spec("sentence_transformers") is None:
    pytest.skip("sentence-transformers is not installed", allow_module_level=True)

NAME = "zoo-sentence-transformers"
TEXTS = ["the film was good", "", "a very very bad film", "not " * 40, "good"]

CUT = {"direction": "Right", "strategy": "LongestFirst", "stride": 0}


@pytest.fixture
def registry(registry_of):
    return registry_of(NAME)


@pytest.fixture
def provider(registry):
    return registry.create("provider", "st")


@pytest.fixture
def saved(tiny_bert, tmp_path):
    """Saves an encoder of a random BERT with the given pooling; gives its folder and a change."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import (
        Dense,
        Normalize,
        Pooling,
        Transformer,
    )

    def save(mode="mean", *, dense=False, **settings):
        torch.manual_seed(0)
        body = Transformer(str(tiny_bert), model_kwargs={"dtype": torch.float32})
        modules = [body, Pooling(16, mode, include_prompt=settings.pop("include_prompt", True))]
        if dense:
            modules += [Dense(16, 6), Normalize()]
        folder = tmp_path / "encoder"
        SentenceTransformer(modules=modules, device="cpu", **settings).save(str(folder))
        return folder

    return save


@pytest.fixture
def static(tiny_bert, tmp_path):
    """A bare folder of token vectors, as model2vec writes it."""
    from safetensors.numpy import save_file
    from transformers import AutoTokenizer

    folder = tmp_path / "static"
    folder.mkdir()
    AutoTokenizer.from_pretrained(tiny_bert).backend_tokenizer.save(str(folder / "tokenizer.json"))
    vectors = np.random.default_rng(0).standard_normal((13, 5)).astype(np.float16)
    save_file({"embeddings": vectors}, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "model2vec", "normalize": true}')
    return folder


def rows(provider, folder, texts=TEXTS, **preprocess):
    """Rows of the texts, each of a batch of its own order."""
    source = Source.parse(f"st:{folder}")
    backbone = provider.load(source, LoadOptions(preprocess=preprocess))
    batch = backbone.collate([backbone.prepare(text) for text in texts])
    values, mask = backbone.forward(batch)["sentence_embedding"].numpy()
    assert mask is None
    return values


def library(folder, texts=TEXTS, *, max_length=None, **words):
    """What the library itself says, in float32."""
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(folder),
        device="cpu",
        local_files_only=True,
        model_kwargs={"dtype": torch.float32},
    )
    if max_length:
        model.max_seq_length = max_length
    return model.encode(texts, show_progress_bar=False, **words)


def close(ours, theirs):
    """The library sorts texts by length first, so that padding, and with it rounding, differs."""
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def edit(folder, name, **change):
    path = folder / name
    value = json.loads(path.read_text()) if path.is_file() else {}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**value, **change}))


def test_the_registry_finds_it_by_its_entry_point(registry):
    (info,) = [info for info in registry.plugins() if info.name == "sentence-transformers"]
    assert (info.version, info.state, info.hooks) == (
        "0.1.0",
        "loaded",
        ("zoo_register_providers",),
    )
    assert registry.providers["st"].plugin == "sentence-transformers"


def test_it_keeps_the_contract_of_providers(registry, saved, static):
    testing = pytest.importorskip("zoo.testing")
    entry = registry.providers["st"].entry
    items = ["the film was good", "bad", "not a very very good film"]
    for folder in (saved(dense=True), static):
        testing.run_checks(testing.provider_checks(entry, f"st:{folder}", items=items))


@pytest.mark.parametrize(
    "mode", ["mean", "cls", "max", "weightedmean", "lasttoken", ("mean", "max")]
)
def test_rows_are_the_librarys_in_every_pooling(provider, saved, mode):
    folder = saved(mode)
    ours = rows(provider, folder)
    assert ours.shape == (5, 32 if len(mode) == 2 else 16)
    close(ours, library(folder))
    assert np.abs(ours - ours[0]).max() > 1e-2


def test_dense_and_normalize_follow_the_pooling(provider, saved):
    folder = saved(dense=True)
    ours = rows(provider, folder)
    close(ours, library(folder))
    assert ours.shape == (5, 6)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("include", [True, False])
def test_the_default_prompt_is_put_before_every_text(provider, saved, include):
    prompts = {"query": "the film ", "passage": "a very "}
    folder = saved(prompts=prompts, default_prompt_name="query", include_prompt=include)
    close(rows(provider, folder), library(folder))
    close(rows(provider, folder, prefix="a very "), library(folder, prompt_name="passage"))
    plain = rows(provider, folder, prefix="")
    close(plain, library(folder, prompt=""))
    assert np.abs(plain - rows(provider, folder)).max() > 1e-3
    told = provider.describe(Source.parse(f"st:{folder}"), LoadOptions())
    assert told.preprocess["prefix"] == "the film "
    assert told.info["prompts"] == prompts


def test_texts_are_cut_at_the_stated_length(provider, saved):
    folder = saved()
    told = provider.describe(Source.parse(f"st:{folder}"), LoadOptions())
    assert told.preprocess["max_length"] == 24
    close(rows(provider, folder, max_length=6), library(folder, max_length=6))
    edit(folder, "sentence_bert_config.json", max_seq_length=5)
    close(rows(provider, folder), library(folder, max_length=5))
    assert np.abs(rows(provider, folder) - rows(provider, folder, max_length=6)).max() > 1e-3


def test_static_embeddings_are_means_of_token_vectors(provider, static):
    from safetensors.numpy import load_file

    vectors = load_file(static / "model.safetensors")["embeddings"].astype(np.float32)
    ours = rows(provider, static, ["good film", "", "bad"])
    want = np.stack([vectors[5] + vectors[9], np.zeros(5), vectors[6]])
    want /= np.maximum(np.linalg.norm(want, axis=1, keepdims=True), 1e-12)
    np.testing.assert_allclose(ours, want, atol=1e-6)
    told = provider.describe(Source.parse(f"st:{static}"), LoadOptions())
    assert told.model["modules"] == ["StaticEmbedding", "Normalize"]
    assert told.preprocess["max_length"] is None
    edit(static, "tokenizer.json", truncation={**CUT, "max_length": 1})
    cut = provider.describe(Source.parse(f"st:{static}"), LoadOptions())
    assert cut.preprocess["max_length"] == 1
    np.testing.assert_array_equal(*rows(provider, static, ["good", "good film"]))
    with pytest.raises(SourceError, match="as many tokens as its tokenizer"):
        rows(provider, static, max_length=5)


def test_a_static_embedding_without_rows_for_all_tokens_is_refused(provider, static):
    from safetensors.numpy import save_file

    save_file({"embeddings": np.ones((4, 5), np.float32)}, static / "model.safetensors")
    with pytest.raises(SourceError, match="4 vectors for 13 tokens"):
        rows(provider, static)


def test_saved_static_embeddings_load_through_their_modules(provider, static, tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    folder = tmp_path / "saved"
    SentenceTransformer(modules=[StaticEmbedding.load(str(static))]).save(str(folder))
    # The library computes in the stored float16, with 11 bits; zoo in float32.
    np.testing.assert_allclose(rows(provider, folder), library(folder), atol=2e-3)


def test_bfloat16_stays_close(provider, saved):
    folder = saved()
    backbone = provider.load(Source.parse(f"st:{folder}"), LoadOptions(dtype="bfloat16"))
    values, _ = backbone.forward(backbone.collate(TEXTS))["sentence_embedding"].numpy()
    want = library(folder)
    cosine = (values * want).sum(1) / np.linalg.norm(values, axis=1) / np.linalg.norm(want, axis=1)
    assert cosine.min() > 0.999  # bfloat16 keeps 8 bits of each value


def test_the_contract_follows_what_decides_and_nothing_else(provider, saved, tmp_path):
    def told(folder, **preprocess):
        return provider.describe(Source.parse(f"st:{folder}"), LoadOptions(preprocess=preprocess))

    folder = saved()
    first = told(folder)
    shutil.copytree(folder, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "README.md").write_text("changed")
    assert told(tmp_path / "elsewhere").digest() == first.digest()
    assert told(folder, prefix="x").digest() != first.digest()
    assert told(folder, max_length=3).digest() != first.digest()
    edit(folder, "1_Pooling/config.json", pooling_mode="max")
    changed = told(folder)
    assert changed.digest() != first.digest()
    assert changed.weights == first.weights


def test_a_model_is_described_without_torch_and_the_library(saved, environment_of):
    program = (
        "import sys; from zoo.registry import Registry; from zoo.features import open_model;"
        "from zoo.plugin import LoadOptions;"
        f"open_model(Registry(print), {f'st:{saved()}'!r}, LoadOptions()).contract;"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment_of(NAME)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "[]\n"), ran.stderr


@pytest.mark.parametrize(
    ("name", "change", "error", "message"),
    [
        ("config.json", {"attn_implementation": "evil/kernel"}, TrustError, "kernel"),
        ("config.json", {"_attn_implementation": "evil/kernel"}, TrustError, "kernel"),
        ("config.json", {"text_config": {"attn_implementation": "e/k"}}, TrustError, "kernel"),
        (
            "sentence_bert_config.json",
            {"modality_config": {"text": {"method": "push_to_hub"}}},
            SourceError,
            "method 'push_to_hub'",
        ),
        ("config_sentence_transformers.json", {"prompts": ["a"]}, SourceError, "prompts are not"),
        ("2_Dense/config.json", {"activation_function": "evil.run"}, TrustError, "activation"),
        ("sentence_bert_config.json", {"model_args": {"x": 1}}, SourceError, "model_args"),
        ("sentence_bert_config.json", {"tokenizer_name_or_path": "e/e"}, SourceError, "tokenizer_"),
        ("sentence_bert_config.json", {"max_seq_length": -1}, SourceError, "max_seq_length = -1"),
        ("adapter_config.json", {"base_model_name_or_path": "e/e"}, SourceError, "an adapter"),
        ("config_sentence_transformers.json", {"model_type": "CrossEncoder"}, SourceError, "Cross"),
        ("config_sentence_transformers.json", {"default_prompt_name": "q"}, SourceError, "prompt"),
        ("1_Pooling/config.json", {"pooling_mode": "none"}, SourceError, "cannot be loaded"),
    ],
)
def test_what_a_folder_may_not_say_is_refused(provider, saved, name, change, error, message):
    folder = saved(dense=True)
    edit(folder, name, **change)
    with pytest.raises(error, match=message) as caught:
        rows(provider, folder)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("kind", "place", "error"),
    [
        ("modeling.Evil", "", TrustError),
        ("os.system", "", TrustError),
        ("sentence_transformers.models.Router", "", SourceError),
        ("sentence_transformers.models.Pooling", "../out", TrustError),
        ("sentence_transformers.models.Pooling", "/etc", TrustError),
    ],
)
def test_foreign_modules_are_refused(provider, saved, kind, place, error):
    folder = saved()
    listed = json.loads((folder / "modules.json").read_text())
    listed[1].update(type=kind, path=place)
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(error):
        rows(provider, folder)


@pytest.mark.parametrize("content", ["", "{}", "[]", "[3]", '[{"type": 1}]', "[" * 100_000])
def test_a_damaged_list_of_modules_is_one_clear_error(provider, saved, content):
    folder = saved()
    (folder / "modules.json").write_text(content)
    with pytest.raises(SourceError, match=r"modules\.json"):
        rows(provider, folder)


def test_weights_that_would_be_filled_with_noise_are_refused(provider, saved):
    from safetensors.torch import load_file, save_file

    folder = saved()
    state = load_file(folder / "model.safetensors")
    dropped = next(name for name in state if name.endswith("layer.1.output.dense.weight"))
    del state[dropped]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(SourceError, match="do not fit: 1 missing"):
        rows(provider, folder)


def test_pickles_damage_and_other_models_are_refused(provider, saved, tiny_bert):
    folder = saved(dense=True)
    (folder / "2_Dense" / "model.safetensors").rename(folder / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(SourceError, match=r"no model\.safetensors"):
        rows(provider, folder)
    (folder / "2_Dense" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(SourceError, match="cannot be loaded"):
        rows(provider, folder)
    with pytest.raises(SourceError, match=r"no modules\.json") as caught:
        rows(provider, tiny_bert)
    assert "hf:" in caught.value.hint


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("st:org/name", "not in the Hub's local cache"),
        ("st:./none", "no folder"),
        ("st:./none?weights=x", "takes no"),
    ],
)
def test_a_source_that_is_not_here_is_one_clear_error(provider, source, message):
    with pytest.raises(SourceError, match=message) as caught:
        provider.describe(Source.parse(source), LoadOptions(offline=True))
    assert "hf:" not in str(caught.value) + caught.value.hint


def test_only_the_embedding_is_a_tap(provider, saved):
    source = Source.parse(f"st:{saved()}#token_embeddings/mean")
    with pytest.raises(SourceError, match="has one tap"):
        provider.describe(source, LoadOptions())


def test_a_transfer_runs_once_and_is_read_from_the_store_then(saved, environment_of, zoo, reviews):
    environment = environment_of(NAME)
    columns = ("--input", "text", "--target", "label")
    run = ("transfer", "--model", f"st:{saved()}", "--data", reviews, *columns, "--json")
    first = zoo(*run, env=environment).json
    assert first["features"]["forwards"] == 30
    assert first["model"]["dim"] == 16
    assert zoo(*run, env=environment).json["features"]["forwards"] == 0
    listed = zoo("models", "--json", env=environment).json["providers"]
    assert "Sentence Transformers" in listed["st"]


def test_features_are_verified_against_the_librarys_encode(registry, saved, static):
    from zoo.runs import RunOptions, run_verify

    def verified(folder, **options):
        options = RunOptions(device="cpu", offline=True, **options)
        return run_verify(registry, f"st:{folder}", options=options)

    prompts = {"query": "good film "}
    for folder in (saved(dense=True, prompts=prompts, default_prompt_name="query"), static):
        found = verified(folder)
        assert found.reference.startswith("sentence-transformers ")
        assert found.passed, found.probes
    folder = saved()
    assert verified(folder, preprocess="prefix=bad film ").passed
    found = verified(folder, preprocess="max_length=6")
    assert not found.passed
    assert {way.name for way in found.wrong if found.finds(way)} >= {"padding not masked"}
