"""The code of a torch.hub repository: a local folder, or a GitHub commit kept as it was fetched.

torch.hub's own fetching is not used: it asks on standard input whether to trust, takes whatever
lies in its folder for trusted, and follows a branch wherever it goes.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import secrets
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import settings
from zoo.engine.files import write_file
from zoo.errors import SourceError, StoreError
from zoo.preprocess.stated import BESIDE
from zoo.providers.code_archive import unpack

if TYPE_CHECKING:
    from zoo.plugin import Source

HUBCONF = "hubconf.py"
_FORM = "torchhub:owner/repo[:ref]/entrypoint or torchhub:./folder/entrypoint"
_NAME = re.compile(r"(?!\.+\Z)[A-Za-z0-9_.-]+\Z")
_ENTRY = re.compile(r"[^\W\d]\w*\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_CODE = (".py", ".json", ".yaml", ".yml", ".toml", ".cfg", ".ini")
_MAX_REFS = 64 << 20
_TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True)
class Place:
    """What a source names: an entry point, and where the code is.

    Attributes:
        entry: the function of hubconf.py.
        folder: a local folder, else None.
        repository: ``owner/repo`` on GitHub, else empty.
        ref: branch, tag or commit; empty for the default branch.
    """

    entry: str
    folder: Path | None
    repository: str = ""
    ref: str = ""

    @classmethod
    def of(cls, source: Source) -> Place:
        """From a parsed source; raises SourceError where it is not of the form."""
        wrong = SourceError(f"'{source}' is not of the form {_FORM}", hint=_FORM)
        rest, _, entry = source.reference.rpartition("/")
        if not rest or not _ENTRY.match(entry):
            raise wrong
        if source.path is not None:
            return cls(entry, source.path.parent)
        owner, _, repo = rest.partition("/")
        repo, colon, ref = repo.partition(":")
        if not (_NAME.match(owner) and _NAME.match(repo)) or (colon and not ref):
            raise wrong
        return cls(entry, None, f"{owner}/{repo}", source.revision or ref)


def local(folder: Path) -> Path:
    """The folder itself; raises SourceError where it has no hubconf.py."""
    if not folder.is_dir():
        raise SourceError(f"there is no folder '{folder}'", hint=_FORM)
    if not (folder / HUBCONF).is_file():
        raise SourceError(
            f"'{folder}' has no {HUBCONF}", hint="it is the file that defines entry points"
        )
    return folder


def digest(folder: Path) -> str:
    """SHA-256 in hex over names and contents of a folder's code and configuration files.

    Hidden folders and ``__pycache__`` are left out, and so is what is no code: data and weights
    may lie beside it.
    """
    sha = hashlib.sha256()
    for path in files(folder):
        content = hashlib.sha256(path.read_bytes()).digest()
        sha.update(path.relative_to(folder).as_posix().encode() + b"\0" + content)
    return sha.hexdigest()


def files(folder: Path) -> list[Path]:
    """Code and configuration files of a folder, ordered by path."""
    found = []  # without preprocess.toml, which enters the contract by what it states
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        found += [Path(base, name) for name in names if name.endswith(_CODE) and name != BESIDE]
    return sorted(path for path in found if path.is_file())


def commit_of(place: Place, *, offline: bool) -> str:
    """The commit that a ref stands for now; offline, the one it stood for when last asked.

    Raises:
        SourceError: there is no such repository or ref, or GitHub cannot be reached.
    """
    base = _base(place)
    if _COMMIT.match(place.ref) and (base / place.ref / HUBCONF).is_file():
        return place.ref
    memo = base / "refs.json"
    if offline:
        known = _known(memo).get(place.ref, "")
        if _COMMIT.match(known):
            return known
        raise SourceError(
            f"'{_shown(place)}' has not been fetched yet", hint="run once without --offline"
        )
    commit = _resolve(place, _refs(place))
    if place.ref != commit:
        _write(memo, json.dumps({**_known(memo), place.ref: commit}).encode())
    return commit


def fetched(place: Place, commit: str, *, offline: bool) -> Path:
    """The folder with a commit's files, downloaded unless it is there.

    Raises:
        SourceError: it cannot be downloaded, is no archive of that commit, or has no hubconf.py.
        TrustError: the archive names files outside its folder.
    """
    folder = _base(place) / commit
    if not folder.is_dir():
        if offline:
            raise SourceError(
                f"'{_shown(place)}' has not been fetched yet", hint="run once without --offline"
            )
        temporary = folder.with_name(f"{commit}.{secrets.token_hex(4)}.tmp")
        archive = temporary.with_suffix(".zip")
        try:
            temporary.mkdir(parents=True)
            _download(f"{_server()}/{place.repository}/archive/{commit}.zip", archive, place)
            unpack(archive, temporary, commit=commit, name=place.repository)
            temporary.rename(folder)
        except OSError as error:
            if not folder.is_dir():  # else a neighbour was faster
                raise _unwritable(folder, error) from error
        finally:
            with suppress(OSError):  # where even the folder is refused
                archive.unlink(missing_ok=True)
            shutil.rmtree(temporary, ignore_errors=True)
    return local(folder)


def _server() -> str:
    return os.environ.get("ZOO_GITHUB_URL", "").rstrip("/") or "https://github.com"


def _base(place: Place) -> Path:
    host = re.sub(r"[^\w.-]+", "-", _server().partition("://")[2])
    return settings.home().joinpath("torchhub", host, *place.repository.split("/"))


def _shown(place: Place) -> str:
    return place.repository + (f":{place.ref}" if place.ref else "")


def _known(memo: Path) -> dict[str, str]:
    try:
        known = json.loads(memo.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return {k: v for k, v in known.items() if isinstance(v, str)} if isinstance(known, dict) else {}


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, content, replace=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"'{path}' cannot be written: {error.strerror or error}")


def _refs(place: Place) -> dict[str, str]:
    """Commits of HEAD, branches and tags by full name, as git's own protocol lists them."""
    url = f"{_server()}/{place.repository}.git/info/refs?service=git-upload-pack"
    with _opened(url, place) as response, _receiving(place):
        content = response.read(_MAX_REFS)
    if not content.endswith(b"0000"):  # git's end of a list
        raise _unreachable(place, "its list of branches is not whole")
    refs: dict[str, str] = {}
    at = 0
    while at + 4 <= len(content):
        try:
            length = int(content[at : at + 4], 16)
        except ValueError:
            break
        line = content[at + 4 : at + max(length, 4)].partition(b"\0")[0].decode(errors="replace")
        commit, _, name = line.strip().partition(" ")
        if _COMMIT.match(commit):
            refs[name] = commit
        at += max(length, 4)
    if not refs:
        raise SourceError(f"what '{place.repository}' answers is no list of git's branches")
    return refs


