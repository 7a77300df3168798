"""hf: decoders, encoder-decoders and towers give what transformers gives on each sample alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from zoo.backbones.pooling import pool
from zoo.errors import DataError, SourceError
from zoo.plugin import LoadOptions, Source
from zoo.providers.hf import HuggingFaceProvider

WORDS = ["[PAD]", "[UNK]", "[BOS]", "[EOS]", *"good bad the a film was very not".split()]
TEXTS = ["the film was good", "bad", "a very very very good film not the bad film", "the"]
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def tokenizer(*, pad=True, template="$A [EOS]", side="right", inputs=None):
    """Words as tokens; `template` says where special tokens go."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("[BOS]", 2), ("[EOS]", 3)]
    )
    more = {"model_input_names": inputs} if inputs else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        unk_token="[UNK]",
        bos_token="[BOS]",
        eos_token="[EOS]",
        pad_token="[PAD]" if pad else None,
        model_max_length=12,
        padding_side=side,
        **more,
    )


def saved(folder, model, *parts):
    import torch

    with torch.no_grad():  # layers that begin as identities would hide what is mixed up
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    for part in parts:
        part.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Small models with random weights, by name."""
    import torch
    import transformers as t

    root = tmp_path_factory.mktemp("parts")
    torch.manual_seed(0)
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    gpt2 = t.GPT2Config(
        vocab_size=len(WORDS), n_positions=12, n_embd=16, n_layer=2, n_head=2, **special
    )
    llama = t.LlamaConfig(
        **SIZES, vocab_size=len(WORDS), num_key_value_heads=1, max_position_embeddings=64, **special
    )
    t5 = t.T5Config(vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    bart = t.BartConfig(
        vocab_size=len(WORDS),
        max_position_embeddings=16,
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        decoder_start_token_id=3,
        **special,
    )
    image = {**SIZES, "image_size": 32, "patch_size": 8}
    text = {**SIZES, **special, "vocab_size": len(WORDS), "max_position_embeddings": 12}
    clip = t.CLIPConfig(text_config=text, vision_config=image, projection_dim=6)
    siglip = t.SiglipConfig(
        text_config={**text, "projection_size": 16, "max_position_embeddings": 10},
        vision_config=image,
    )
    square = {"height": 32, "width": 32}
    crop = t.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=square)
    none = tokenizer(pad=False, template="$A")
    made = {
        "gpt2": (t.GPT2LMHeadModel(gpt2), none),
        "llama": (t.LlamaForCausalLM(llama), tokenizer(template="[BOS] $A", side="left")),
        "t5": (t.T5ForConditionalGeneration(t5), tokenizer()),
        "bart": (t.BartModel(bart), tokenizer(template="[BOS] $A [EOS]")),
        "clip": (t.CLIPModel(clip), tokenizer(template="[BOS] $A [EOS]"), crop),
        "siglip": (
            t.SiglipModel(siglip),
            tokenizer(inputs=["input_ids"]),
            t.SiglipImageProcessorPil(size=square),
        ),
    }
    return {name: saved(root / name, *parts) for name, parts in made.items()}


def backbone_of(folder, tap="", **options):
    return HuggingFaceProvider().load(Source.parse(f"hf:{folder}{tap}"), LoadOptions(**options))


def features(folder, samples, tap="", **options):
    backbone = backbone_of(folder, tap, **options)
    contract = backbone.contract
    out = backbone.forward(backbone.collate([backbone.prepare(s) for s in samples]))
    values, mask = out[contract.tap].numpy()
    return pool(values, mask, pooling=contract.pooling, layout=contract.layout, tap=contract.tap)


def loaded(folder):
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def pictures():
    rng = np.random.default_rng(0)
    sizes = [(40, 30), (31, 64), (32, 32)]
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for w, h in sizes]


def assert_equal_and_different(got, want):
    """Equality says something only where samples differ."""
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5)
    assert np.abs(want[0] - want[1]).max() > 1e-3


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_decoder_gives_the_last_token_of_each_text_alone(models, name):
    import torch

    model, tokens = loaded(models[name])
    with torch.no_grad():
        rows = [
            model(**tokens(text, return_tensors="pt")).last_hidden_state[0, -1] for text in TEXTS
        ]
    assert_equal_and_different(features(models[name], TEXTS), torch.stack(rows).numpy())


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_decoders_mean_counts_no_padding(models, name):
    import torch

    model, tokens = loaded(models[name])
    with torch.no_grad():
        rows = [
            model(**tokens(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0)
            for text in TEXTS
        ]
    got = features(models[name], TEXTS, "#last_hidden_state/mean")
    assert_equal_and_different(got, torch.stack(rows).numpy())


def test_a_text_without_tokens_is_a_bad_sample(models):
    backbone = backbone_of(models["gpt2"])
    with pytest.raises(DataError, match="no tokens"):
        backbone.prepare("")
    assert len(features(models["llama"], [""])) == 1  # its tokenizer begins every text


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_of_an_encoder_decoder_the_encoder_alone_is_run(models, name):
    import torch

    model, tokens = loaded(models[name])
    with torch.no_grad():
        rows = [
            model.get_encoder()(**tokens(text, return_tensors="pt"))
            .last_hidden_state[0]
            .mean(dim=0)
            for text in TEXTS
        ]
    assert_equal_and_different(features(models[name], TEXTS), torch.stack(rows).numpy())
    whole = sum(p.numel() for p in model.parameters())
    assert backbone_of(models[name]).parameters < whole


def clip_texts(folder, output):
    """Each text alone; SigLIP's are padded to their full length, as it was trained."""
    import torch

    model, tokens = loaded(folder)
    full = (
        {"padding": "max_length", "max_length": 10, "truncation": True}
        if "siglip" in str(folder)
        else {}
    )
    with torch.no_grad():
        outputs = [model.text_model(**tokens(t, return_tensors="pt", **full)) for t in TEXTS]
        rows = [out[output][0] for out in outputs]
        if output == "pooler_output":
            return torch.stack(rows).numpy()
        return torch.stack([row.mean(dim=0) for row in rows]).numpy()


