"""How often a verdict sees a gain where there is none: labels shuffled on stored features.

No backbone can know a shuffled label, so that everything above `none` is an error; an interval of
95 % allows one in forty. Features are those of the built-in backbone on scikit-learn's digits, in
turn under a hold-out and under cross-validation, against the raw pixels.

    python benchmarks/calibrate_verdict.py [--shuffles 200] [--rows 300] [--most 13]

Exit code 1 where more than `--most` verdicts are positive or marginal.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from dataclasses import replace

import numpy as np

from zoo.data import plan_splits
from zoo.features import extract, open_model
from zoo.plugin import Target
from zoo.registry import Registry
from zoo.runs import RunOptions, open_data
from zoo.runs.verdict import judge


def main() -> int:
    """Count levels over the shuffles; 1 where too many are above none."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shuffles", type=int, default=200)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--most", type=int, default=13)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["ZOO_HOME"] = home
        levels = _levels(chosen.shuffles, chosen.rows)
    above = levels["positive"] + levels["marginal"]
    told = {"shuffles": chosen.shuffles, "rows": chosen.rows, "levels": dict(levels)}
    print(json.dumps({**told, "above_none": above, "most": chosen.most}))
    return int(above > chosen.most)


def _levels(shuffles: int, rows: int) -> Counter[str]:
    options = RunOptions(head="logistic", limit=rows, scratch_budget=0.0)
    registry = Registry(print)
    model = open_model(registry, "builtin:tinyconv", options.load_options())
    dataset = open_data(registry, "sklearn:digits", None, options)
    extracted = extract(dataset, model.taking("image"), options.extract_options())
    rng = np.random.default_rng(0)
    levels: Counter[str] = Counter()
    for number in range(shuffles):
        values = rng.permutation(extracted.dataset.target.values)
        target = Target("class", values, extracted.dataset.target.names)
        split = None
        if number % 2:
            split = tuple(np.where(rng.random(rows) < 0.4, "test", "train").tolist())
        shuffled = replace(extracted.dataset, target=target, split=split)
        plan = plan_splits(shuffled, extracted.keys, options.seed)
        one = replace(extracted, dataset=shuffled)
        verdict = judge(registry, model, one, plan, options)
        levels[verdict["level"] if verdict else "no verdict"] += 1
        print(f"{number + 1}: {dict(levels)}", file=sys.stderr)
    return levels


if __name__ == "__main__":
    sys.exit(main())
