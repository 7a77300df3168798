"""Text families: features equal transformers' own on each text alone, whatever its batch."""

from __future__ import annotations

import json

import pytest

PIECES = [
    *"[PAD] [UNK] [CLS] [SEP] [MASK]".split(),
    *"good bad the a film was very not gene ##tic protein ##s Protein é".split(),
]
TEXTS = [
    "the film was good",
    "bad",
    "a very very very good film not the bad film and then some more words that nobody knows",
    "Protein proteins  genetic",
    "é … 😀\tthe",
]
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
LENGTH = 12


def wordpieces(t, *, lower=True, kind="BertTokenizer"):
    vocabulary = {piece: i for i, piece in enumerate(PIECES)}
    return getattr(t, kind)(vocab=vocabulary, do_lower_case=lower, model_max_length=LENGTH)


def letters(t, kind, *special):
    """Bytes as tokens: what byte-level tokenizers fall back to."""
    from tokenizers import pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*special, *alphabet])}
    return getattr(t, kind)(vocab=vocabulary, merges=[], model_max_length=LENGTH)


def bert(t):
    config = t.BertConfig(**SIZES, vocab_size=len(PIECES), max_position_embeddings=LENGTH)
    return t.BertModel(config), wordpieces(t)


def cased_bert(t):
    """Of a domain: its own words, in capitals too, and a checkpoint with a classifier."""
    config = t.BertConfig(**SIZES, vocab_size=len(PIECES), max_position_embeddings=LENGTH)
    return t.BertForSequenceClassification(config), wordpieces(t, lower=False)


def distilbert(t):
    config = t.DistilBertConfig(
        dim=16,
        n_layers=2,
        n_heads=2,
        hidden_dim=32,
        vocab_size=len(PIECES),
        max_position_embeddings=LENGTH,
    )
    return t.DistilBertModel(config), wordpieces(t, kind="DistilBertTokenizer")


def electra(t):
    config = t.ElectraConfig(
        **SIZES, embedding_size=8, vocab_size=len(PIECES), max_position_embeddings=LENGTH
    )
    return t.ElectraModel(config), wordpieces(t)


def mpnet(t):
    """Numbers positions from two on, as RoBERTa does."""
    config = t.MPNetConfig(
        **SIZES, vocab_size=300, max_position_embeddings=LENGTH + 2, pad_token_id=1
    )
    vocabulary = {
        w: i for i, w in enumerate(["<s>", "<pad>", "</s>", "[UNK]", "<mask>", *PIECES[5:]])
    }
    return t.MPNetModel(config), t.MPNetTokenizer(vocab=vocabulary, model_max_length=64)


def roberta(t):
    """Positions start behind the padding's, so that a table of 14 numbers 12 tokens."""
    config = t.RobertaConfig(
        **SIZES, vocab_size=300, max_position_embeddings=LENGTH + 2, pad_token_id=1
    )
    tokenizer = letters(t, "RobertaTokenizer", "<s>", "<pad>", "</s>", "<unk>", "<mask>")
    return t.RobertaForMaskedLM(config), tokenizer


def modernbert(t):
    config = t.ModernBertConfig(
        **SIZES,
        vocab_size=len(PIECES),
        max_position_embeddings=LENGTH,
        local_attention=4,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        cls_token_id=2,
        sep_token_id=3,
    )
    return t.ModernBertModel(config), wordpieces(t)


ENCODERS = {
    make.__name__: make
    for make in (bert, cased_bert, distilbert, electra, mpnet, roberta, modernbert)
}


def gpt2(t):
    """Its tokenizer has no pad token."""
    config = t.GPT2Config(vocab_size=300, n_positions=LENGTH, n_embd=16, n_layer=2, n_head=2)
    return t.GPT2LMHeadModel(config), letters(t, "GPT2Tokenizer", "<|endoftext|>")


def _decoder(t, kind, **more):
    config = getattr(t, f"{kind}Config")(
        **{
            **SIZES,
            "vocab_size": 300,
            "num_key_value_heads": 1,
            "max_position_embeddings": LENGTH,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "pad_token_id": None,
            **more,
        }
    )
    model = getattr(t, f"{kind}ForCausalLM")(config)
    return model, letters(t, "GPT2Tokenizer", "<|endoftext|>")


def llama(t):
    return _decoder(t, "Llama")


def mistral(t):
    return _decoder(t, "Mistral", sliding_window=4)


def qwen2(t):
    return _decoder(t, "Qwen2")


