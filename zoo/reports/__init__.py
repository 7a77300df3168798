"""A finished run in, numbers and pictures of it out; no backbone is loaded here."""

from zoo.reports.calibration import Reliability, reliability, reliability_of
from zoo.reports.held_out import held_out
from zoo.reports.rows import RunRows, judged_rows, run_rows
from zoo.reports.suspects import Mistake, Suspect, mistakes, suspects

__all__ = [
    "Mistake",
    "Reliability",
    "RunRows",
    "Suspect",
    "held_out",
    "judged_rows",
    "mistakes",
    "reliability",
    "reliability_of",
    "run_rows",
    "suspects",
]
