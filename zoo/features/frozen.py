"""Proves that a backbone is frozen: what it holds is digested before its rows are made, and after.

``requires_grad=False`` is no proof: BatchNorm's statistics drift in training mode, and a model's
own code may write to its buffers or switch itself back. Of a torch module every parameter and
buffer is digested when it has been loaded, after the first batch, before any row is stored, and at
the end; no part of it may be in training mode before or after any batch; and where the first batch
drew random numbers a few samples of it run twice, which dropout that nothing switches off does not
survive. A graph that its run time compiled (`Backbone.immutable`) is what its file's digest says.

While rows are made the store's folder holds a note that they are not proven yet. A process that is
killed leaves it there: nobody knows then whether its last rows were made by frozen weights.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine.files import write_file
from zoo.errors import SourceError
from zoo.features.provenance import TOLERANCE, distance

if TYPE_CHECKING:
    from zoo.engine import FeatureStore
    from zoo.plugin import Backbone, Features, LoadOptions

_log = logging.getLogger(__name__)

_TWICE = 2  # samples of the first batch that run again, both times by themselves
_PROVEN = re.compile(r"frozen-[0-9a-f]{12}\.json\Z")
_OPEN = re.compile(r"unproven-[0-9a-f]{12}\.json\Z")
_SUSPECT = "rows that this process stored are suspect: remove them with zoo cache prune --key KEY"


class Proof:
    """That one loaded backbone stays what it was; made before its first forward pass.

    Attributes:
        backbone: that one.
        proven: true until it was found to change, false then; None for a backbone that shows
            neither a module nor a graph that can't change.
        stored: whether it passed its first batch, so that rows of it may have been stored.
        digest: SHA-256 in hex of all that it holds; empty where `proven` is None.

    Raises:
        SourceError: a part of it is in training mode.
    """

    def __init__(self, backbone: Backbone, options: LoadOptions) -> None:
        self.backbone = backbone
        self._options = options
        self._module = backbone.module()
        self._before: Mapping[str, str] = {}
        self._twins: list[Backbone] = []
        self._ran = False
        self.stored = False
        self.proven: bool | None = True if backbone.immutable else None
        self.digest = backbone.contract.weights if backbone.immutable else ""
        if self._module is not None:
            self._check_mode("is in training mode")
            self._before = _digests(_state(self._module), options.threads)
            self.proven = True
            self.digest = hashlib.sha256(repr(sorted(self._before.items())).encode()).hexdigest()

    def lanes(self, most: int) -> list[Backbone]:
        """The backbone and its twins, at most so many; they are part of this proof."""
        while len(self._twins) < most - 1:
            twin = self.backbone.twin()
            if twin is None:
                break
            self._twins.append(twin)
        return [self.backbone, *self._twins[: most - 1]]

    def forward(self, batch: Any, lane: Backbone | None = None) -> dict[str, Features]:
        """The backbone's own forward pass, or that of a twin in a thread of its own.

        Raises:
            SourceError: it changed the backbone, or the same samples come out otherwise twice.
        """
        first = not self.stored and self._module is not None
        dice = _dice() if first else ()
        backbone = lane or self.backbone
        outputs = backbone.forward(batch)
        self._ran = True
        if self._module is not None:
            self._check_mode("switches itself to training mode", lane)
        if first:
            if _dice() != dice:  # some models draw and don't use it
                self._check_twice(batch)
            self.check()
        self.stored = True
        return outputs

    def check(self) -> None:
        """Raise SourceError that names the first tensor which is not what it was."""
        if self._module is None or not self._ran:
            return
        self._ran = False
        held = _state(self._module)
        after = _digests(held, self._options.threads)
        changed = [name for name in self._before if after.get(name) != self._before[name]]
        changed += [name for name in after if name not in self._before]
        for twin in self._twins:
            own = _state(twin.module())
            moved = {name: one for name, one in own.items() if one is not held.get(name)}
            after = _digests(moved, self._options.threads)
            changed += [name for name in after if after[name] != self._before.get(name)]
        if changed:
            self.proven = False
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise SourceError(
                f"the backbone is not frozen: '{changed[0]}'{more} changed while it ran",
                hint=f"its code writes to what it holds: mend it; {_SUSPECT}"
                if self.stored
                else "its code writes to what it holds: mend it; none of its rows was stored",
            )

    def _check_mode(self, what: str, backbone: Backbone | None = None) -> None:
        module = self._module
        if backbone is not None and backbone is not self.backbone:
            module = backbone.module()
        for name, part in module.named_modules():
            if getattr(part, "training", False):
                self.proven = False
                raise SourceError(
                    f"the backbone is not frozen: '{name or type(part).__name__}' {what}",
                    hint="features would depend on chance or on the batch: mend the model's code",
                )

    def _check_twice(self, batch: Any) -> None:
        few = _few(batch)
        tap = self.backbone.contract.tap
        one, other = (self.backbone.forward(few)[tap].numpy()[0] for _ in range(2))
        flat = [np.asarray(values).reshape(len(values), -1) for values in (one, other)]
        apart = distance(*flat) if np.isfinite(flat[0]).all() else 0.0  # told of by who pools
        if apart > TOLERANCE[self._options.compute_dtype]:
            self.proven = False
            raise SourceError(
                f"the backbone is not frozen: the same samples come out {apart:.1e} apart when "
                "they run twice",
                hint="its code draws at random (dropout with training=True?): mend it",
            )


@contextmanager
def proving(store: FeatureStore, proof: Proof) -> Iterator[None]:
    """Rows are stored meanwhile; at the end, also on Ctrl-C, they are proven or not.

    Raises:
        SourceError: the backbone changed; the note that nothing is proven stays.
    """
    # Rows that are here without a note nobody has proven, and what is made now proves nothing of
    # them. Another process may be making its first at this moment: its own note decides then.
    known = not store.columns() or any(_PROVEN.match(path.name) for path in store.folder.iterdir())
    mark = store.folder / f"unproven-{secrets.token_hex(6)}.json"
    _write(mark, {"digest": proof.digest})
    try:
        yield
    finally:
        proof.check()
        if proof.proven and proof.stored and known:
            note = store.folder / f"frozen-{proof.digest[:12]}.json"
            _write(note, {"digest": proof.digest})
        if proof.proven or not proof.stored:
            mark.unlink(missing_ok=True)


def proven(store: FeatureStore) -> bool | None:
    """Whether every row that was made into this store is proven to be of a frozen backbone.

    None where that is not known: rows of a backbone that can't tell, of a process that was killed
    or still runs, of another program, or of before there was a proof.
    """
    try:
        names = [path.name for path in store.folder.iterdir()]
    except OSError as error:
        _log.debug("%s cannot be listed: %s", store.folder, error)
        return None
    if any(_OPEN.match(name) for name in names):
        return None
    return True if any(_PROVEN.match(name) for name in names) else None


def _dice() -> tuple[Any, ...]:
    """The states of the generators that a model's code draws from by default."""
    import torch

    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    states = [torch.get_rng_state(), *cuda]
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - others' code draws from it
    numpy = (name, np.asarray(keys).tobytes(), *rest)
    return (*(state.numpy().tobytes() for state in states), random.getstate(), numpy)


