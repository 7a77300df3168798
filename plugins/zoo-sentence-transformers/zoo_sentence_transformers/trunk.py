"""Sentence Transformers' modules as a frozen backbone: texts in, one row a text out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.backbones import TorchTrunk
from zoo.plugin import Contract, Features, LoadOptions, SourceError

if TYPE_CHECKING:
    from zoo_sentence_transformers.pipeline import Pipeline

# What the library, transformers and torch raise where files do not fit each other.
_UNFIT = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, ImportError)
_POOLER = "pooler."  # above the tokens' vectors: no module of a pipeline reads it


class SentenceTrunk(TorchTrunk):
    """The library's pipeline; it tokenizes, pools and normalises by itself."""

    def __init__(
        self, module: Any, contract: Contract, options: LoadOptions, *, prompt: str
    ) -> None:
        super().__init__(module, contract, options)
        self._prompt = prompt

    def prepare(self, sample: str) -> str:
        """The text itself: the library tokenizes a batch at once."""
        return sample

    def cost(self, prepared: str) -> int:
        """Characters."""
        return len(prepared)

    def collate(self, prepared: list[str]) -> Any:
        """The library's tensors for a batch of texts, the prompt put before each."""
        return self.module().preprocess(prepared, prompt=self._prompt or None)

    def inputs(self, batch: Any) -> dict[str, Any]:
        """The same tensors on the device."""
        device = self.module().device
        return {k: v.to(device) if hasattr(v, "to") else v for k, v in batch.items()}

    def forward(self, batch: Any) -> dict[str, Features]:
        """(b, d) sentence embeddings."""
        import torch

        with torch.inference_mode():
            values = self.module()(self.inputs(batch))[self.contract.tap]
        return {self.contract.tap: Features(values.float())}


def build(pipeline: Pipeline, max_length: int | None, options: LoadOptions) -> Any:
    """The library's model with its weights, on the CPU, in the compute dtype.

    Raises:
        SourceError: files are damaged or do not fit each other, or weights are missing.
    """
    import torch
    import transformers
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as library

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    dtype, folder = getattr(torch, options.compute_dtype), pipeline.snapshot.folder
    try:
        if pipeline.saved:
            model = SentenceTransformer(
                str(folder),
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True, "dtype": dtype},
            )
        else:
            modules = [library.StaticEmbedding.load(str(folder))]
            modules += [library.Normalize() for _ in pipeline.modules[1:]]
            model = SentenceTransformer(modules=modules, device="cpu")
    except (*_UNFIT, SafetensorError) as error:
        first = str(error).strip().partition("\n")[0] or type(error).__name__
        raise SourceError(
            f"'{folder.name}' cannot be loaded: {first[:300]}",
            hint="its files may be damaged, not fit each other, or need code of their own",
        ) from error
    if pipeline.static:
        rows, tokens = model[0].num_embeddings, model[0].tokenizer.get_vocab_size()
        if rows < tokens:
            raise SourceError(
                f"'{folder.name}' has {rows} vectors for {tokens} tokens",
                hint="its tokenizer.json and model.safetensors belong to different models",
            )
    else:
        _check_complete(pipeline, model[0].auto_model)
        model.max_seq_length = max_length
    return model.to(dtype)


def _check_complete(pipeline: Pipeline, module: Any) -> None:
    """Raise SourceError where transformers has filled a weight that no file holds with noise."""
    from safetensors import safe_open

    files = pipeline.modules[0].files
    held: set[str] = set()
    for path in files.weights():
        with safe_open(path, framework="pt") as file:
            held.update(file.keys())
    prefix = f"{module.base_model_prefix}."
    held |= {name.removeprefix(prefix) for name in held}
    if all(name in held or name.startswith(_POOLER) for name, _ in module.named_parameters()):
        return
    # Some names differ because transformers renames them while it loads: it alone can tell.
    import transformers

    _, loading = transformers.AutoModel.from_pretrained(
        files.folder,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    missing = sorted(str(name) for name in loading.get("missing_keys") or [])
    missing = [name for name in missing if not name.startswith(_POOLER)]
    if missing:
        raise SourceError(
            f"the weights of '{files.folder.name}' do not fit: {len(missing)} missing, the first "
            f"is '{missing[0]}'",
            hint="features would be partly random; take a complete checkpoint",
        )
