"""Lanes: batches run side by side on twins, come back in order, and fail as one alone would."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

from zoo.backbones import ImageTrunk, tinyconv
from zoo.errors import SourceError
from zoo.features import ExtractOptions, Model, extract
from zoo.features.frozen import Proof
from zoo.features.lanes import SHARE, share, side_by_side, wanted
from zoo.plugin import Contract, Dataset, Item, LoadOptions, Provider, Source, Target
from zoo.preprocess import ImageSpec

SPEC = ImageSpec((32, 32), (32, 32), crop=False, mean=(0.5,) * 3, std=(0.5,) * 3)
CONTRACT = Contract("image", SPEC.as_dict(), {}, "w" * 64, "output")
PICTURES = np.random.default_rng(3).integers(0, 256, (90, 12, 14, 3), dtype=np.uint8)


class Watched(ImageTrunk):
    """Notes on which thread each batch ran, how many threads torch had, and how many ran at once.

    Whatever it is asked to raise comes with the batch that holds a white picture.
    """

    def __init__(self, options, log):
        module = tinyconv.build(tinyconv.weights())
        super().__init__(module, CONTRACT, options, spec=SPEC, name="input")
        self.log = log

    def _shared(self):
        return (*super()._shared(), self.log)

    def forward(self, batch):
        with self.log["lock"]:
            self.log["now"] += 1
            self.log["most"] = max(self.log["most"], self.log["now"])
        try:
            self.log["passes"].append(
                (id(self), threading.current_thread().name, torch.get_num_threads(), len(batch))
            )
            if (batch == 1.0).all(axis=(1, 2, 3)).any():
                raise SourceError("a white picture")
            time.sleep(0.02)
            return super().forward(batch)
        finally:
            with self.log["lock"]:
                self.log["now"] -= 1


class Trunks(Provider):
    def __init__(self):
        self.log = {"lock": threading.Lock(), "now": 0, "most": 0, "passes": []}

    def describe(self, source, options):
        return CONTRACT

    def load(self, source, options):
        return Watched(options, self.log)


def run(root, provider, pictures=PICTURES, *, threads, batch_size=32, **loading):
    items = tuple(Item(f"p{n}", picture) for n, picture in enumerate(pictures))
    data = Dataset("d", "image", items, Target("none", np.full(len(items), -1, np.int64)))
    options = LoadOptions(threads=threads, device="cpu", modality="image", **loading)
    model = Model(Source("watched", "m"), provider, options)
    how = ExtractOptions(root, batch_size=batch_size, threads=threads)
    return extract(data, model, how)


def test_several_batches_run_at_once_and_rows_are_those_of_one_after_the_other(tmp_path):
    one, many = Trunks(), Trunks()
    single = run(tmp_path / "1", one, threads=1)
    several = run(tmp_path / "2", many, threads=3)
    assert torch.get_num_threads() == 3  # as a backbone that was loaded leaves it
    assert one.log["most"] == 1
    assert 2 <= many.log["most"] <= 3
    assert several.frozen is True
    np.testing.assert_allclose(several.features, single.features, rtol=0, atol=1e-5)
    first, *rest = many.log["passes"]
    assert first[1] == "MainThread"  # looked at before any other
    assert (first[2], first[3]) == (3, 2)
    assert {threads for _, _, threads, _ in rest} == {1}
    assert max(size for *_, size in rest) <= SHARE
    assert len({trunk for trunk, *_ in rest}) == 3


def test_deterministic_rows_are_equal_whatever_the_lanes(tmp_path):
    alone = run(tmp_path / "1", Trunks(), threads=1, deterministic=True)
    trunks = Trunks()
    beside = run(tmp_path / "2", trunks, threads=4, deterministic=True)
    assert (alone.features == beside.features).all()
    assert trunks.log["most"] > 1
    assert {(threads, size) for _, _, threads, size in trunks.log["passes"]} == {(1, 1)}


def test_a_pass_that_fails_loses_none_of_those_before_it(tmp_path):
    pictures = PICTURES.copy()
    pictures[70] = 255
    with pytest.raises(SourceError, match="a white picture"):
        run(tmp_path, Trunks(), pictures, threads=2)
    assert not [t for t in threading.enumerate() if t.name.startswith("zoo-forward")]
    provider = Trunks()
    done = run(tmp_path, provider, PICTURES[:64], threads=2)
    assert done.forwards == 0


def test_batches_come_back_in_order_and_wide_ones_run_alone():
    log, lock, now = [], threading.Lock(), []

    def forward(batch, backbone):
        with lock:
            now.append(backbone)
            log.append((batch[0][0], tuple(now), torch.get_num_threads()))
        time.sleep(0.01 * (batch[0][0] % 3))
        with lock:
            now.remove(backbone)
        return batch[0][0] * 10

    source = [[(n, None)] for n in range(12)]
    got = list(
        side_by_side(source, forward, ["a", "b"], threads=4, wide=lambda batch: batch[0][0] == 7)
    )
    assert got == [([(n, None)], n * 10) for n in range(12)]
    alone = {n: (running, threads) for n, running, threads in log}
    assert alone[0] == (("a",), 4)
    assert alone[7] == (("a",), 4)
    assert {threads for n, (_, threads) in alone.items() if n not in {0, 7}} == {2}
    assert max(len(running) for running, _ in alone.values()) == 2


def test_who_stops_early_leaves_no_thread():
    started = []

    def forward(batch, backbone):
        started.append(batch[0][0])

    passes = side_by_side(
        ([(n, None)] for n in range(100)), forward, "ab", threads=2, wide=lambda batch: False
    )
    next(passes)
    next(passes)
    passes.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("zoo-forward")]
    assert len(started) <= 5


@pytest.mark.parametrize(
    ("threads", "batch_size", "alone", "lanes"),
    [(1, 32, False, 1), (2, 32, False, 2), (16, 32, False, 4), (8, 4, False, 1), (8, 4, True, 8)],
)
def test_lanes_are_as_many_as_threads_and_samples_allow(threads, batch_size, alone, lanes):
    assert wanted(threads, batch_size, alone=alone) == lanes


def test_a_lane_has_its_share_of_the_batch_size():
    assert share(32, 1, "image") == 32
    assert share(32, 2, "image") == SHARE
    assert share(8, 2, "audio") == 4
    assert share(32, 4, "text") == 32


def test_a_tensor_that_a_twin_puts_in_place_of_a_shared_one_is_named():
    provider = Trunks()
    backbone = provider.load(None, LoadOptions(threads=2, device="cpu"))
    proof = Proof(backbone, LoadOptions(threads=2, device="cpu"))
    _, twin = proof.lanes(2)
    batch = backbone.collate([backbone.prepare(_picture())])
    proof.forward(batch)
    proof.forward(batch, twin)
    proof.check()
    name, parameter = next(iter(twin.module().named_parameters()))
    owner = twin.module().get_submodule(name.rpartition(".")[0])
    changed = torch.nn.Parameter(parameter + 1, requires_grad=False)
    setattr(owner, name.rpartition(".")[2], changed)
    proof.forward(batch, twin)
    with pytest.raises(SourceError, match=f"not frozen: '{name}' changed"):
        proof.check()


def _picture():
    from PIL import Image

    return Image.fromarray(PICTURES[0])
