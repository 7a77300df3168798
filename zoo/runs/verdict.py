"""Was it worth it: the transfer against the best that can be had without a pretrained backbone."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import settings
from zoo.baselines.unfit import UnfitError
from zoo.errors import GateError, ZooError
from zoo.metrics.difference import difference_in_points, primary_interval
from zoo.registry.fence import one_line
from zoo.runs import arms
from zoo.runs.contest import plan_contest
from zoo.runs.tasks import PRIMARY
from zoo.runs.wording import CALLED, advice, sentence

if TYPE_CHECKING:
    from zoo.data.splits import SplitPlan
    from zoo.features import Extracted, Model
    from zoo.plugin import Head
    from zoo.registry import Registry
    from zoo.runs.arms import Arm
    from zoo.runs.contest import Contest
    from zoo.runs.plan import RunOptions

_log = logging.getLogger(__name__)


@dataclass
class _Bout:
    """One verdict in the making.

    Attributes:
        found: name -> arm.
        left_out: name -> why it is not among them.
    """

    registry: Registry
    model: Model
    contest: Contest
    features: np.ndarray
    options: RunOptions
    found: dict[str, Arm] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    _said: bool = False

    def run(self) -> None:
        """Train or find every arm; what can't be is named with its reason."""
        self._try("transfer", self._transfer)
        self._try("raw", self._raw)
        if self.options.scratch_budget > 0:
            self._try("scratch", self._scratch)
            self._try("random_weights", self._random_weights)
        else:
            self.left_out["scratch"] = "--scratch-budget 0"
            self.left_out["random_weights"] = "--scratch-budget 0"
        self.found["majority"] = arms.majority(self.contest)
        order = [name for name in CALLED if name in self.found]
        self.found = {name: self.found[name] for name in order}

    def _try(self, name: str, train: Callable[[], Arm]) -> None:
        try:
            arm = train()
        except Exception as error:  # noqa: BLE001 - whatever ends an arm, the run is worth more
            self._heed(error)
            _log.debug("'%s' of a verdict", name, exc_info=True)
            self.left_out[name] = why(error)
        else:
            if arm.left_out:
                self.left_out[name] = arm.left_out
            else:
                self.found[name] = arm

    def _heed(self, error: Exception) -> None:
        """Raise KeyboardInterrupt where an arm failed because of it."""
        if self.options.interrupted() or _interrupted(error):
            raise KeyboardInterrupt from error

    def _say_once(self) -> None:
        if not self._said:
            budget = self.options.scratch_budget
            scratch = f", from scratch for {budget:g} s at most" if budget else ""
            self.options.say(
                f"verdict: training what the transfer has to beat{scratch}; the next run finds it "
                "(--no-verdict leaves it out)"
            )
        self._said = True

    def _kept(self, name: str, decided_by: list[Any], train: Callable[[], Arm]) -> Arm:
        import zoo

        def heedful() -> Arm:
            try:
                return train()
            except UnfitError as error:  # filed for good, unless it came of Ctrl-C
                self._heed(error)
                raise

        decided = [zoo.__version__, self.contest.digest, self.options.seed, *decided_by]
        return arms.kept(settings.home() / "arms", name, decided, heedful)

    def _head(self, name: str = "") -> Head:
        head: Head = self.registry.create("head", name or self.options.head)
        return head

    def _transfer(self) -> Arm:
        rows = self.features[self.contest.rows]
        told = [rows.shape, hashlib.sha256(rows.tobytes()).hexdigest()]
        return self._under_head("transfer", told, lambda: rows)

    def _under_head(self, name: str, decided_by: list[Any], rows: Callable[[], np.ndarray]) -> Arm:
        """The run's head on rows; not kept where that is a plugin's, whose code may change."""

        def train() -> Arm:
            with self.registry.blaming("head", self.options.head):
                return arms.with_head(self.contest, rows(), self._head, self.options.thread_count)

        if not type(self._head()).__module__.startswith("zoo."):
            return arms.timed(train)
        return self._kept(name, [self.options.head, *decided_by], train)

    def _raw(self) -> Arm:
        def train() -> Arm:
            from zoo.baselines import read_raw

            self._say_once()
            threads = self.options.thread_count
            raw = read_raw(self.contest.items, self.contest.modality, threads=threads)
            return arms.on_raw(self.contest, raw, self._head, threads)

        return self._kept("raw", [], train)

    def _scratch(self) -> Arm:
        budget = self.options.scratch_budget

        def train() -> Arm:
            from zoo.baselines import learn_scratch

            self._say_once()
            return arms.from_scratch(
                self.contest,
                learn_scratch,
                seed=self.options.seed,
                threads=self.options.thread_count,
                budget=budget,
            )

        return self._kept("scratch", [budget], train)

    def _random_weights(self) -> Arm:
        """The same architecture with random weights, where that is a torch module and in time."""
        stated, source = self.model.contract.digest(), str(self.model.source)
        told = [stated, source, self.options.device]
        return self._under_head("random_weights", told, self._random_rows)

    def _random_rows(self) -> np.ndarray:
        from zoo.baselines import random_rows

        options = self.options
        told = "verdict: trying random weights in the backbone's architecture"
        rows = random_rows(
            self.model,
            list(self.contest.items),
            seed=options.seed,
            threads=options.thread_count,
            batch_size=options.batch_size,
            budget=options.scratch_budget,
            begun=lambda: options.say(told),
        )
        if rows is None:
            raise UnfitError("the backbone is no torch module")
        return rows


