"""The lines of a verdict: what it says, what the arms reached, what to do next."""

from __future__ import annotations

from typing import Any


def verdict_lines(verdict: dict[str, Any]) -> list[str]:
    """The verdict, its arms with their intervals and seconds, and the advice."""
    from zoo.runs.verdict import CALLED, sentence

    out = [f"verdict   {verdict['level'].upper()}: {sentence(verdict)}"]
    for name, arm in verdict["arms"].items():
        value, low, high = (f"{arm[part]:.3f}" for part in ("value", "low", "high"))
        took = "from the cache" if arm["cached"] else f"{arm['seconds']:.1f} s"
        how = f"   {arm['chosen']}" if "chosen" in arm else ""
        against = "   compared with" if name == verdict["reference"] else ""
        out.append(f"  {CALLED[name]:<21}{value}   {low} to {high}   ({took}){how}{against}")
    out += [f"  {CALLED[name]:<21}left out: {why}" for name, why in verdict["left_out"].items()]
    return [*out, f"  next: {verdict['advice']}"]