def _resolve(place: Place, refs: dict[str, str]) -> str:
    """A ref's commit among a repository's own branches and tags.

    GitHub serves commits of forks under the name of the repository they were forked from, so a
    commit counts only where a branch or tag of the repository itself stands on it.
    """
    heads = {name[11:]: c for name, c in refs.items() if name.startswith("refs/heads/")}
    tags = {name[10:]: c for name, c in refs.items() if name.startswith("refs/tags/")}
    tags |= {name[:-3]: c for name, c in tags.items() if name.endswith("^{}")}  # what they point to
    if not place.ref and "HEAD" in refs:
        return refs["HEAD"]
    found = {where[place.ref] for where in (heads, tags) if place.ref in where}
    if len(found) > 1:
        raise SourceError(
            f"'{place.ref}' is both a branch and a tag of '{place.repository}'",
            hint=f"name one of the commits {' and '.join(sorted(found))}",
        )
    if found:
        return found.pop()
    if place.ref in {*heads.values(), *tags.values()}:
        return place.ref
    if _COMMIT.match(place.ref):
        raise SourceError(
            f"no branch or tag of '{place.repository}' stands on commit {place.ref}",
            hint="it may be a fork's; name a branch or a tag, or the fork",
        )
    raise SourceError(
        f"'{place.repository}' has no branch or tag '{place.ref}'",
        hint="names are written in full; a commit has 40 digits",
    )


def _opened(url: str, place: Place) -> Any:
    try:
        return urllib.request.urlopen(url, timeout=_TIMEOUT)  # noqa: S310 - the server's own URL
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403, 404):
            raise SourceError(
                f"there is no repository '{place.repository}', or it is private",
                hint="clone it and name the folder: torchhub:./folder/entrypoint",
            ) from error
        raise _unreachable(place, f"it answers {error.code}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _unreachable(place, str(getattr(error, "reason", error))) from error


def _download(url: str, path: Path, place: Place) -> None:
    with _opened(url, place) as response, path.open("wb") as file:
        wanted = response.headers.get("Content-Length")
        with _receiving(place):
            shutil.copyfileobj(response, file)
        got = file.tell()
    if wanted is not None and got != int(wanted):
        raise _unreachable(place, f"it broke off after {got} of {wanted} bytes")


@contextmanager
def _receiving(place: Place) -> Iterator[None]:
    try:
        yield
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _unreachable(place, str(error) or type(error).__name__) from error


def _unreachable(place: Place, reason: str) -> SourceError:
    return SourceError(
        f"'{_shown(place)}' cannot be fetched from {_server()}: {reason}",
        hint="try again, or clone it and name the folder: torchhub:./folder/entrypoint",
    )
