"""Samples worth a look: those that are predicted worst, and those whose labels are doubted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.reports import numbers
from zoo.reports.fence import Absent
from zoo.reports.figure import Card, Part
from zoo.reports.words import count, number, percent, shown

if TYPE_CHECKING:
    from zoo.reports.judged import Judged
    from zoo.reports.samples import Samples
    from zoo.runs import Run

_MOST = 12  # samples of a gallery


def mistakes(judged: Judged, samples: Samples, *, repeats: bool) -> Part:
    """The most confident mistakes; of numbers those that are farthest off.

    Args:
        judged: what was said of the rows that judged.
        samples: for their pictures.
        repeats: whether the predictions are those of several folds' heads together.

    Raises:
        Absent: nothing is predicted wrong.
    """
    if judged.task == "regression":
        spread = judged.truth.std(axis=0)
        off = (judged.predicted - judged.truth) / np.where(spread > 0, spread, 1.0)
        weight = np.sqrt((off**2).mean(axis=1))
        order = np.argsort(-weight, kind="stable")[:_MOST]
        lead = "The samples whose prediction is farthest from what is true."
    else:
        surest = _surest(judged)
        wrong = np.flatnonzero(judged.wrong)
        order = wrong[np.argsort(-surest[wrong], kind="stable")]
        order = _told_once(judged, order)[:_MOST]
        if not len(order):
            raise Absent(f"none of {count(len(judged), 'row')} is predicted wrong")
        lead = (
            f"{count(len(wrong))} of {count(len(judged), 'row')} are predicted wrong"
            f"{' by the repeats together' if repeats else ''}; of these the head was surest."
        )
    rows = order.tolist()
    pictures = samples.show([judged.sample(row) for row in rows])
    cards = [
        Card(picture, shown(judged.items[row]), _lines(judged, row))
        for row, picture in zip(rows, pictures, strict=True)
    ]
    notes = [("absent", samples.absent)] if samples.absent else []
    return Part("mistakes", "", lead, notes=notes, cards=cards)


def suspects(run: Run, rows: Any, samples: Samples) -> Part:
    """The labels that heads which did not see them hold for wrong.

    Raises:
        Absent: there are none.
    """
    found = numbers.suspects(run, rows, _MOST)
    if not found:
        raise Absent("no label is doubted by heads that did not see it")
    keys, items = rows.keys, rows.dataset.items
    pictures = samples.show([(items[s.row].name, keys[s.row].tobytes()) for s in found])
    cards = [
        Card(
            picture,
            shown(s.name),
            (
                ("labelled", f"{shown(s.label, 40)} ({percent(s.probability)})"),
                ("rather", f"{shown(s.suggestion, 40)} ({percent(s.suggested)})"),
                ("in", s.split),
            ),
        )
        for s, picture in zip(found, pictures, strict=True)
    ]
    lead = (
        "Labels that heads which did not see the sample hold for wrong, by confident learning; "
        "in test they harm the score, in training the head."
    )
    return Part("suspects", "", lead, cards=cards)


def _told_once(judged: Judged, order: np.ndarray) -> np.ndarray:
    """The rows without those whose content and label an earlier one has: they tell the same."""
    if not len(judged.keys) or not len(order):
        return order
    labels = np.ascontiguousarray(judged.truth[order]).reshape(len(order), -1).view(np.uint8)
    both = np.hstack([judged.keys[order].reshape(len(order), -1), labels])
    first = np.unique(both, axis=0, return_index=True)[1]
    return order[np.sort(first)]


def _surest(judged: Judged) -> np.ndarray:
    """(m,) how sure the head was of what is wrong with each row."""
    if judged.task == "class":
        return judged.chances
    off = np.abs(judged.chances - judged.truth)
    return np.asarray(np.where(judged.truth != judged.predicted, off, 0.0).max(axis=1))


def _lines(judged: Judged, row: int) -> list[tuple[str, str]]:
    truth, predicted = judged.truth[row], judged.predicted[row]
    if judged.task == "class":
        said = f"{shown(judged.names[predicted], 40)} ({percent(float(judged.chances[row]))})"
        return [("true", shown(judged.names[truth], 40)), ("predicted", said)]
    if judged.task == "regression":
        pairs = (("true", truth), ("predicted", predicted))
        return [(word, ", ".join(number(float(v)) for v in part[:4])) for word, part in pairs]
    out = []
    for j in np.flatnonzero(truth != predicted)[:4]:
        chance = percent(float(judged.chances[row, j]))
        word = "missed" if truth[j] else "wrongly said"
        out.append((word, f"{shown(judged.names[j], 40)} ({chance})"))
    return out
