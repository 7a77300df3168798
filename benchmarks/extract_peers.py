"""How other libraries turn the same samples into features, each by its own documented way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from extract_cases import Case

BATCH = 32


def peers(case: Case, threads: int) -> dict[str, Callable[[], Any]]:
    """What to call, by name, with everything loaded; what is not installed is left out."""
    found: dict[str, Callable[[], Any]] = {"transformers pipeline": _pipeline(case)}
    makers: dict[str, Callable[[], Callable[[], Any]]] = {}
    if case.modality == "text":
        makers["sentence-transformers encode"] = lambda: _sentences(case)
    if case.name in _TIMM:
        makers["timm and DataLoader"] = lambda: _timm(case, threads)
    for name, make in makers.items():
        try:
            found[name] = make()
        except ImportError as error:
            print(f"{name} is left out: {error}", flush=True)
    return found


def _pipeline(case: Case) -> Callable[[], Any]:
    import transformers as t

    t.utils.logging.set_verbosity_error()
    if case.modality == "audio":  # it has no pipeline of features: extractor and model by hand
        import soundfile
        import torch

        extractor = t.AutoFeatureExtractor.from_pretrained(case.folder)
        model = t.AutoModel.from_pretrained(case.folder).eval()

        def run() -> None:
            for item in case.items:  # its checkpoints without a mask must not be padded
                samples, rate = soundfile.read(item, dtype="float32")
                inputs = extractor(samples, sampling_rate=rate, return_tensors="pt")
                with torch.inference_mode():
                    model(**inputs).last_hidden_state.mean(dim=1).numpy()

        return run
    pipe = t.pipeline(case.task, model=str(case.folder), device="cpu")
    items = [str(item) for item in case.items]

    def run() -> None:
        for _ in pipe(items, batch_size=BATCH, return_tensors=True):
            pass

    return run


def _sentences(case: Case) -> Callable[[], Any]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(case.folder), device="cpu")
    return lambda: model.encode(case.items, batch_size=BATCH, show_progress_bar=False)


_TIMM = {"vit-s16": "vit_small_patch16_224", "resnet50": "resnet50"}


def _timm(case: Case, threads: int) -> Callable[[], Any]:
    from zoo_timm.timm_import import import_timm  # stands in for torchvision where it cannot load

    timm = import_timm()
    import torch
    from PIL import Image
    from timm.data import create_transform, resolve_model_data_config

    model = timm.create_model(_TIMM[case.name], pretrained=False, num_classes=0).eval()
    transform = create_transform(**resolve_model_data_config(model), is_training=False)

    class Photos(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return len(case.items)

        def __getitem__(self, i: int) -> Any:
            return transform(Image.open(case.items[i]).convert("RGB"))

    def run() -> None:
        loader = torch.utils.data.DataLoader(Photos(), batch_size=BATCH, num_workers=threads)
        with torch.inference_mode():
            for batch in loader:
                model(batch).numpy()

    return run
