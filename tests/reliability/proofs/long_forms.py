"""The counts of the long form, proof by proof."""

from __future__ import annotations

from functools import partial

from proofs.crowd import crowd
from proofs.extracts import extract_kills
from proofs.flips import flips, truncations
from proofs.kills import kills
from proofs.machine import machine
from proofs.places import gone, homeless, latin, read_only, scripts
from proofs.refusals import few_files, full_disk, full_file, jitters, refusals


def _run(proof, root, seed, **counts):
    return proof(root, seed=seed, **counts)


FORMS = {
    "kills": partial(_run, kills, count=1000),
    "extracts": partial(_run, extract_kills, count=50),
    "crowd": partial(_run, crowd, seconds=600),
    "flips": partial(_run, flips, count=10_000),
    "resident": partial(_run, flips, count=2_000, resident=True),
    "truncations": partial(_run, truncations, step=1),
    "jitters": partial(_run, jitters, count=100),
    "refusals": partial(_run, refusals, count=300),
    "few-files": partial(_run, few_files),
    "full-file": partial(_run, full_file),
    "full-disk": partial(_run, full_disk),
    "machine": partial(_run, machine, examples=3000, steps=40),
    "read-only": partial(_run, read_only),
    "gone": partial(_run, gone),
    "scripts": partial(_run, scripts),
    "latin": partial(_run, latin),
    "homeless": partial(_run, homeless),
}
