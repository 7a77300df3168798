"""Decides which key the rows to be computed go to, by computing a few stored ones again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.features.bad import OnBad, Unreadable
from zoo.features.columns import Columns, apart, joined
from zoo.features.computing import computed
from zoo.features.frozen import proving
from zoo.features.provenance import TOLERANCE, changed, vouch, vouched

if TYPE_CHECKING:
    from zoo.features.looking import Look
    from zoo.features.model import Model
    from zoo.features.options import ExtractOptions
    from zoo.plugin import Item


def decide(
    items: list[Item], seen: Look, model: Model, options: ExtractOptions
) -> tuple[dict[str, Any], int]:
    """The key for the rows to be computed now, and how many forwards it took to know.

    Stored rows of the samples at hand are computed again where the store is not vouched for; see
    `zoo.features.provenance`.
    """
    # Made here where there was none, unless another process, under other conditions, was faster.
    with model.create_store(options.store_root, model.key) as store:
        serves = vouched(store, model.conditions)
        if seen.key != model.key and serves is False:
            return seen.key, 0
        if seen.key == model.key and serves:
            return seen.key, 0
        differences = changed(store.provenance.get("made_with"), model.conditions)
        numbers: list[int] = []
        again: list[Columns] = []
        again_bad = Unreadable(OnBad(), items)  # told of once, with the rows that are missing
        for some, rows in computed(items, seen.compare.tolist(), model, options, again_bad):
            numbers += some
            again.append(rows)
        if not numbers:
            options.tell(
                f"none of these samples can be compared with a stored row, so what {differences} "
                "changes is not known: their rows go to a key of their own",
            )
            return model.own_key, 0
        made = joined(again)
        moved = apart(store, seen.keys[numbers], made)
        tolerance = TOLERANCE[model.options.compute_dtype]
        serves = moved <= tolerance
        vouch(store, model.conditions, serves=serves, distance=moved, rows=len(numbers))
    if serves:
        return model.key, len(numbers)
    options.tell(
        f"{len(numbers)} stored rows come out otherwise here ({differences}): {moved:.1e} apart, "
        f"more than {tolerance:.0e}; rows made here go to a key of their own",
    )
    own_store = model.create_store(options.store_root, model.own_key)
    with own_store as own, proving(own, model.proof):
        own.append(seen.keys[numbers], made, dtype=model.options.compute_dtype)
    return model.own_key, len(numbers)