def why(error: BaseException) -> str:
    """One line of what came between; of a kind that nobody foresaw its name as well."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"'{error.name}' is not installed"
    said = str(error).partition("\n")[0]
    expected = isinstance(error, ZooError | MemoryError | RuntimeError)  # torch raises the last
    return said if said and expected else one_line(error)


def _interrupted(error: BaseException | None) -> bool:
    """Whether it is what Ctrl-C became on its way, in the middle of an import for one."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def judge(
    registry: Registry,
    model: Model,
    extracted: Extracted,
    plan: SplitPlan,
    options: RunOptions,
) -> dict[str, Any] | None:
    """The verdict on a transfer as plain JSON values; None where there is nothing to hold it to.

    The difference is against the better of the raw input and a learner from scratch, whichever is
    better on validation rows inside the training rows; with cross-validation the parts' validation
    together decides. The other arms are shown only, each with what the transfer is ahead of it.

    Args:
        registry: makes the heads.
        model: whose features they are.
        extracted: the rows of all readable samples.
        plan: the run's own splits.
        options: head, seed, threads and budget.
    """
    contest = plan_contest(extracted.dataset, extracted.keys, plan, options.seed)
    bout = _Bout(registry, model, contest, extracted.features, options)
    bout.run()
    rivals = {name: bout.found[name] for name in ("raw", "scratch") if name in bout.found}
    if not rivals or "transfer" not in bout.found:
        names = ("transfer",) if "transfer" in bout.left_out else ("raw", "scratch")
        told_of = [f"{CALLED[one]}: {bout.left_out[one]}" for one in names if one in bout.left_out]
        options.say(f"warning: no verdict: {'; '.join(told_of)}")
        return None
    reference = max(rivals, key=lambda name: _worth(rivals[name]))
    told = contest.target.take(contest.judge)
    units, seed = contest.units[contest.judge], options.seed
    transfer = bout.found["transfer"].scores
    deltas = {
        name: difference_in_points(arm.scores, transfer, told, units=units, seed=seed)
        for name, arm in bout.found.items()
        if name != "transfer"
    }
    delta = deltas[reference]
    level = level_of(delta["low"], delta["high"])
    verdict = {
        "level": level,
        "delta": delta["value"],
        "low": delta["low"],
        "high": delta["high"],
        "metric": PRIMARY[told.task],
        "unit": "points",
        "rows": len(contest.judge),
        "protocol": plan.protocol if len(contest.parts) == 1 else f"{len(contest.parts)}-fold",
        "train_rows": len(contest.parts[0].train),
        "reference": reference,
        "arms": {
            name: {
                **primary_interval(arm.scores, told, units=units, seed=seed),
                "delta": deltas.get(name),
                "seconds": round(arm.seconds, 4),
                "cached": arm.cached,
                "validation": arm.validation,
                **{key: value for key, value in arm.told.items() if key != "curve"},
            }
            for name, arm in bout.found.items()
        },
        "left_out": bout.left_out,
        "convergence": _convergence(bout.found),
    }
    return {**verdict, "advice": advice(verdict)}


def level_of(low: float, high: float) -> str:
    """``positive``, ``marginal``, ``none`` or ``negative`` by an interval in points."""
    if low >= 1.0:
        return "positive"
    if low > 0.0:
        return "marginal"
    return "negative" if high < 0.0 else "none"


def hold_to_gate(verdict: dict[str, Any] | None, run: str) -> None:
    """Raise GateError unless the transfer is shown to be worth it."""
    if verdict is not None and verdict["level"] in {"positive", "marginal"}:
        return
    said = "there is no verdict" if verdict is None else sentence(verdict)
    hint = "see the reasons above" if verdict is None else verdict["advice"]
    raise GateError(f"{said}; the run is kept in '{run}'", hint=hint)


def _worth(arm: Arm) -> float:
    """What an arm is chosen by; one without validation is chosen where there is no other."""
    return -np.inf if arm.validation is None else arm.validation


def _convergence(found: dict[str, Arm]) -> dict[str, Any]:
    """Of heads whether they reached their optimum; of a learner whether it had the time it wanted.

    With cross-validation the curve is that of the first part.
    """
    out: dict[str, Any] = {}
    for name, arm in found.items():
        if "converged" in arm.told:
            out[name] = {"converged": arm.told["converged"]}
        if curve := arm.told.get("curve"):
            out[name] = {
                "converged": arm.told["converged"],
                "epochs": len(curve),
                "best_epoch": arm.told["configuration"].get("best_epoch"),
                "curve": curve,
            }
    return out
