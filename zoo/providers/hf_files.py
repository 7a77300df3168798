"""The files of a Hugging Face model: from a folder or the Hub, read as data and checked by name."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import settings
from zoo.engine import FileDigests
from zoo.errors import SourceError, TrustError

if TYPE_CHECKING:
    from zoo.plugin import Source

_PATTERNS = ("*.json", "*.txt", "*.model", "model*.safetensors", "1_Pooling/*", "README.md")
_TOKENIZER = (
    "added_tokens.json merges.txt special_tokens_map.json tokenizer.json tokenizer_config.json "
    "vocab.json vocab.txt"
).split()
_MAX_JSON = 64 << 20
_LONGEST = 300  # characters of a foreign message in a line of ours
_UNREACHABLE = " and the Hub cannot be reached"
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Snapshot:
    """A folder of model files, with the commit it was pinned to (empty for local folders)."""

    folder: Path
    revision: str

    def read(self, name: str) -> dict[str, Any] | None:
        """A JSON object, or None where there is no such file; raises SourceError on damage."""
        path = self.folder / name
        if not path.is_file():
            return None
        if path.stat().st_size > _MAX_JSON:
            raise SourceError(f"'{path}' is too large for a configuration")
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError, RecursionError) as error:
            raise SourceError(f"'{path}' is not valid JSON: {error}") from error
        if not isinstance(value, dict):
            raise SourceError(f"'{path}' does not hold a JSON object")
        return value

    def weights(self) -> list[Path]:
        """The safetensors files; raises SourceError where there are none.

        Raises:
            TrustError: the index names a file outside the folder.
        """
        single = self.folder / "model.safetensors"
        if single.is_file():
            return [single]
        index = self.read("model.safetensors.index.json")
        if index is None:
            others = sorted(p.name for p in self.folder.glob("*.bin")) + sorted(
                p.name for p in self.folder.glob("*.pt")
            )
            raise SourceError(
                f"'{self.folder}' has no model.safetensors"
                + (f" (only {others[0]}, a pickle)" if others else ""),
                hint="zoo loads safetensors alone; convert the checkpoint or take another revision",
            )
        names = sorted({str(name) for name in dict(index.get("weight_map") or {}).values()})
        for name in names:
            if Path(name).name != name:
                raise TrustError(
                    f"the weights' index names '{name}', a file outside the model's folder",
                    hint="do not use this model",
                )
            if not (self.folder / name).is_file():
                raise SourceError(f"'{self.folder / name}' is missing")
        if not names:
            raise SourceError(f"'{self.folder}': the weights' index names no file")
        return [self.folder / name for name in names]

    def weights_digest(self) -> str:
        """SHA-256 in hex of the weights file, or over the digests of several."""
        memo = FileDigests(settings.home())
        digests = [memo.sha256(path) for path in self.weights()]
        if len(digests) == 1:
            return digests[0]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def check_weights(self) -> None:
        """Raise SourceError where a file of the Hub's cache is not what its name says.

        Its name is the digest that the Hub stated, and stands for it until the file is read.
        """
        memo = FileDigests(settings.home())
        for path in self.weights():
            blob = path.resolve()
            if blob.parent.name != "blobs" or not _SHA256.match(blob.name):
                continue
            if memo.derived(path, "sha256-as-read", _sha256) != blob.name:
                raise SourceError(
                    f"'{path.name}' of '{self.folder}' is damaged: it is not the file that the "
                    "Hub stated",
                    hint=f"remove '{blob}' and run again",
                )

    def has_tokenizer(self) -> bool:
        """Whether there is a file that a tokenizer can be made of."""
        extras = {"special_tokens_map.json", "added_tokens.json", "tokenizer_config.json"}
        return any(name not in extras for name in self._tokenizer_files())

    def tokenizer_digest(self) -> str:
        """SHA-256 in hex over the tokenizer's files; raises SourceError where there are none."""
        if not self.has_tokenizer():
            raise SourceError(f"'{self.folder}' has no tokenizer files")
        sha = hashlib.sha256()
        for name in self._tokenizer_files():
            content = (self.folder / name).read_bytes()
            sha.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
        return sha.hexdigest()

    def _tokenizer_files(self) -> list[str]:
        models = [path.name for path in self.folder.glob("*.model")]  # SentencePiece, any name
        versions = [path.name for path in self.folder.glob("tokenizer.*.json")]
        names = sorted({*_TOKENIZER, *models, *versions})
        return [name for name in names if (self.folder / name).is_file()]


def open_snapshot(
    source: Source, *, offline: bool, patterns: Sequence[str] = _PATTERNS
) -> Snapshot:
    """The model's files: the folder itself, or the Hub's cache, filled by a download if need be.

    Args:
        source: whose reference is a folder, or a name on the Hub.
        offline: look into the cache alone.
        patterns: what to download, as shell patterns of paths.

    Raises:
        SourceError: no such folder, no such model or revision, or it is not in the cache offline.
    """
    if source.weights:
        raise SourceError(
            f"{source.provider}: takes no ?weights=", hint="its weights belong to the folder"
        )
    folder = source.path
    if folder is not None:
        if not folder.is_dir():
            raise SourceError(
                f"there is no folder '{source.reference}'",
                hint=f"a Hub name has the form {source.provider}:org/name, without ./",
            )
        return Snapshot(folder, "")
    return _from_hub(source, patterns, offline=settings.offline(flag=offline))


def _from_hub(source: Source, patterns: Sequence[str], *, offline: bool) -> Snapshot:
    import huggingface_hub as hub
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    # What it warns of ends in one line of ours, or well.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        folder = hub.snapshot_download(
            source.reference,
            revision=source.revision or None,
            allow_patterns=list(patterns),
            local_files_only=offline,
        )
    except Exception as error:  # its HTTP library's errors have no base that lasted
        raise _explained(error, source, offline=offline) from error
    path = Path(folder)
    return Snapshot(path, path.name)


def _explained(error: Exception, source: Source, *, offline: bool) -> SourceError:  # noqa: PLR0911
    """What went wrong between the Hub and its cache here, and what to do about it."""
    from huggingface_hub import errors

    name = source.reference + (f"@{source.revision}" if source.revision else "")
    # What the server said, also where the cache was looked into after it.
    said = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    status = getattr(said, "status_code", None)
    if isinstance(error, errors.HFValidationError):
        return SourceError(
            f"'{source.reference}' is not a Hub name",
            hint=f"{source.provider}:org/name or {source.provider}:./folder",
        )
    if isinstance(error, errors.GatedRepoError):
        return SourceError(
            f"'{name}' is gated", hint="ask for access on its page, then set HF_TOKEN"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return SourceError(
            f"'{source.reference}' has no revision '{source.revision or 'main'}'",
            hint="a branch, a tag or a commit of 40 digits",
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return SourceError(
            f"there is no model '{name}' on the Hub, or it is private",
            hint="check the name; for a private model set HF_TOKEN",
        )
    if status in (401, 403):
        return SourceError(
            f"the Hub refuses access to '{name}' ({status})",
            hint="set HF_TOKEN to a token that may read it",
        )
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        part = " whole" if hasattr(error, "snapshot_path") else ""
        why = "" if offline else f" and the Hub answers {status}" if status else _UNREACHABLE
        return SourceError(
            f"'{name}' is not{part} in the Hub's local cache{why}",
            hint="run once without --offline" if offline else "check the network, or use a folder",
        )
    first = " ".join(str(error).split()) or type(error).__name__
    return SourceError(
        f"'{name}' could not be downloaded: {first[:_LONGEST]}",
        hint="run again: files that came whole are kept",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
