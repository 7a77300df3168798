"""Every built-in entry, by name; the registry treats them as it treats a stranger's."""

from __future__ import annotations

from zoo.plugin import Entry, hookimpl
from zoo.plugin.source import is_path


@hookimpl
def zoo_register_providers() -> list[Entry]:
    """The built-in providers."""
    return [
        Entry("hf", "zoo.providers.hf:HuggingFaceProvider", "Hugging Face Hub name or folder"),
        Entry(
            "torchhub",
            "zoo.providers.torchhub:TorchHubProvider",
            "torch.hub entry point of a GitHub repository or folder; runs its code",
        ),
        Entry(
            "onnx",
            "zoo.providers.onnx:OnnxProvider",
            "ONNX file with a stated preprocessing",
            requires=("onnxruntime", "onnx"),
            extra="onnx",
        ),
        Entry("builtin", "zoo.providers.builtin:BuiltinProvider", "small backbones of zoo's own"),
    ]


@hookimpl
def zoo_register_datasets() -> list[Entry]:
    """The built-in readers of data, in the order in which they are asked."""
    return [
        Entry("arrays", "zoo.data.arrays:ArraysReader", ".npz with inputs and labels"),
        Entry("parquet", "zoo.data.parquet:ParquetReader", "Parquet, or a saved HF data set"),
        Entry("webdataset", "zoo.data.webdataset:WebDatasetReader", "tar shards of samples"),
        Entry("listed", "zoo.data.listed:ListedReader", "folder with a metadata.csv of its files"),
        Entry("table", "zoo.data.table:TableReader", "CSV or JSONL file, or a folder of them"),
        Entry("folder", "zoo.data.folder:FolderReader", "folder of class folders"),
        Entry("sklearn", "zoo.data.toy:ToyReader", "scikit-learn's own small data sets"),
    ]


@hookimpl
def zoo_register_heads() -> list[Entry]:
    """The built-in heads."""
    return [
        Entry("logistic", "zoo.heads.logistic:LogisticHead", "logistic regression, L2"),
        Entry("ridge", "zoo.heads.ridge:RidgeHead", "ridge regression on class indicators"),
        Entry("lda", "zoo.heads.lda:LdaHead", "linear discriminant analysis, shrunk covariance"),
        Entry("knn", "zoo.heads.knn:KnnHead", "k nearest neighbours"),
        Entry("prototype", "zoo.heads.prototype:PrototypeHead", "nearest class mean"),
    ]


@hookimpl(trylast=True)
def zoo_resolve_source(source: str) -> str | None:
    """Expand a bare ``.onnx`` path, folder or ``org/name``."""
    bare = source.partition("#")[0].partition("?")[0]
    path = is_path(bare)
    if ":" in bare and not path:  # another provider's, which is not installed
        return None
    if bare.endswith(".onnx"):
        return f"onnx:{source}" if path else f"onnx:./{source}"
    if path or bare.partition("@")[0].count("/") == 1:
        return f"hf:{source}"
    return None
