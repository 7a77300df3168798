"""What is known of Hugging Face model families: where features are, and how images are prepared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.errors import SourceError
from zoo.providers import taps

if TYPE_CHECKING:
    from zoo.plugin import Source

_FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # Pillow's numbers

# Tap and pooling by model_type. Convolutional trunks pool by themselves; transformers on images
# are read at the class token after the last norm (what their classifiers see; `pooler_output` of
# many is an untrained layer); on texts at the masked mean.
_POOLED = ("pooler_output", "none")
_CLS = ("last_hidden_state", "cls")
_MEAN = ("last_hidden_state", "mean")
# Each token sees those before it alone, so the last one has seen the text.
_DECODERS = frozenset(
    "bloom codegen cohere falcon gemma gemma2 gemma3_text gpt2 gpt_bigcode gpt_neo gpt_neox gptj "
    "granite llama mistral mixtral mpt olmo olmo2 opt phi phi3 qwen2 qwen2_moe qwen3 qwen3_moe "
    "smollm3 stablelm starcoder2 xglm".split()
)
_TAPS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        "bit convnext convnextv2 efficientnet levit mobilenet_v1 mobilenet_v2 mobilevit "
        "mobilevitv2 regnet resnet swin swinv2".split(),
        _POOLED,
    ),
    **dict.fromkeys(
        "deit dinov2 dinov2_with_registers dinov3_vit vit vit_mae vit_msn".split(), _CLS
    ),
    **dict.fromkeys(["clip_vision_model", "siglip_vision_model"], _POOLED),
    **dict.fromkeys(
        "data2vec-audio hubert unispeech unispeech-sat wav2vec2 wavlm whisper".split(), _MEAN
    ),
    "audio-spectrogram-transformer": _POOLED,
    **dict.fromkeys(["clip_text_model", "siglip_text_model"], _POOLED),
    "fnet": _CLS,  # a mean would count padding
    **dict.fromkeys(_DECODERS, ("last_hidden_state", "last")),
    # Of encoder-decoders the encoder alone is run.
    **dict.fromkeys(
        "bart bigbird_pegasus blenderbot led longt5 m2m_100 marian mbart mt5 pegasus plbart "
        "prophetnet switch_transformers t5 umt5".split(),
        _MEAN,
    ),
    **dict.fromkeys(["beit", "ijepa", "poolformer", "pvt", "pvt_v2"], _MEAN),
    **dict.fromkeys(
        "albert bert big_bird camembert canine convbert data2vec-text deberta deberta-v2 "
        "distilbert electra ernie flaubert funnel ibert layoutlm longformer luke "
        "megatron-bert mobilebert "
        "modernbert mpnet nomic_bert nystromformer rembert roberta roberta-prelayernorm roformer "
        "splinter squeezebert xlm xlm-roberta xlm-roberta-xl xlnet xmod".split(),
        _MEAN,
    ),
}
# Positions that a position table holds beyond the tokens it can number (RoBERTa's padding offset).
_OFFSET_POSITIONS = frozenset(
    ("camembert", "data2vec-text", "ibert", "luke", "mpnet", "roberta", "xlm-roberta", "xmod")
)
# Image processors that resize, crop, rescale and normalise and do nothing else, with the values
# that their classes supply for keys a file leaves out.
_IMAGENET_HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
_CLIP_STATS = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
_SQUARE_224 = {"height": 224, "width": 224}
_PLAIN: dict[str, dict[str, Any]] = {
    "BitImageProcessor": {"resample": 3, "do_center_crop": True, **_CLIP_STATS},
    "CLIPImageProcessor": {"resample": 3, "do_center_crop": True, **_CLIP_STATS},
    "ConvNextImageProcessor": {"resample": 3, **_IMAGENET_HALF},
    "DeiTImageProcessor": {"resample": 3, "do_center_crop": True, **_IMAGENET_HALF},
    "EfficientNetImageProcessor": {
        "resample": 3,
        "size": {"height": 346, "width": 346},
        "crop_size": {"height": 289, "width": 289},
        "rescale_offset": False,
        "include_top": True,
        **_IMAGENET_HALF,
    },
    "MobileNetV1ImageProcessor": {"resample": 2, "do_center_crop": True, **_IMAGENET_HALF},
    "MobileNetV2ImageProcessor": {"resample": 2, "do_center_crop": True, **_IMAGENET_HALF},
    "PvtImageProcessor": {"resample": 2, **_IMAGENET_HALF},
    "SiglipImageProcessor": {"resample": 3, "size": _SQUARE_224, **_IMAGENET_HALF},
    "ViTImageProcessor": {"resample": 2, "size": _SQUARE_224, **_IMAGENET_HALF},
}


def tap_of(model_type: str) -> tuple[str, str] | None:
    """Default tap and pooling of a family, or None where it is not known."""
    return _TAPS.get(model_type)


def choose_tap(
    source: Source, given: Mapping[str, Any], default: tuple[str, str] | None, model_type: str
) -> tuple[str, str]:
    """Tap and pooling of a source; raises SourceError where neither it nor its family has one."""
    try:
        return taps.choose(source.tap, given, default)
    except SourceError as error:
        raise SourceError(
            f"no default tap is known for models of type '{model_type}'",
            hint="name it: SOURCE#last_hidden_state/mean, or /cls, /last",
        ) from error


def padding_of(model_type: str) -> str:
    """How a batch of texts is padded where the tokenizer's own way would be wrong; else nothing.

    Decoders count positions from the first column, so padding goes behind the text. SigLIP was
    trained on texts that all have its full length, and reads the last position of it. FNet mixes
    all positions and knows no mask: it was trained on full length too.
    """
    if model_type in _DECODERS:
        return "right"
    return "max_length" if model_type in {"siglip_text_model", "fnet"} else ""


def max_positions(config: Mapping[str, Any]) -> int | None:
    """The most tokens that a text model can number, where its configuration says."""
    positions = config.get("max_position_embeddings", config.get("n_positions"))
    if not isinstance(positions, int):
        return None
    return positions - 2 if config.get("model_type") in _OFFSET_POSITIONS else positions


def stated_image(processor: Mapping[str, Any], where: str) -> dict[str, Any]:
    """preprocess.toml's keys from a preprocessor_config.json.

    Raises:
        SourceError: an image processor that does more than is understood, or missing values.
    """
    kind = str(processor.get("image_processor_type") or processor.get("feature_extractor_type", ""))
    kind = (
        kind.removesuffix("Pil").removesuffix("Fast").replace("FeatureExtractor", "ImageProcessor")
    )
    if kind not in _PLAIN:
        raise SourceError(
            f"{where}: image processor '{kind or 'not named'}' is not supported",
            hint="state its preprocessing with --preprocess 'size=...,resize=...,mean=...,std=...'",
        )
    merged = {
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        **_PLAIN[kind],
        **processor,
    }
    unknown = [
        key for key in ("do_pad", "do_flip_channel_order", "do_reduce_labels") if merged.get(key)
    ]
    if unknown:
        raise SourceError(f"{where}: '{unknown[0]}' of {kind} is not supported")
    out: dict[str, Any] = {"input": "image", "filter": _filter(merged["resample"], where)}
    out["scale"] = float(merged.get("rescale_factor", 1 / 255)) if merged["do_rescale"] else 1.0
    normalise = merged["do_normalize"]
    out["mean"] = _numbers(merged["image_mean"], where) if normalise else [0.0]
    out["std"] = _numbers(merged["image_std"], where) if normalise else [1.0]
    if kind == "EfficientNetImageProcessor":
        out |= _efficientnet(merged, out, where)
    resize = _resize(merged, where)
    if kind == "ConvNextImageProcessor" and isinstance(resize, int):
        edge = resize
        crop = float(merged.get("crop_pct") or 224 / 256)
        small = edge < 384  # from 384 pixels on the image is warped, not cropped
        return {
            **out,
            "size": edge,
            "resize": int(edge / crop) if small else "exact",
            "crop": "center" if small else "none",
        }
    cropped = bool(merged.get("do_center_crop"))
    size = _size(merged.get("crop_size"), where) if cropped else resize
    if not isinstance(size, list):
        raise SourceError(
            f"{where}: images keep their shape (shortest edge {resize}), so they fit no batch",
            hint="fix it: --preprocess 'size=224,crop=center'",
        )
    return {**out, "size": size, "resize": resize, "crop": "center" if cropped else "none"}


def _efficientnet(
    merged: Mapping[str, Any], stated: Mapping[str, Any], where: str
) -> dict[str, list[float]]:
    """Its mean and std: pixels may start at -1, and classifiers divide by std twice."""
    mean, std = stated["mean"], stated["std"]
    if merged["rescale_offset"]:
        mean = [x + 1.0 for x in mean]
    if merged["include_top"]:
        own = _numbers(merged["image_std"], where)
        std = [x * x for x in own] if merged["do_normalize"] else own
    return {"mean": mean, "std": std}


def _resize(merged: Mapping[str, Any], where: str) -> int | list[int] | str:
    if not merged["do_resize"]:
        return "none"
    size = merged.get("size")
    if isinstance(size, Mapping) and "shortest_edge" in size and "longest_edge" not in size:
        return int(size["shortest_edge"])
    if isinstance(size, int):
        square = bool(merged.get("default_to_square", not merged.get("do_center_crop")))
        return [size, size] if square else size
    return _size(size, where)


def _size(value: Any, where: str) -> list[int]:
    if isinstance(value, int):
        return [value, value]
    if isinstance(value, Mapping) and {"height", "width"} <= set(value):
        return [int(value["height"]), int(value["width"])]
    if isinstance(value, Mapping) and set(value) == {"shortest_edge"}:
        return [int(value["shortest_edge"])] * 2
    raise SourceError(f"{where}: image size {value!r} is not understood")


def _filter(value: Any, where: str) -> str:
    if not isinstance(value, int) or not 0 <= value < len(_FILTERS):
        raise SourceError(f"{where}: resampling filter {value!r} is not known")
    return _FILTERS[value]


def _numbers(value: Any, where: str) -> list[float]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(x, int | float) for x in values):
        raise SourceError(f"{where}: {value!r} is not a list of numbers")
    return [float(x) for x in values]
