"""What is going to be run: every choice of the user's in one frozen value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import settings
from zoo.errors import UsageError
from zoo.features import ExtractOptions, OnBad, Progress
from zoo.plugin import DataOptions, LoadOptions
from zoo.preprocess import parse_overrides
from zoo.preprocess.stated import check_keys

Say = Callable[[str], None]


def _silent(line: str) -> None:
    del line


@dataclass(frozen=True)
class RunOptions:
    """Choices with one name everywhere: on the command line, in Python and in run.json.

    Attributes:
        input, target, group, task: what in the data is what; several targets with commas between.
        slices: columns by whose values metrics are told apart.
        head: name of the head to train; ``auto`` is ridge for numbers, else logistic.
        out: the run's folder; None picks ``./runs/<name>``.
        coverage: share of samples whose conformal set should hold their class, in (0, 1); of no
            account where the targets are not classes.
        no_verdict: leave out whether the transfer was worth it, and the arms that tell.
        scratch_budget: seconds for what is trained from scratch to compare with; 0 for none of it.
        limit: at most so many samples, drawn by `seed`; 0 for all.
        features: ``pooled``, one row a sample, or ``tokens``: a row for each token, patch or frame.
        on_bad: what becomes of samples that can't be read: ``skip``, ``fail`` at the first, or at
            most so many of them, ``max=10`` or ``max=1%``.
        preprocess: overrides, as a TOML file, ``key=value,...`` or a mapping of its keys.
        deterministic: a sample's features are the same to the last bit whatever its batch, order
            and threads, at the cost of batches of one, each on one thread.
        threads: None for all that the process may use.
        trust_repo: code of the repository that the model's source names may run. It is written to
            no run.json, and read from none.
        co2_g_per_kwh: grams of CO2 that a kilowatt-hour stands for in the ledger; None for the
            world's average, see `zoo.settings.co2_g_per_kwh`.
        progress: called with samples done and samples to do.
        say: called with each line worth a user's notice.
        interrupted: whether Ctrl-C was pressed: an arm of the verdict that fails then is none that
            could not be trained.
    """

    input: str = ""
    target: str = ""
    group: str = ""
    task: str = "auto"
    slices: tuple[str, ...] = ()
    head: str = "auto"
    out: Path | str | None = None
    seed: int = 0
    coverage: float = 0.9
    no_verdict: bool = False
    scratch_budget: float = 60.0
    device: str = "auto"
    dtype: str = "auto"
    runtime: str = "auto"
    preprocess: str | Mapping[str, Any] = ""
    deterministic: bool = False
    threads: int | None = None
    batch_size: int = 32
    limit: int = 0
    features: str = "pooled"
    on_bad: str = "skip"
    offline: bool = False
    trust_repo: bool = False
    co2_g_per_kwh: float | None = None
    progress: Progress | None = None
    say: Say = _silent
    interrupted: Callable[[], bool] = bool

    def check(self) -> None:
        """Raise UsageError on values that no run could use."""
        LoadOptions(device=self.device, dtype=self.dtype)  # refuses what there is not
        OnBad(self.on_bad)
        if self.features not in {"pooled", "tokens"}:
            raise UsageError(f"features '{self.features}'", hint="pooled or tokens")
        if self.runtime != "auto":
            raise UsageError(f"there is no run time '{self.runtime}'", hint="--runtime auto")
        if self.batch_size < 1:
            raise UsageError(f"batch size {self.batch_size} is not at least 1")
        if self.limit < 0:
            raise UsageError(f"limit {self.limit} is negative")
        if self.seed < 0:
            raise UsageError(f"seed {self.seed} is negative")
        if not 0.0 < self.coverage < 1.0:
            raise UsageError(f"coverage {self.coverage} does not lie between 0 and 1")
        settings.co2_g_per_kwh(self.co2_g_per_kwh)  # refuses what is no such number
        if not 0.0 <= self.scratch_budget < float("inf"):
            raise UsageError(f"scratch budget {self.scratch_budget} is no number of seconds")

    def check_pooled(self) -> None:
        """Raise UsageError where samples would have any number of rows, which no head takes."""
        if self.features != "pooled":
            raise UsageError(
                "a head takes one row a sample, and --features tokens gives one for each token, "
                "patch or frame",
                hint="zoo extract --features tokens --export FILE.npz writes them",
            )

    @property
    def thread_count(self) -> int:
        """Threads to use."""
        return settings.threads(self.threads)

    def load_options(self) -> LoadOptions:
        """What a provider needs of them."""
        return LoadOptions(
            device=self.device,
            dtype=self.dtype,
            threads=self.thread_count,
            offline=settings.offline(flag=self.offline),
            trust_repo=self.trust_repo,
            preprocess=self.overrides(),
            deterministic=self.deterministic,
        )

    def overrides(self) -> dict[str, Any]:
        """The keys of `preprocess`, checked."""
        if isinstance(self.preprocess, str):
            return parse_overrides(self.preprocess)
        return check_keys(self.preprocess, "preprocess")

    def data_options(self, *, labelled: bool = True) -> DataOptions:
        """What a reader needs of them."""
        return DataOptions(
            self.input,
            self.target,
            self.group,
            self.task,
            labelled=labelled,
            slices=tuple(dict.fromkeys(self.slices)),
        )

    def extract_options(self) -> ExtractOptions:
        """What extraction needs of them."""
        return ExtractOptions(
            settings.store_root(),
            self.batch_size,
            self.thread_count,
            self.progress,
            self.say,
            OnBad(self.on_bad),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values for run.json: what decides the result."""
        names = (
            *("input", "target", "group", "task", "head", "seed", "device", "dtype", "runtime"),
            *("batch_size", "limit", "on_bad", "coverage", "deterministic"),
            *("no_verdict", "scratch_budget", "co2_g_per_kwh"),
        )
        chosen = {name: getattr(self, name) for name in names}
        return {**chosen, "slices": list(self.slices), "preprocess": self.overrides()}