def _state(module: Any) -> dict[str, Any]:
    """Every parameter and buffer by name."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _digests(state: Mapping[str, Any], threads: int) -> dict[str, str]:
    """SHA-256 in hex of tensors, by name."""
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="zoo-digest") as pool:
        return dict(zip(state, pool.map(_digest, state.values()), strict=True))


def _digest(tensor: Any) -> str:
    import torch

    values = tensor.detach()
    if values.is_quantized:
        values = values.int_repr()
    flat = values.cpu().contiguous().reshape(-1)
    start = f"{values.dtype}{tuple(values.shape)}".encode()
    return hashlib.sha256(start + flat.view(torch.uint8).numpy().data).hexdigest()


def _few(batch: Any) -> Any:
    """The first samples of a batch in one of the usual forms; the whole of any other."""
    if isinstance(batch, np.ndarray | list) or hasattr(batch, "dim"):
        return batch[:_TWICE]
    if isinstance(batch, tuple):
        return tuple(_few(part) for part in batch)
    if isinstance(batch, Mapping) and all(hasattr(v, "dim") for v in batch.values()):
        return {key: value[:_TWICE] for key, value in batch.items()}
    return batch


def _write(path: Path, note: dict[str, str]) -> None:
    try:
        write_file(path, json.dumps(note).encode() + b"\n", replace=True)
    except OSError as error:
        _log.debug("%s cannot be written: %s", path, error)
