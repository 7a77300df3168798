"""Reads WebDataset archives: tar shards whose members of one base name are one sample."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo.data.columns import no_slice
from zoo.data.names import existing, listed, modality_of, short_name, shown
from zoo.data.rows import Row, dataset_of
from zoo.data.shards import expanded, holds, shards
from zoo.data.tar_index import Member, members
from zoo.data.targets import Cell, check_task, label_cell, slice_text
from zoo.errors import DataError
from zoo.plugin import DataOptions, Dataset, DatasetReader, Item

SUFFIXES = (".tar",)
_COMPRESSED = (".tar.gz", ".tgz")
_MAX_TEXT = 16 << 20  # bytes of a label, a JSON object or a text
_GROUP = "group"
_HINT = "name extensions, or fields of .json, with --input, --target and --group"


class WebDatasetReader(DatasetReader):
    """``shard-000000.tar`` and its like, a pattern ``shard-{000000..000003}.tar``, or a folder.

    Nothing is unpacked. The input is the member that ends like an image or audio file, else
    ``.txt``; the label is ``.cls``, else ``label`` in ``.json`` (a list of several too), else
    ``.txt``.
    """

    def claims(self, path: Path) -> bool:
        """A file called .tar, or a folder of them."""
        if path.is_dir():
            return holds(path, SUFFIXES)
        return path.name.lower().endswith((*SUFFIXES, *_COMPRESSED))

    def read(self, reference: str, options: DataOptions) -> Dataset:
        """The samples in the archives' order; items are called ``shard.tar/base.jpg``."""
        check_task(options)
        found, notes = shards(reference, SUFFIXES)
        samples: list[_Sample] = []
        others = 0
        for shard in found:
            inside, more = members(shard.path, shard.name)
            others += more
            samples += _grouped(inside, shard.name, shard.split)
        if others:
            notes += (f"ignored {others} links and special files in archives",)
        root = existing(expanded(reference)[0])
        if not samples:
            raise DataError(f"data {shown(str(root))} holds no files")
        choice = _Choice.of(samples, options)
        rows, modality, more_notes = choice.rows(samples)
        if choice.label == "cls":  # numbers of classes, however many
            options = replace(options, task="class")
        return dataset_of(
            rows,
            options,
            name=short_name(root),
            modality=modality,
            targets=(choice.label,),
            group=choice.group or (_GROUP if any(row.group for row in rows) else None),
            notes=(*notes, *more_notes),
        )


@dataclass(frozen=True, eq=False)
class _Sample:
    """Members by extension, in lower case and without the first dot."""

    archive: str
    key: str
    split: str
    parts: dict[str, Member] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.archive}/{self.key}"

    def text(self, extension: str) -> str | None:
        """A member's text; raises DataError where it is too long or not UTF-8."""
        member = self.parts.get(extension)
        if member is None:
            return None
        where = f"{self.archive}/{member.name}"
        if member.size > _MAX_TEXT:
            raise DataError(f"{shown(where)} has {member.size} bytes, more than {_MAX_TEXT}")
        try:
            return member.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{shown(where)} is not UTF-8") from error

    def fields(self) -> dict[str, Any]:
        """What its .json holds; raises DataError where that is no object."""
        text = self.text("json")
        if text is None:
            return {}
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{shown(self.name + '.json')} is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise DataError(f"{shown(self.name + '.json')} is no JSON object")
        return value


