"""A plugin can add something of every kind, each under its own name."""

from __future__ import annotations

import pytest

KINDS = {
    "provider": "shelf",
    "dataset": "drawer",
    "head": "hat",
    "score": "guess",
    "runtime": "engine",
    "exporter": "parcel",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_registered_entry_is_made_by_its_name(install, registry, warnings, kind):
    install(every="zoo_every_kind")
    loaded = registry()
    assert warnings == []
    assert KINDS[kind] in getattr(loaded, f"{kind}s")
    assert loaded.create(kind, KINDS[kind]) is not None
    assert loaded.create(kind, f"every/{KINDS[kind]}") is not None
