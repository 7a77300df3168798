"""The parts of a run's report, in their order; what a run does not have is a line and no error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import ZooError
from zoo.reports import classes, galleries, numbers, record, search, targets
from zoo.reports.fence import Absent, attempt, fenced
from zoo.reports.figure import Figure, Part, Table
from zoo.reports.judged import Judged, read_judged
from zoo.reports.maps import MOST_POINTS, map_figures
from zoo.reports.rows import open_again, stored_rows, was_in_memory
from zoo.reports.samples import Samples
from zoo.reports.scratch import scratch_figure
from zoo.reports.verdict import arms_figure
from zoo.reports.words import count, interval, metric_name, number, shown

if TYPE_CHECKING:
    from zoo.plugin import Dataset, Section
    from zoo.runs import Run

_LONG = 2_000  # characters of a plugin's paragraph


@dataclass(frozen=True)
class Page:
    """One run, and what its parts share, read once.

    Attributes:
        run: a finished run.
        data: where its data lies now, if it was moved.
    """

    run: Run
    data: str = ""

    @cached_property
    def judged(self) -> Judged:
        """What was said of the rows that judged."""
        judged = read_judged(self.run)
        if not len(judged.keys):  # their split has rows that did not judge: the data tells which
            with suppress(ZooError, Absent):
                return replace(judged, keys=self.rows.keys[self.rows.judge])
        return judged

    @cached_property
    def samples(self) -> Samples:
        """The samples themselves, where they still are."""
        if not self.data and was_in_memory(self.run):
            return Samples(absent="The samples were in memory and are not kept with the run.")
        dataset, why = self._dataset
        return Samples(absent=f"The samples {why}.") if dataset is None else Samples.of(dataset)

    @property
    def rows(self) -> Any:
        """All labelled rows with their features; raises Absent where the data is no more."""
        rows, why = self._rows
        if rows is None:
            raise Absent(why)
        return rows

    @cached_property
    def _rows(self) -> tuple[Any, str]:
        """The rows, looked for once for all parts, or why there are none."""
        dataset, why = self._dataset
        if dataset is None:
            return None, why
        return attempt(lambda: numbers.rows_in(self.run, dataset), "rows")

    @cached_property
    def _dataset(self) -> tuple[Dataset | None, str]:
        """The data, opened once for all parts, or why it can't be."""
        return attempt(lambda: open_again(self.run, self.data or None), "data")

    def parts(self) -> list[Part]:
        """The report of the run, from its score to its ledger."""
        farthest = "Farthest off" if self.run.task == "regression" else ""
        return [
            fenced("score", "The score", self._score),
            self.map_part(MOST_POINTS),
            fenced("mistakes", farthest or "Most confident mistakes", self._mistakes),
            fenced("suspects", "Most suspicious labels", self._suspects),
            fenced("health", "Data health", self._health),
            fenced("learning", "Would more samples help?", self._learning),
            *(_foreign(i, section) for i, section in enumerate(self._sections())),
            fenced("record", "What was run", lambda: record.record_part(self.run)),
            fenced("ledger", "Ledger", self._ledger),
        ]

    def map_part(self, most: int) -> Part:
        """The maps, with at most so many points."""
        title = "The samples as the backbone sees them"
        return fenced("map", title, lambda: self._map(most))

    def _sections(self) -> list[Section]:
        return self.run.registry.report_sections(self.run)

    def _score(self) -> Part:
        summary = self.run.summary
        evaluation = summary["evaluation"]
        makers: list[tuple[str, Callable[[], list[Figure]]]] = [
            ("The score against the arms", self._arms),
            ("Learning from scratch", self._scratch),
            ("The figures of its predictions", self._predicted),
            ("Loss against strength", self._strength),
            ("Recall of each class", self._classes),
        ]
        figures: list[Figure] = []
        notes: list[tuple[str, str]] = []
        for what, make in makers:
            part = fenced("", what, lambda make=make: Part("", "", figures=make()))  # type: ignore[misc]
            figures += part.figures
            notes += [("absent", f"{what}: {part.absent}")] if part.absent else []
        left = (summary.get("verdict") or {}).get("left_out") or {}
        for name, why in left.items():
            notes.append(("absent", f"No arm '{shown(name)}': {shown(why, 300)}."))
        tables = [record.metrics_table(summary)]
        if evaluation.get("outputs"):
            tables.append(targets.output_table(evaluation["outputs"]))
        tables += [_slices(part, evaluation["primary"]) for part in evaluation.get("slices") or []]
        return Part("score", "The score", figures=figures, notes=notes, tables=tables)

    def _arms(self) -> list[Figure]:
        verdict = self.run.summary.get("verdict")
        if not isinstance(verdict, Mapping):
            raise Absent("not measured in this run")
        return [arms_figure(verdict)]

    def _scratch(self) -> list[Figure]:
        verdict = self.run.summary.get("verdict") or {}
        told = (verdict.get("convergence") or {}).get("scratch") or {}
        if not told.get("curve"):
            return []  # that there is no such arm is said with the arms
        folds = str(verdict.get("protocol")).removesuffix("-fold")
        many = int(folds) if folds.isdecimal() else 1
        return [scratch_figure(told, str(verdict.get("metric", "score")), folds=many)]

    def _predicted(self) -> list[Figure]:
        judged, evaluation = self.judged, self.run.summary["evaluation"]
        if judged.task == "regression":
            return targets.number_figures(judged)
        if judged.task == "multilabel":
            return targets.label_figures(judged, evaluation.get("outputs"))
        told = evaluation.get("confusion") or {}
        whole = told.get("names") == list(judged.names) and told.get("counts")
        counts = np.array(told["counts"]) if whole else classes.confusion_counts(judged)
        names = [shown(name) for name in judged.names]
        return [
            classes.confusion_figure(counts, names),
            classes.reliability_figure(judged),
        ]

    def _strength(self) -> list[Figure]:
        head = self.run.summary["head"]
        path = head.get("path")
        if not path:
            raise Absent("not kept by this run")
        return [search.strength_figure(path, head.get("strength"), str(head["name"]))]

    def _classes(self) -> list[Figure]:
        if self.run.task != "class":
            return []
        told = self.run.summary["evaluation"].get("classes")
        return [classes.recall_figure(told or classes.class_table(self.judged))]

    def _map(self, most: int) -> Part:
        if not len(self.judged.keys):
            raise Absent("the run does not tell which of its samples judged")
        features = stored_rows(self.run, self.judged.keys)
        seed = int(self.run.plan["options"].get("seed", 0))
        codes = self.judged.truth if self.judged.task == "class" else None
        rows, layouts = numbers.layouts(features, seed, codes, most)
        drawn = map_figures(self.judged, rows, layouts, self.samples)
        lead = (
            "Each dot is a sample that judged. Point at one, or reach a map by the tabulator key "
            "and walk with the arrow keys, to see it in both maps."
        )
        notes = [("absent", self.samples.absent)] if self.samples.absent else []
        data = {"points": drawn.points, "picture": drawn.picture}
        return Part("map", "", lead, drawn.figures, notes, foot=drawn.keys, data=data)

    def _mistakes(self) -> Part:
        protocol = self.run.summary["evaluation"].get("protocol")
        return galleries.mistakes(self.judged, self.samples, repeats=protocol == "cv")

    def _suspects(self) -> Part:
        if self.run.task == "regression":
            raise Absent("numbers have no labels to doubt")
        return galleries.suspects(self.run, self.rows, self.samples)

    def _health(self) -> Part:
        health = self.run.summary.get("health")
        if health is None:
            raise Absent("not looked at in this run")
        if not health:
            return Part("health", "", "Nothing was found amiss.")
        notes = [
            (
                "warning" if finding.get("level") == "warning" else "note",
                shown(finding["text"], 600),
            )
            for finding in health
        ]
        return Part("health", "", notes=notes)

    def _learning(self) -> Part:
        metric, points, cut = numbers.learning_curve(self.run, self.rows)
        return Part("learning", "", figures=[search.learning_figure(metric, points, cut=cut)])

    def _ledger(self) -> Part:
        ledger = self.run.summary.get("ledger") or _ledger_file(self.run)
        return record.ledger_part(ledger)


def _foreign(number: int, section: Section) -> Part:
    """What a plugin adds: plain text, under its own title."""
    notes = [("text", shown(paragraph, _LONG)) for paragraph in section.paragraphs[:50]]
    return Part(f"plugin-{number}", shown(section.title), notes=notes)


def _slices(part: Mapping[str, Any], primary: str) -> Table:
    """The score of each value of a column."""
    rows = []
    for one in part["values"]:
        metric = one["metrics"].get(primary) or {}
        told = (number(metric.get("value")), interval(metric), number(one.get("p")))
        rows.append((shown(one["value"]), count(one["rows"]), *told))
    header = ("value", "rows", metric_name(primary), "95\u00a0% interval", "p (one-sided, Holm)")
    return Table(header, rows, f"By {shown(part['column'])}")


def _ledger_file(run: Run) -> dict[str, Any]:
    path = run.folder / "ledger.json"
    try:
        ledger = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Absent(f"'{shown(path.name)}' is missing or damaged") from error
    if not isinstance(ledger, dict):
        raise Absent(f"'{shown(path.name)}' is damaged")
    return ledger