@dataclass(frozen=True)
class _Choice:
    """Which extension is what: the input's or "" for any image or recording; the label's, group's.

    A label or group that is no extension is a field of ``.json``.
    """

    input: str
    label: str
    group: str
    extensions: frozenset[str]
    labelled: bool
    slices: tuple[str, ...] = ()

    @classmethod
    def of(cls, samples: list[_Sample], options: DataOptions) -> _Choice:
        counts = Counter(extension for sample in samples for extension in sample.parts)
        there = frozenset(counts)
        chosen = options.input.removeprefix(".").lower()
        if chosen and chosen not in there:
            raise _lacks(f".{chosen}", there)
        if not chosen and not any(map(_is_plain_media, there)):
            if "txt" not in there:
                raise _lacks("images, recordings or .txt", there)
            chosen = "txt"
        label = options.target.removeprefix(".")
        if label.lower() in there:
            label = label.lower()
        elif not label:
            label = next((e for e in ("cls", "json", "txt") if e in there and e != chosen), "")
            label = "label" if label == "json" else label
        group = options.group.removeprefix(".")
        if options.labelled:
            if not label:
                raise _lacks("labels (.cls, .json or .txt)", there)
            for name in filter(None, (label, group)):
                if name not in there and "json" not in there:
                    raise _lacks(f".{name}", there)
        slices = options.slices if options.labelled else ()
        return cls(chosen, label, group, there, options.labelled, slices)

    def rows(self, samples: list[_Sample]) -> tuple[list[Row], str, tuple[str, ...]]:
        """The rows that have an input, of the commoner modality, which that is, and notes."""
        made: list[tuple[str, Row]] = []
        seen: set[str] = set()
        for sample in samples:
            extension = self.input or _only_media(sample)
            if extension not in sample.parts:
                continue
            modality = modality_of(f"x.{extension}") or "text"
            name = f"{sample.archive}/{sample.parts[extension].name}"
            value = sample.parts[extension] if modality != "text" else sample.text(extension) or ""
            row = Row(Item(name, value), split=sample.split)
            if self.labelled:
                row = self._described(row, sample, seen)
            made.append((modality, row))
        kinds = Counter(kind for kind, _ in made)
        if not kinds:
            raise _lacks("inputs", self.extensions)
        self._check(seen)
        modality = max(kinds, key=lambda kind: (kinds[kind], kind))
        notes: tuple[str, ...] = ()
        if rest := len(made) - kinds[modality]:
            notes += (f"ignored {rest} samples that are no {modality} samples",)
        if without := len(samples) - len(made):
            notes += (f"ignored {without} samples without an input",)
        return [row for kind, row in made if kind == modality], modality, notes

    def _check(self, seen: set[str]) -> None:
        """Raise where no sample has a field that is asked for."""
        wanted = (self.label, self.group) if self.labelled else ()
        for name in filter(None, wanted):
            if name not in self.extensions and name not in seen:
                raise DataError(
                    f"no .json has a field {shown(name)}; they have {listed(sorted(seen))}",
                    hint=_HINT,
                )
        for name in self.slices:
            if name not in self.extensions and name not in seen:
                raise no_slice(name, ".json", sorted(seen))

    def _described(self, row: Row, sample: _Sample, seen: set[str]) -> Row:
        """The row with its label, group and split; `seen` gains the fields of its .json."""
        named = (self.label, self.group, *self.slices)
        asked = any(name and name not in self.extensions for name in named)
        try:
            fields = sample.fields()
        except DataError:
            if asked:
                raise
            fields = {}  # of another use: boxes, captions
        seen.update(fields)
        where = shown(sample.name)

        def told(name: str) -> Cell:
            if name in self.extensions:
                text = sample.text(name)
                return text.strip() if text else None
            return label_cell(fields.get(name), where=f"{where}: field {shown(name)}")

        def one(name: str) -> str:
            value = told(name)
            if isinstance(value, tuple):
                raise DataError(f"{where}: {shown(name)} is a list, not one value")
            return (value or "").strip()

        return replace(
            row,
            cells=(told(self.label),),
            group=one(self.group or _GROUP),
            split=row.split or one("split"),
            slices=tuple(slice_text(told(name), where=where) for name in self.slices),
        )


def _grouped(inside: Iterable[Member], archive: str, split: str) -> list[_Sample]:
    """Samples in the order of their first members."""
    samples: dict[str, _Sample] = {}
    for member in inside:
        folder, slash, last = member.name.rpartition("/")
        base, _, extension = last.partition(".")
        key = f"{folder}{slash}{base}"
        sample = samples.setdefault(key, _Sample(archive, key, split))
        if extension.lower() in sample.parts:
            raise DataError(
                f"{shown(archive)} holds {shown(member.name)} twice",
                hint="members of one base name need different extensions",
            )
        sample.parts[extension.lower()] = member
    return list(samples.values())


def _is_plain_media(extension: str) -> bool:
    """Whether members that end so are inputs by default: ``jpg``, and not ``mask.png``."""
    return "." not in extension and modality_of(f"x.{extension}") is not None


def _only_media(sample: _Sample) -> str:
    """The extension of a sample's one image or recording; "" where it has none."""
    media = sorted(filter(_is_plain_media, sample.parts))
    if len(media) > 1:
        raise DataError(
            f"{shown(sample.name)} holds {listed(f'.{extension}' for extension in media)}",
            hint="choose one with --input",
        )
    return media[0] if media else ""


def _lacks(what: str, there: Iterable[str]) -> DataError:
    return DataError(
        f"the archives hold no {what}; they hold {listed(f'.{e}' for e in sorted(there))}",
        hint=_HINT,
    )
