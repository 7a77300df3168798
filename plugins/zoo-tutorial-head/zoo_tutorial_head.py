"""A head for zoo: the class whose mean points the same way as the features wins."""

import numpy as np

from zoo.plugin import Entry, Head, UsageError, hookimpl


class CosineHead(Head):
    """Softmax of cosine similarity over temperature; the temperature is its strength."""

    name = "cosine"

    def __init__(self):
        super().__init__()
        self.strength = 0.1  # where nobody searches for a better one

    def strengths(self, rows, target):
        """Temperatures to try: the highest gives the most even probabilities."""
        return (1.0, 0.3, 0.1, 0.03, 0.01)

    def fit(self, rows, target, *, sample_weight=None, seed=0):
        """Sum the directions of each class, block by block: rows may be larger than memory."""
        weight = np.ones(rows.shape[0]) if sample_weight is None else sample_weight
        sums, start = np.zeros((len(target.names), rows.shape[1])), 0
        for block in rows.blocks():
            part = slice(start, start := start + len(block))
            member = target.values[part, None] == np.arange(len(target.names))
            sums += (member * weight[part, None]).T @ _directions(block)
        self.means = _directions(sums)

    def scores(self, rows):
        """Cosines of (n, d) rows with k class means, over the temperature, as (n, k)."""
        cosines = [_directions(block) @ self.means.T for block in rows.blocks()]
        return np.concatenate([np.empty((0, len(self.means))), *cosines]) / self.strength

    def state(self):
        """All that was learned, as named arrays."""
        return {"means": self.means, "temperature": np.array(self.strength)}

    @classmethod
    def from_state(cls, state):
        """The head that `state` describes."""
        if state.keys() != {"means", "temperature"} or state["means"].ndim != 2:
            raise UsageError("these arrays are not the state of a cosine head")
        head = cls()
        head.means, head.strength = state["means"], float(state["temperature"])
        return head


def _directions(x):
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12).astype(np.float64)


@hookimpl
def zoo_register_heads():
    """What this package adds to zoo: one head under one name."""
    return [Entry("cosine", "zoo_tutorial_head:CosineHead", "nearest class mean by direction")]
