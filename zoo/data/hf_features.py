"""What Hugging Face data says of its columns: class names, and which hold images or recordings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from zoo.data.names import shown
from zoo.errors import DataError

_MAX_BYTES = 64 << 20
_MEDIA = {"Image": "image", "Audio": "audio", "image": "image", "audio": "audio"}


@dataclass(frozen=True)
class Features:
    """Per column: class names by their code, and the modality of encoded bytes."""

    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    media: Mapping[str, str] = field(default_factory=dict)

    def label(self, column: str, value: object, where: str) -> object:
        """A label as its class is called; -1, which stands for no label there, as None.

        Raises:
            DataError: the code has no class.
        """
        names = self.classes.get(column)
        if names is None or not isinstance(value, int) or isinstance(value, bool):
            return value
        if value == -1:
            return None
        if not 0 <= value < len(names):
            raise DataError(f"{where}: the label {value} is none of {len(names)} classes")
        return names[value]


def from_metadata(metadata: Mapping[bytes, bytes] | None) -> Features:
    """Of an Arrow schema's metadata, which `datasets` writes; empty where there is nothing."""
    try:
        told = json.loads((metadata or {}).get(b"huggingface", b"{}"))
    except (ValueError, RecursionError):
        return Features()
    info = told.get("info") if isinstance(told, dict) else None
    return _typed(info.get("features") if isinstance(info, dict) else None)


def from_folder(folder: Path) -> Features:
    """Of a folder's ``dataset_info.json`` or its ``README.md``'s header; empty where neither is."""
    info = folder / "dataset_info.json"
    if info.is_file():
        try:
            told = json.loads(_text(info))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{shown(info.name)} is not JSON: {error}") from error
        return _typed(_config(told).get("features"))
    card = folder / "README.md"
    return _from_card(_text(card)) if card.is_file() else Features()


def _from_card(text: str) -> Features:
    """Of the YAML between the first two lines ``---``."""
    head, _, rest = text.partition("\n")
    header, end, _ = rest.partition("\n---")
    if head.strip() != "---" or not end:
        return Features()
    import yaml

    try:
        told = yaml.safe_load(header)
    except (yaml.YAMLError, ValueError, RecursionError):  # a card is prose for people first
        return Features()
    listed = _config(told.get("dataset_info") if isinstance(told, dict) else None).get("features")
    classes, media = {}, {}
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            continue
        kind, name = entry.get("dtype"), entry["name"]
        label = kind.get("class_label") if isinstance(kind, dict) else None
        names = label.get("names") if isinstance(label, dict) else None
        if isinstance(names, dict):  # {'0': neg, '1': pos}
            names = [names.get(str(i), names.get(i)) for i in range(len(names))]
        if _are_names(names):
            classes[name] = tuple(map(str, names))
        if isinstance(kind, str) and kind in _MEDIA:
            media[name] = _MEDIA[kind]
    return Features(classes, media)


def _typed(features: Any) -> Features:
    classes, media = {}, {}
    for name, kind in features.items() if isinstance(features, dict) else ():
        if not isinstance(kind, dict):
            continue
        if kind.get("_type") == "ClassLabel" and _are_names(kind.get("names")):
            classes[name] = tuple(map(str, kind["names"]))
        if kind.get("_type") in _MEDIA:
            media[name] = _MEDIA[kind["_type"]]
    return Features(classes, media)


def _are_names(names: Any) -> TypeGuard[list[Any]]:
    """Whether these are class names: all there, not blank, and each another."""
    if not isinstance(names, list) or not names:
        return False
    texts = [str(name).strip() for name in names if isinstance(name, str | int | float)]
    return len(texts) == len(names) == len(set(texts)) and all(texts)


def _config(told: Any) -> dict[str, Any]:
    """The one configuration's information; empty where there are several, which may differ."""
    if isinstance(told, dict) and "features" not in told and len(told) == 1:
        told = next(iter(told.values()))
    if isinstance(told, list) and len(told) == 1:
        told = told[0]
    return told if isinstance(told, dict) else {}


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise DataError(f"{shown(path.name)} cannot be read: {error.strerror}") from error
