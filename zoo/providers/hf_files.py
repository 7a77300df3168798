"""The files of a Hugging Face model: from a folder or the Hub, read as data and checked by name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import settings
from zoo.engine import FileDigests
from zoo.errors import SourceError, TrustError

if TYPE_CHECKING:
    from zoo.plugin import Source

_PATTERNS = ["*.json", "*.txt", "*.model", "model*.safetensors", "1_Pooling/*"]
_TOKENIZER = (
    "added_tokens.json merges.txt special_tokens_map.json tokenizer.json tokenizer_config.json "
    "vocab.json vocab.txt"
).split()
_MAX_JSON = 64 << 20


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
        return [name for name in sorted({*_TOKENIZER, *models}) if (self.folder / name).is_file()]


def open_snapshot(source: Source, *, offline: bool) -> Snapshot:
    """The model's files: the folder itself, or the Hub's cache, filled by a download if need be.

    Raises:
        SourceError: no such folder, no such model or revision, or it is not in the cache offline.
    """
    if source.weights:
        raise SourceError("hf: takes no ?weights=", hint="its weights belong to the folder")
    folder = source.path
    if folder is not None:
        if not folder.is_dir():
            raise SourceError(
                f"there is no folder '{source.reference}'",
                hint="a Hub name has the form hf:org/name, without ./",
            )
        return Snapshot(folder, "")
    return _from_hub(source, offline=settings.offline(flag=offline))


def _from_hub(source: Source, *, offline: bool) -> Snapshot:
    import huggingface_hub as hub
    from huggingface_hub import errors
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    name = source.reference + (f"@{source.revision}" if source.revision else "")
    try:
        folder = hub.snapshot_download(
            source.reference,
            revision=source.revision or None,
            allow_patterns=_PATTERNS,
            local_files_only=offline,
        )
    except errors.HFValidationError as error:
        raise SourceError(
            f"'{source.reference}' is not a Hub name", hint="hf:org/name or hf:./folder"
        ) from error
    except errors.GatedRepoError as error:
        raise SourceError(
            f"'{name}' is gated", hint="ask for access on its page, then set HF_TOKEN"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise SourceError(f"'{source.reference}' has no revision '{source.revision}'") from error
    except errors.RepositoryNotFoundError as error:
        raise SourceError(
            f"there is no model '{name}' on the Hub, or it is private",
            hint="check the name; for a private model set HF_TOKEN",
        ) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise SourceError(
            f"'{name}' is not in the Hub's local cache"
            + ("" if offline else " and the Hub cannot be reached"),
            hint="run once without --offline" if offline else "check the network, or use a folder",
        ) from error
    except (errors.HfHubHTTPError, OSError) as error:
        raise SourceError(f"'{name}' could not be downloaded: {error}") from error
    path = Path(folder)
    return Snapshot(path, path.name)