def qwen3(t):
    return _decoder(t, "Qwen3", head_dim=8)


def gemma2(t):
    return _decoder(t, "Gemma2", head_dim=8, sliding_window=4)


def gpt_neox(t):
    config = t.GPTNeoXConfig(**SIZES, vocab_size=300, max_position_embeddings=LENGTH)
    return t.GPTNeoXForCausalLM(config), letters(t, "GPT2Tokenizer", "<|endoftext|>")


def opt(t):
    config = t.OPTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=32,
        vocab_size=300,
        max_position_embeddings=LENGTH,
        word_embed_proj_dim=16,
    )
    return t.OPTForCausalLM(config), letters(t, "GPT2Tokenizer", "<|endoftext|>")


DECODERS = {
    make.__name__: make for make in (gpt2, llama, mistral, qwen2, qwen3, gemma2, gpt_neox, opt)
}


def _t5(t, kind):
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), ("▁", -2.0)]
    words = "good bad the a film was very not".split()
    pieces += [(f"▁{word}", -3.0) for word in words]
    pieces += [(letter, -5.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    config = getattr(t, f"{kind}Config")(
        vocab_size=len(pieces) + 4, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2
    )
    tokenizer = t.T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=LENGTH)
    return getattr(t, f"{kind}ForConditionalGeneration")(config), tokenizer


def t5(t):
    return _t5(t, "T5")


def mt5(t):
    return _t5(t, "MT5")


ENCODER_DECODERS = {make.__name__: make for make in (t5, mt5)}
ALL = {**ENCODERS, **DECODERS, **ENCODER_DECODERS}


@pytest.fixture(scope="module")
def folder_of(saved, tmp_path_factory):
    """The folder of a family's small model, made once."""
    import torch
    import transformers

    folders = {}

    def get(name):
        if name not in folders:
            torch.manual_seed(0)
            folders[name] = saved(tmp_path_factory.mktemp("texts") / name, *ALL[name](transformers))
        return folders[name]

    return get


def alone(folder):
    """`last_hidden_state` of each text by itself, (t, d), through transformers' own pipeline."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    with torch.no_grad():
        return [
            model(
                **tokenizer(text, truncation=True, max_length=LENGTH, return_tensors="pt")
            ).last_hidden_state[0]
            for text in TEXTS
        ]


def stacked(rows):
    import torch

    return torch.stack(list(rows)).numpy()


@pytest.mark.parametrize("name", [*ENCODERS, *ENCODER_DECODERS])
def test_an_encoder_gives_the_mean_of_its_tokens(folder_of, backbone_of, assert_golden, name):
    backbone = backbone_of(folder_of(name))
    assert (backbone.contract.tap, backbone.contract.pooling) == ("last_hidden_state", "mean")
    assert backbone.contract.preprocess["max_length"] == LENGTH
    assert_golden(backbone, TEXTS, stacked(h.mean(dim=0) for h in alone(folder_of(name))))


@pytest.mark.parametrize("name", ENCODERS)
def test_the_first_token_is_a_pooling(folder_of, backbone_of, assert_golden, name):
    backbone = backbone_of(folder_of(name), "#last_hidden_state/cls")
    assert_golden(backbone, TEXTS, stacked(h[0] for h in alone(folder_of(name))))


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_gives_its_last_token_without_a_pad_token(
    folder_of, backbone_of, assert_golden, name
):
    from transformers import AutoTokenizer

    assert AutoTokenizer.from_pretrained(folder_of(name)).pad_token is None
    backbone = backbone_of(folder_of(name))
    assert backbone.contract.pooling == "last"
    assert_golden(backbone, TEXTS, stacked(h[-1] for h in alone(folder_of(name))))


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "t5"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_in_half_precision_and_in_shards_are_computed_in_float32(
    saved, backbone_of, assert_golden, tmp_path, name, dtype
):
    """Each weight is widened as it is stored, as with ``dtype=float32`` in transformers."""
    import torch
    import transformers

    torch.manual_seed(0)
    model, tokenizer = ALL[name](transformers)
    folder = saved(tmp_path, model.to(getattr(torch, dtype)), tokenizer, max_shard_size="6KB")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    assert not (folder / "model.safetensors").exists()
    assert json.loads((folder / "config.json").read_text())["dtype"] == dtype
    hidden = alone(folder)
    want = [h[-1] for h in hidden] if name in DECODERS else [h.mean(dim=0) for h in hidden]
    assert want[0].dtype == torch.float32
    assert_golden(backbone_of(folder), TEXTS, stacked(want))
