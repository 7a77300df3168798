"""``torchhub:owner/repo[:ref]/entrypoint`` or ``torchhub:./folder/entrypoint``: image models."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo import settings
from zoo.backbones.pooling import NUMERICS as POOLING_NUMERICS
from zoo.backbones.torch_taps import LAST_LINEAR
from zoo.engine import FileDigests
from zoo.engine.files import write_file
from zoo.errors import SourceError, StoreError, TrustError
from zoo.plugin import Backbone, Contract, LoadOptions, Provider, Reference, Source
from zoo.preprocess import ImageSpec, read_beside
from zoo.preprocess.plausible import check_beside
from zoo.preprocess.stated import BESIDE, check_keys
from zoo.providers import state_dict, taps, torchhub_code, torchhub_entry
from zoo.providers.torchhub_code import HUBCONF, Place

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Described:
    place: Place
    folder: Path
    weights: Path | None
    stated: dict[str, Any]
    spec: ImageSpec
    contract: Contract


@dataclass(frozen=True)
class _Own:
    """An entry point's own weights: their digest, and whether they differ from seed to seed."""

    digest: str
    random: bool


class TorchHubProvider(Provider):
    """Models that a repository's hubconf.py builds, once the user trusts its code."""

    def describe(self, source: Source, options: LoadOptions) -> Contract:
        """The contract; runs no code but to see which weights an entry point brings by itself.

        Raises:
            TrustError: nobody said that the repository's code may run.
            SourceError: repository, entry point, weights or stated preprocessing are missing.
        """
        return _describe(source, options).contract

    def load(self, source: Source, options: LoadOptions) -> Backbone:
        """The module that the entry point gives, with its weights; raises as `describe` does."""
        return self.load_taps([source], options)

    def load_taps(self, sources: Sequence[Source], options: LoadOptions) -> Backbone:
        """The same with several taps."""
        import torch

        from zoo.backbones.torch_trunk import ImageTrunk

        described, *others = (_describe(source, options) for source in sources)
        module, name = _module(described, options)
        trunk = ImageTrunk(
            module.to(getattr(torch, options.compute_dtype)),
            described.contract,
            options,
            spec=described.spec,
            name=name,
        )
        trunk.also([other.contract for other in others])
        return trunk

    def reference(self, source: Source, options: LoadOptions) -> Reference:
        """Pillow and NumPy before the module that the entry point gives."""
        from zoo.providers.torch_reference import torch_reference

        described = _describe(source, options)
        module, name = _module(described, options)
        stated = {**options.preprocess, **read_beside(described.folder)}
        return torch_reference(module, name, stated, described.contract)


def _module(described: _Described, options: LoadOptions) -> tuple[Any, str]:
    """What the entry point gives, with the weights of the contract; and its argument's name."""
    module = _build(described.folder, described.place, options, own=described.weights is None)
    if described.weights is not None:
        tensors = state_dict.read_weights(described.weights)
        state_dict.fit_weights(module, tensors, described.weights.name)
    elif state_dict.digest(module) != described.contract.weights:
        _memo(described.folder, described.place).unlink(missing_ok=True)
        raise SourceError(
            f"entry point '{described.place.entry}' brings other weights than before",
            hint="run again to take them, or name a file with ?weights=",
        )
    name = described.stated.get("input_name") or torchhub_entry.first_argument(module)
    return module, str(name)


def _describe(source: Source, options: LoadOptions) -> _Described:
    place = Place.of(source)
    offline = settings.offline(flag=options.offline)
    if place.folder is not None:
        commit, folder = "", torchhub_code.local(place.folder)
        _check_trust(source, place, commit, options)
    else:
        commit = torchhub_code.commit_of(place, offline=offline)
        _check_trust(source, place, commit, options)
        folder = torchhub_code.fetched(place, commit, offline=offline)
    stated = _stated(folder, options)
    spec = ImageSpec.from_stated(stated, str(source))
    check_beside(spec.as_dict(), options.preprocess, source)
    tap, pooling = taps.choose(source.tap, stated, (LAST_LINEAR, "none"))
    info: dict[str, Any] = {"repository": place.repository or str(folder), "entry": place.entry}
    weights = _weights_file(source, folder)
    if weights is None:
        own = _own_weights(folder, place, options)
        digest = own.digest
        info |= {"note": "random weights: not pretrained"} if own.random else {}
    else:
        digest = FileDigests(settings.home()).sha256(weights)
        info["weights"] = weights.name
    contract = Contract(
        modality="image",
        preprocess=spec.as_dict(),
        model={
            "library": "torchhub",
            "code": commit or torchhub_code.digest(folder),
            "entry": place.entry,
            "input": str(stated.get("input_name", "")),
            "pooling_numerics": POOLING_NUMERICS,
        },
        weights=digest,
        tap=tap,
        pooling=pooling,
        revision=commit,
        info=info,
    )
    return _Described(place, folder, weights, stated, spec, contract)


