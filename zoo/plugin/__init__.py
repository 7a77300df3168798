"""All that a plugin author needs: what to implement, what to register, what comes in."""

from zoo.errors import DataError, MissingExtraError, SourceError, UsageError, ZooError
from zoo.plugin.contract import Contract
from zoo.plugin.dataset import Blob, DataOptions, Dataset, DatasetReader, Item, Target
from zoo.plugin.entry import API_VERSION, Entry, Section
from zoo.plugin.head import ArrayRows, FitReport, Fold, Head, Rows, SearchResult
from zoo.plugin.hookspecs import hookimpl
from zoo.plugin.provider import Backbone, Facts, Features, Found, LoadOptions, Provider
from zoo.plugin.reference import Reference
from zoo.plugin.source import Source

__all__ = [
    "API_VERSION",
    "ArrayRows",
    "Backbone",
    "Blob",
    "Contract",
    "DataError",
    "DataOptions",
    "Dataset",
    "DatasetReader",
    "Entry",
    "Facts",
    "Features",
    "FitReport",
    "Fold",
    "Found",
    "Head",
    "Item",
    "LoadOptions",
    "MissingExtraError",
    "Provider",
    "Reference",
    "Rows",
    "SearchResult",
    "Section",
    "Source",
    "SourceError",
    "Target",
    "UsageError",
    "ZooError",
    "hookimpl",
]
