"""How a run was judged, in words."""

from __future__ import annotations

import pytest

import zoo
from zoo.runs.wording import judged_by


@pytest.mark.parametrize(
    ("evaluation", "told"),
    [
        ({"protocol": "holdout", "folds": []}, "rows held out"),
        ({"protocol": "cv", "folds": [5] * 5}, "5 x 5-fold cross-validation"),
        ({"protocol": "cv", "folds": [3, 3]}, "2 x 3-fold cross-validation"),
        ({"protocol": "cv", "folds": [3, 2]}, "2 x 2- to 3-fold cross-validation"),
        ({"protocol": "cv"}, "cross-validation"),  # of an earlier version
    ],
)
def test_folds_are_said_as_many_as_there_were(evaluation, told):
    assert judged_by(evaluation) == told


def test_a_run_of_three_groups_has_three_folds(photos, tmp_path):
    rows = [f"{name}/{i:02}.png,{name},{i % 3}" for name in ("dark", "light") for i in range(12)]
    (photos / "metadata.csv").write_text("\n".join(["file_name,kind,who", *rows]) + "\n")
    run = zoo.transfer("builtin:tinyconv", photos, target="kind", group="who", out=tmp_path / "run")
    assert run.summary["evaluation"]["folds"] == [3] * 5
    assert judged_by(run.summary["evaluation"]) == "5 x 3-fold cross-validation"
