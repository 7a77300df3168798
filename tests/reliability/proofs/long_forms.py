"""The counts of the long form, proof by proof."""

from __future__ import annotations

from functools import partial

from proofs.kills import kills


def _run(proof, root, seed, **counts):
    return proof(root, seed=seed, **counts)


FORMS = {
    "kills": partial(_run, kills, count=1000),
}
