"""What a user asks for, from a plan to a finished run on disk."""

from zoo.runs.compare import Comparison, compare_runs
from zoo.runs.dry_run import dry_extract, dry_predict, dry_transfer
from zoo.runs.extract import ExtractResult, run_extract
from zoo.runs.folder import Run, list_runs, load_run
from zoo.runs.plan import RunOptions
from zoo.runs.predict import Prediction, run_predict
from zoo.runs.prepare import open_data
from zoo.runs.transfer import run_transfer
from zoo.runs.verification import Verification
from zoo.runs.verify import run_verify

__all__ = [
    "Comparison",
    "ExtractResult",
    "Prediction",
    "Run",
    "RunOptions",
    "Verification",
    "compare_runs",
    "dry_extract",
    "dry_predict",
    "dry_transfer",
    "list_runs",
    "load_run",
    "open_data",
    "run_extract",
    "run_predict",
    "run_transfer",
    "run_verify",
]
