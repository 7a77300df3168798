"""Audio families at their published settings: features equal transformers' own on each recording.

`tests/providers/test_hf_audio.py` has the rules one by one, on smaller windows.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from zoo.preprocess import Waveform

LENGTHS = (16000, 4801, 12345, 700, 9999)  # samples at 16 kHz
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
# The published convolutions: a frame of 400 samples every 320.
FRAMES = {
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
# Large checkpoints normalise by layer and take a mask; base ones normalise over time and take none.
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
FULL = 1500  # frames of Whisper's 30 seconds


def wav2vec2_base(t):
    return t.Wav2Vec2Model(t.Wav2Vec2Config(**SIZES, **FRAMES)), t.Wav2Vec2FeatureExtractor()


def wav2vec2_large(t):
    model = t.Wav2Vec2ForCTC(t.Wav2Vec2Config(**SIZES, **FRAMES, **LARGE, vocab_size=32))
    return model, t.Wav2Vec2FeatureExtractor(return_attention_mask=True)


def hubert_base(t):
    return t.HubertModel(t.HubertConfig(**SIZES, **FRAMES)), t.Wav2Vec2FeatureExtractor()


def hubert_large(t):
    model = t.HubertModel(t.HubertConfig(**SIZES, **FRAMES, **LARGE))
    return model, t.Wav2Vec2FeatureExtractor(return_attention_mask=True)


def wav2vec2_raw(t):
    """A checkpoint whose extractor leaves samples as they are."""
    model = t.Wav2Vec2Model(t.Wav2Vec2Config(**SIZES, **FRAMES))
    return model, t.Wav2Vec2FeatureExtractor(do_normalize=False)


def _whisper(t, mels):
    config = t.WhisperConfig(
        vocab_size=20,
        num_mel_bins=mels,
        d_model=16,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    return t.WhisperForConditionalGeneration(config), t.WhisperFeatureExtractor(mels)


def whisper(t):
    return _whisper(t, 80)


def whisper_large_v3(t):
    return _whisper(t, 128)


def ast(t):
    return t.ASTForAudioClassification(t.ASTConfig(**SIZES)), t.ASTFeatureExtractor()


FAMILIES = {
    make.__name__: make
    for make in (
        wav2vec2_base,
        wav2vec2_large,
        wav2vec2_raw,
        hubert_base,
        hubert_large,
        whisper,
        whisper_large_v3,
        ast,
    )
}


def recordings():
    rng = np.random.default_rng(3)
    out = []
    for number, n in enumerate(LENGTHS):
        tone = np.sin(0.05 * (number + 1) * np.arange(n))
        level = 0.1 + 0.15 * number
        out.append(Waveform((level * tone + rng.normal(0, 0.05, n)).astype(np.float32), 16000))
    return out


@pytest.fixture(scope="module")
def folder_of(saved, tmp_path_factory):
    """The folder of a family's small model, made once."""
    import torch
    import transformers

    folders = {}

    def get(name):
        if name not in folders:
            torch.manual_seed(0)
            with warnings.catch_warnings(action="ignore"):  # of AST's filters, as published
                made = FAMILIES[name](transformers)
            folders[name] = saved(tmp_path_factory.mktemp("audio") / name, *made)
        return folders[name]

    return get


def reference(folder):
    """Each recording alone; where frames are of a fixed window, those that begin in sound."""
    import torch
    from transformers import AutoFeatureExtractor, AutoModel

    extractor = AutoFeatureExtractor.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    with torch.no_grad():
        for wave in recordings():
            inputs = extractor(wave.samples, sampling_rate=16000, return_tensors="pt")
            if model.config.model_type == "whisper":
                assert inputs["input_features"].shape[-1] == 2 * FULL
                hidden = model.get_encoder()(inputs["input_features"]).last_hidden_state[0]
                rows.append(hidden[: -(-len(wave.samples) // 320)].mean(dim=0))
            elif model.config.model_type == "audio-spectrogram-transformer":
                rows.append(model(**inputs).pooler_output[0])
            else:
                rows.append(model(**inputs).last_hidden_state[0].mean(dim=0))
    return torch.stack(rows).numpy()


# Said by transformers' own extractor of AST, as published, on the reference's side.
@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values:UserWarning")
@pytest.mark.parametrize("name", FAMILIES)
def test_features_equal_transformers_alone_and_in_a_batch(
    folder_of, backbone_of, assert_golden, name
):
    assert_golden(backbone_of(folder_of(name)), recordings(), reference(folder_of(name)))


@pytest.mark.parametrize(
    ("name", "normalised", "masked"),
    [
        ("wav2vec2_base", True, False),
        ("wav2vec2_large", True, True),
        ("wav2vec2_raw", False, False),
        ("hubert_base", True, False),
        ("hubert_large", True, True),
    ],
)
def test_rate_normalisation_and_mask_rule_are_the_checkpoints(
    folder_of, backbone_of, name, normalised, masked
):
    contract = backbone_of(folder_of(name)).contract
    settings = contract.preprocess["settings"]
    assert contract.preprocess["rate"] == 16000
    assert (settings["do_normalize"], settings["return_attention_mask"]) == (normalised, masked)


def test_nothing_is_said_of_filters_that_a_checkpoint_was_trained_with(
    folder_of, backbone_of, rows_of
):
    assert rows_of(backbone_of(folder_of("ast")), recordings()[:1]).shape == (1, 16)


@pytest.mark.parametrize(("name", "mels"), [("whisper", 80), ("whisper_large_v3", 128)])
def test_whispers_window_is_thirty_seconds_of_log_mel(folder_of, backbone_of, name, mels):
    backbone = backbone_of(folder_of(name))
    settings = backbone.contract.preprocess["settings"]
    assert (settings["chunk_length"], settings["feature_size"]) == (30, mels)
    values, columns = backbone.prepare(recordings()[0])
    assert values.shape == (mels, 2 * FULL)
    assert columns.sum() == 100  # a hundredth of a second each
