"""hf: models give what transformers gives, from configuration that is read and never guessed."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from zoo.backbones.pooling import pool
from zoo.errors import SourceError, TrustError
from zoo.plugin import LoadOptions, Source
from zoo.providers.hf import HuggingFaceProvider

TEXTS = ["the film was good", "bad", "a very very very good film not the bad film", "the"]


def features(folder, samples, tap="", **options):
    provider, loading = HuggingFaceProvider(), LoadOptions(**options)
    source = Source.parse(f"hf:{folder}{tap}")
    backbone = provider.load(source, loading)
    contract = backbone.contract
    out = backbone.forward(backbone.collate([backbone.prepare(s) for s in samples]))
    values, mask = out[contract.tap].numpy()
    return pool(values, mask, pooling=contract.pooling, layout=contract.layout, tap=contract.tap)


def pictures(count=3):
    rng = np.random.default_rng(0)
    sizes = [(40, 30), (31, 64), (32, 32)][:count]
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for w, h in sizes]


@pytest.fixture
def copy(tmp_path):
    def make(folder, **changes):
        target = tmp_path / "copy"
        shutil.copytree(folder, target)
        config = json.loads((target / "config.json").read_text())
        (target / "config.json").write_text(json.dumps({**config, **changes}))
        return target

    return make


def test_text_features_equal_transformers_with_masked_mean(tiny_bert):
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(tiny_bert)(TEXTS, padding=True, return_tensors="pt")
    model = AutoModel.from_pretrained(tiny_bert, dtype=torch.float32).eval()
    with torch.no_grad():
        hidden = model(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    want = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
    np.testing.assert_allclose(features(tiny_bert, TEXTS), want, rtol=1e-4, atol=1e-6)


def test_a_texts_features_do_not_depend_on_its_batch(tiny_bert):
    alone = np.concatenate([features(tiny_bert, [text]) for text in TEXTS])
    np.testing.assert_allclose(features(tiny_bert, TEXTS), alone, rtol=1e-4, atol=1e-6)


def test_long_texts_are_cut_to_what_the_model_can_number(tiny_bert):
    assert features(tiny_bert, ["good " * 500]).shape == (1, 16)


def test_image_features_equal_transformers_with_pillow(tiny_vit):
    import torch
    from transformers import AutoModel, ViTImageProcessorPil

    pixels = ViTImageProcessorPil.from_pretrained(tiny_vit)(pictures(), return_tensors="pt")
    model = AutoModel.from_pretrained(tiny_vit, dtype=torch.float32).eval()
    with torch.no_grad():
        out = model(**pixels)
    got = features(tiny_vit, pictures())
    np.testing.assert_allclose(got, out.last_hidden_state[:, 0].numpy(), rtol=1e-4, atol=1e-6)
    pooled = features(tiny_vit, pictures(), "#pooler_output")
    np.testing.assert_allclose(pooled, out.pooler_output.numpy(), rtol=1e-4, atol=1e-6)


def test_the_tap_can_be_any_layer_by_its_dotted_name(tiny_vit):
    assert features(tiny_vit, pictures(), "#layernorm/mean").shape == (3, 16)


def test_an_unknown_tap_names_the_outputs(tiny_vit):
    with pytest.raises(SourceError, match="no tap 'nothing'") as caught:
        features(tiny_vit, pictures(), "#nothing")
    assert "last_hidden_state" in caught.value.hint


def test_describe_imports_neither_torch_nor_transformers(tiny_bert, tiny_vit, tmp_path):
    import subprocess
    import sys

    code = (
        "import sys; from zoo.providers.hf import HuggingFaceProvider as P;"
        "from zoo.plugin import LoadOptions, Source;"
        f"folders = {[str(tiny_bert), str(tiny_vit)]};"
        "[P().describe(Source.parse('hf:' + f), LoadOptions()) for f in folders];"
        "bad = {'torch', 'transformers'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_weights_and_configuration_and_tokenizer_all_enter_the_key(tiny_bert, copy):
    def describe(folder):
        return HuggingFaceProvider().describe(Source.parse(f"hf:{folder}"), LoadOptions())

    base = describe(tiny_bert)
    changed = copy(tiny_bert, hidden_act="relu")
    assert describe(changed).digest() != base.digest()
    assert describe(changed).weights == base.weights
    tokenizer = changed / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"good"', '"great"'))
    assert describe(changed).preprocess["tokenizer"] != base.preprocess["tokenizer"]
    relabelled = json.loads((tiny_bert / "config.json").read_text())
    relabelled["id2label"] = {"0": "x"}
    (changed / "config.json").write_text(json.dumps(relabelled))
    assert describe(changed).model == base.model


def test_pooling_and_length_follow_sentence_transformers_files(tiny_bert, copy):
    folder = copy(tiny_bert)
    (folder / "1_Pooling").mkdir()
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 7}')
    contract = HuggingFaceProvider().describe(Source.parse(f"hf:{folder}"), LoadOptions())
    assert (contract.tap, contract.pooling) == ("last_hidden_state", "cls")
    assert contract.preprocess["max_length"] == 7
    pooling = {"pooling_mode_max_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    with pytest.raises(SourceError, match="max"):
        HuggingFaceProvider().describe(Source.parse(f"hf:{folder}"), LoadOptions())


def test_stated_overrides_change_the_contract(tiny_vit):
    loading = LoadOptions(preprocess={"filter": "bicubic", "pool": "mean"})
    contract = HuggingFaceProvider().describe(Source.parse(f"hf:{tiny_vit}"), loading)
    assert contract.preprocess["filter"] == "bicubic"
    assert (contract.tap, contract.pooling) == ("last_hidden_state", "mean")


def test_bfloat16_compute_is_near_but_not_equal(tiny_vit):
    exact, rough = features(tiny_vit, pictures()), features(tiny_vit, pictures(), dtype="bfloat16")
    assert not np.array_equal(exact, rough)
    np.testing.assert_allclose(rough, exact, atol=0.2)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda f: (f / "model.safetensors").write_bytes(b"\x10" * 40), "cannot be loaded"),
        (lambda f: (f / "model.safetensors").unlink(), "no model.safetensors"),
        (lambda f: (f / "config.json").write_text("{"), "not valid JSON"),
        (lambda f: (f / "config.json").write_text("[1]"), "JSON object"),
        (lambda f: (f / "config.json").unlink(), "no config.json"),
    ],
)
def test_damaged_models_are_one_clear_error(tiny_vit, copy, damage, complaint):
    folder = copy(tiny_vit)
    damage(folder)
    with pytest.raises(SourceError, match=complaint):
        features(folder, pictures())


def test_truncated_weights_are_one_clear_error(tiny_vit, copy):
    folder = copy(tiny_vit)
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match="cannot be loaded"):
        features(folder, pictures())


def test_missing_weights_are_never_filled_with_random_ones(tiny_vit, copy):
    from safetensors.torch import load_file, save_file

    folder = copy(tiny_vit)
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in weights if "layer" in name and name.endswith("weight"))
    del weights[lost]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(SourceError, match="do not fit"):
        features(folder, pictures())


def test_an_untrained_pooler_fails_only_where_it_is_tapped(tiny_vit, copy):
    from safetensors.torch import load_file, save_file

    folder = copy(tiny_vit)
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("pooler.")}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    assert features(folder, pictures()).shape == (3, 16)
    with pytest.raises(SourceError, match="do not fit"):
        features(folder, pictures(), "#pooler_output")


def test_a_model_that_needs_its_own_code_is_refused(tiny_bert, copy):
    folder = copy(tiny_bert, model_type="unheard-of", auto_map={"AutoModel": "evil.Model"})
    (folder / "evil.py").write_text("raise SystemExit('executed')")
    source = Source.parse(f"hf:{folder}#last_hidden_state/mean")
    with pytest.raises(TrustError, match="code of its own"):
        HuggingFaceProvider().load(source, LoadOptions())


def test_an_attention_kernel_of_another_repository_is_refused(tiny_bert, copy):
    folder = copy(tiny_bert, attn_implementation="evil/kernel", _attn_implementation="evil/kernel")
    with pytest.raises(TrustError, match="evil/kernel"):
        features(folder, TEXTS)


def test_an_attention_of_transformers_own_is_not_the_configurations_to_choose(tiny_bert, copy):
    folder = copy(tiny_bert, attn_implementation="flash_attention_2", _attn_implementation="eager")
    np.testing.assert_array_equal(features(folder, TEXTS), features(tiny_bert, TEXTS))


def test_an_index_that_leaves_the_folder_is_refused(tiny_bert, copy):
    folder = copy(tiny_bert)
    (folder / "model.safetensors").rename(folder.parent / "w.safetensors")
    index = {"metadata": {}, "weight_map": {"x": "../w.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(TrustError, match="outside"):
        HuggingFaceProvider().describe(Source.parse(f"hf:{folder}"), LoadOptions())


def test_a_hub_name_is_found_in_the_local_cache_with_its_commit(tiny_bert, tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "hub" / "models--org--name"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    shutil.copytree(tiny_bert, repo / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    source = Source.parse("hf:org/name")
    contract = HuggingFaceProvider().describe(source, LoadOptions(offline=True))
    assert contract.revision == commit


def test_a_hub_name_that_is_not_in_the_cache_says_so_offline(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(SourceError, match="not in the Hub's local cache") as caught:
        HuggingFaceProvider().describe(Source.parse("hf:org/name"), LoadOptions(offline=True))
    assert "--offline" in caught.value.hint


def test_a_folder_that_is_not_there_says_so():
    with pytest.raises(SourceError, match=r"no folder '\./nowhere'"):
        HuggingFaceProvider().describe(Source.parse("hf:./nowhere"), LoadOptions())


def test_a_part_of_an_untrained_pooler_is_no_tap_either(tiny_vit, copy):
    from safetensors.torch import load_file, save_file

    folder = copy(tiny_vit)
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("pooler.")}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    for tap in ("#pooler", "#pooler.dense"):
        with pytest.raises(SourceError, match="do not fit"):
            features(folder, pictures(), tap)


def test_hidden_states_are_taps_by_their_number(tiny_bert):
    rows = features(tiny_bert, TEXTS, "#hidden_states.2/mean")
    np.testing.assert_allclose(rows, features(tiny_bert, TEXTS), rtol=1e-6)
    assert not np.allclose(features(tiny_bert, TEXTS, "#hidden_states.0/mean"), rows)


def test_weights_of_another_shape_are_refused(tiny_bert, copy):
    with pytest.raises(SourceError, match="do not fit"):
        features(copy(tiny_bert, intermediate_size=48), TEXTS)


def test_a_vocabulary_file_of_any_name_enters_the_key(tiny_bert, copy):
    folder = copy(tiny_bert)
    source = Source.parse(f"hf:{folder}")
    before = HuggingFaceProvider().describe(source, LoadOptions()).digest()
    (folder / "spm.model").write_bytes(b"pieces")
    assert HuggingFaceProvider().describe(source, LoadOptions()).digest() != before


@pytest.mark.parametrize("length", ["x", 0, -3, True, 1.5])
def test_a_length_that_is_no_length_is_refused(tiny_bert, copy, length):
    folder = copy(tiny_bert)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": length}))
    with pytest.raises(SourceError, match="max_seq_length"):
        HuggingFaceProvider().describe(Source.parse(f"hf:{folder}"), LoadOptions())


def test_a_folder_that_states_no_preprocessing_says_so(tiny_vit, copy):
    folder = copy(tiny_vit)
    for content in (None, "{}"):
        (folder / "preprocessor_config.json").unlink(missing_ok=True)
        if content is not None:
            (folder / "preprocessor_config.json").write_text(content)
        with pytest.raises(SourceError, match="neither how images nor how texts"):
            HuggingFaceProvider().describe(Source.parse(f"hf:{folder}"), LoadOptions())
