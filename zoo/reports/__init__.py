"""A finished run in, numbers and pictures of it out; no backbone is loaded here."""

from zoo.reports.calibration import Reliability, reliability
from zoo.reports.curve import LearningCurve, learning_curve
from zoo.reports.embedding import EmbeddingMap, embedding_map
from zoo.reports.held_out import held_out
from zoo.reports.page import Report, write_report
from zoo.reports.rows import RunRows, run_rows
from zoo.reports.suspects import Suspect, suspects

__all__ = [
    "EmbeddingMap",
    "LearningCurve",
    "Reliability",
    "Report",
    "RunRows",
    "Suspect",
    "embedding_map",
    "held_out",
    "learning_curve",
    "reliability",
    "run_rows",
    "suspects",
    "write_report",
]