def _check_trust(source: Source, place: Place, commit: str, options: LoadOptions) -> None:
    if options.trust_repo:
        return
    flag = "--trust-repo (in Python trust_repo=True)"
    if place.folder is not None:
        count = len([p for p in torchhub_code.files(place.folder) if p.suffix == ".py"])
        path = place.folder / HUBCONF
        raise TrustError(
            f"'{source}' would run code: {place.entry}() of '{path}', among {count} Python files",
            hint=f"read them; if you trust them, add {flag}",
        )
    reference = f"{place.repository}:{commit}/{place.entry}"
    pinned = replace(source, reference=reference, revision="")
    raise TrustError(
        f"'{source}' would run code: {place.entry}() of {place.repository} at commit {commit}",
        hint=f"read it there; if you trust it, name {pinned} and add {flag}",
    )


def _stated(folder: Path, options: LoadOptions) -> dict[str, Any]:
    beside = folder / BESIDE
    stated = check_keys({**read_beside(folder), **options.preprocess}, str(beside))
    if stated.get("input", "image") != "image":
        raise SourceError(f"'{beside}': torchhub: takes images so far, not {stated['input']}")
    if stated.get("layout", "nchw") != "nchw":
        raise SourceError(f"'{beside}': torch modules take layout nchw")
    return stated


def _weights_file(source: Source, folder: Path) -> Path | None:
    """The file of ``?weights=``: as the user wrote it, else within the repository.

    Raises:
        SourceError: it is in neither place.
        TrustError: a path within the repository leads out of it.
    """
    if not source.weights:
        return None
    given = Path(source.weights).expanduser()
    if given.is_file():
        return given
    within = folder / given
    if given.is_absolute() or not within.is_file():
        raise SourceError(
            f"there is no weights file '{source.weights}'",
            hint="?weights=FILE is looked for in the working folder, then beside hubconf.py",
        )
    if not within.resolve().is_relative_to(folder.resolve()):
        raise TrustError(f"'{source.weights}' leads out of the repository")
    return within


def _build(folder: Path, place: Place, options: LoadOptions, *, own: bool, seed: int = 0) -> Any:
    offline = settings.offline(flag=options.offline)
    return torchhub_entry.build(folder, place.entry, pretrained=own, seed=seed, offline=offline)


def _own_weights(folder: Path, place: Place, options: LoadOptions) -> _Own:
    """What an entry point brings by itself, asked of its code once and remembered.

    Only running it can tell. Whether the weights are random is seen from a second run under
    another seed.
    """
    memo = _memo(folder, place)
    try:
        known = json.loads(memo.read_bytes())
        return _Own(str(known["digest"]), bool(known["random"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    first, second = (
        state_dict.digest(_build(folder, place, options, own=True, seed=seed)) for seed in (0, 1)
    )
    own = _Own(first, first != second)
    if own.random:
        _log.warning(
            "warning: the weights of entry point '%s' are random; ?weights=FILE brings some",
            place.entry,
        )
    try:
        memo.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"digest": own.digest, "random": own.random}).encode()
        write_file(memo, content, replace=True)
    except OSError as error:
        raise StoreError(f"'{memo}' cannot be written: {error.strerror or error}") from error
    return own


def _memo(folder: Path, place: Place) -> Path:
    asked = f"{torchhub_code.digest(folder)}\0{place.entry}"
    name = hashlib.sha256(asked.encode()).hexdigest()[:32]
    return settings.home() / "torchhub" / "weights" / f"{name}.json"