def clip_images(folder):
    import torch
    from transformers import AutoImageProcessor

    model, _ = loaded(folder)
    pixels = AutoImageProcessor.from_pretrained(folder, backend="pil")(
        pictures(), return_tensors="pt"
    )
    with torch.no_grad():
        return model.vision_model(**pixels).pooler_output.numpy()


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_the_modality_of_the_data_chooses_the_tower(models, name):
    folder = models[name]
    assert_equal_and_different(features(folder, pictures(), modality="image"), clip_images(folder))
    got = features(folder, TEXTS, modality="text")
    assert_equal_and_different(got, clip_texts(folder, "pooler_output"))
    assert backbone_of(folder).contract.modality == "image"  # where nothing says


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_a_tap_names_its_tower_and_a_layer_of_it(models, name):
    folder = models[name]
    want = clip_texts(folder, "pooler_output")
    np.testing.assert_array_equal(
        features(folder, TEXTS, "#text"), features(folder, TEXTS, modality="text")
    )
    np.testing.assert_allclose(features(folder, TEXTS, "#text"), want, rtol=1e-3, atol=1e-5)
    hidden = clip_texts(folder, "last_hidden_state")
    got = features(folder, TEXTS, "#text.last_hidden_state/mean")
    assert_equal_and_different(got, hidden)
    np.testing.assert_allclose(
        features(folder, pictures(), "#vision"), clip_images(folder), rtol=1e-3, atol=1e-5
    )
    assert features(folder, pictures(), "#vision.encoder.layers.0/mean").shape == (3, 16)
    # A tap has the last word, so that texts are never taken for images.
    assert backbone_of(folder, "#vision", modality="text").contract.modality == "image"


def test_clips_shared_space_is_a_tap(models):
    import torch
    from transformers import AutoImageProcessor

    folder = models["clip"]
    model, tokens = loaded(folder)
    pixels = AutoImageProcessor.from_pretrained(folder, backend="pil")(
        pictures(), return_tensors="pt"
    )
    with torch.no_grad():
        images = model.get_image_features(**pixels).pooler_output
        texts = [
            model.get_text_features(**tokens(t, return_tensors="pt")).pooler_output for t in TEXTS
        ]
    assert_equal_and_different(features(folder, pictures(), "#vision.embeds"), images.numpy())
    assert_equal_and_different(features(folder, TEXTS, "#text.embeds"), torch.cat(texts).numpy())
    with pytest.raises(SourceError, match="no tap 'embeds'"):
        features(models["siglip"], TEXTS, "#text.embeds")


@pytest.mark.parametrize("tower", ["vision", "text"])
def test_a_tower_without_the_other_is_complete_and_half_a_tower_is_not(models, tmp_path, tower):
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "half"
    shutil.copytree(models["clip"], folder)
    weights = load_file(folder / "model.safetensors")
    samples = pictures() if tower == "vision" else TEXTS
    want = features(folder, samples, f"#{tower}")
    own = {k: v for k, v in weights.items() if k.startswith((f"{tower}_", "visual"))}
    save_file(own, folder / "model.safetensors", {"format": "pt"})
    np.testing.assert_array_equal(features(folder, samples, f"#{tower}"), want)
    lost = next(name for name in own if "layers.1" in name)
    del own[lost]
    save_file(own, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(SourceError, match="do not fit"):
        features(folder, samples, f"#{tower}")


def test_how_texts_are_padded_enters_the_key_where_it_counts(models, tiny_bert):
    def told(folder, tap=""):
        source = Source.parse(f"hf:{folder}{tap}")
        return HuggingFaceProvider().describe(source, LoadOptions()).preprocess

    assert told(models["gpt2"])["padding"] == "right"
    assert told(models["siglip"], "#text")["padding"] == "max_length"
    assert "padding" not in told(tiny_bert)
    assert told(models["siglip"], "#text")["max_length"] == 10


def test_a_processor_of_several_inputs_is_read_too(models, tmp_path):
    import shutil

    folder = tmp_path / "clip"
    shutil.copytree(models["clip"], folder)
    path = folder / "preprocessor_config.json"
    several = {"processor_class": "CLIPProcessor", "image_processor": json.loads(path.read_text())}
    path.unlink()
    (folder / "processor_config.json").write_text(json.dumps(several))
    got = features(folder, pictures())
    np.testing.assert_array_equal(got, features(models["clip"], pictures()))


def test_photos_and_texts_go_through_one_source(models, zoo, photos, reviews):
    model = ("--model", f"hf:{models['clip']}", "--head", "prototype", "--json")
    texts = zoo("transfer", *model, "--data", reviews).json
    images = zoo("transfer", *model, "--data", photos).json
    assert (texts["data"]["rows"], images["data"]["rows"]) == (30, 24)
    told = zoo("predict", texts["run"], reviews, "--json").json
    assert (len(told["predictions"]), told["forwards"]) == (30, 0)
    dry = zoo("extract", "--model", f"hf:{models['clip']}", "--data", photos, "--dry-run", "--json")
    assert dry.json["forwards"] == 0
