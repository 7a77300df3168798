"""A measured speed is found again under the same conditions, and damage is no error."""

from __future__ import annotations

import pytest

from zoo.features import speed

HERE = {"device": "cpu", "versions": {"torch": "2"}}


def note(folder, samples, *, threads=2):
    with speed.measured(folder, HERE, threads) as count:
        for _ in range(samples):
            count(1)


def test_a_speed_is_remembered_by_conditions_and_threads(tmp_path):
    note(tmp_path, 100)
    assert speed.recorded(tmp_path, HERE, 2) > 0
    assert speed.recorded(tmp_path, HERE, 1) is None
    assert speed.recorded(tmp_path, {**HERE, "device": "cuda"}, 2) is None


def test_it_is_kept_when_interrupted_and_not_for_a_handful(tmp_path):
    note(tmp_path, 3)
    assert speed.recorded(tmp_path, HERE, 2) is None

    def interrupted():
        with speed.measured(tmp_path, HERE, 2) as count:
            count(50)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert speed.recorded(tmp_path, HERE, 2) > 0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"samples_per_second": -1}', '{"a": NaN}'])
def test_a_damaged_note_is_no_speed(tmp_path, content):
    note(tmp_path, 100)
    (path,) = tmp_path.glob("speed-*.json")
    path.write_text(content)
    assert speed.recorded(tmp_path, HERE, 2) is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    note(tmp_path / "gone", 100)
    assert not (tmp_path / "gone").exists()


def test_pruning_knows_the_note_as_the_stores_own(tmp_path):
    import numpy as np

    from zoo.engine import FeatureStore, prune_stores

    with FeatureStore.create(tmp_path, {"weights": "w"}) as store:
        store.append(np.zeros((1, 16), np.uint8), {"c": np.ones((1, 2), np.float32)})
        folder = store.folder
    note(folder, 100)
    (done,) = prune_stores(tmp_path, keys=[folder.name])
    assert (done.left, folder.exists()) == ((), False)
