"""Features: rows of the store as a transformer, in order, each sample computed once."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

import zoo
from zoo.backbones.torch_trunk import TorchTrunk
from zoo.errors import DataError, SourceError, UsageError
from zoo.sklearn import Features, KNNHead, LogisticHead


@pytest.fixture
def forwards(monkeypatch):
    """Grows by the size of every batch that goes through a torch backbone."""
    sizes = []
    forward = TorchTrunk.forward

    def counted(self, batch):
        sizes.append(len(batch))
        return forward(self, batch)

    monkeypatch.setattr(TorchTrunk, "forward", counted)
    return sizes


def images(count=24):
    rng = np.random.default_rng(0)
    labels = np.array(["dark", "light"])[np.arange(count) % 2]
    levels = np.where(labels == "light", 190, 60)[:, None, None]
    return np.clip(rng.normal(levels, 30, (count, 12, 12)), 0, 255).astype(np.uint8), labels


def test_rows_are_those_of_extract_in_the_order_of_the_samples(forwards):
    x, _ = images(6)
    x = x[[0, 1, 0, 2, 3, 3]]
    rows = Features("builtin:tinyconv").transform(x)
    assert rows.shape == (6, 512)
    assert rows.dtype == np.float32
    assert sum(forwards) == 4
    assert np.array_equal(rows[0], rows[2])
    again = zoo.extract("builtin:tinyconv", list(x))
    assert again.summary["features"]["forwards"] == 0
    assert np.array_equal(again.extracted.features, rows)
    assert np.array_equal(Features("builtin:tinyconv").transform(x[::-1]), rows[::-1])


def test_its_own_dtype_is_never_chosen_by_the_samples(forwards, monkeypatch):
    """Rows that are fitted and rows that are transformed later must agree."""
    monkeypatch.setattr("zoo.backbones.torch_dtypes.computes_bfloat16", lambda module: True)
    monkeypatch.setattr("zoo.features.dtypes._WORTH", 0.0)
    monkeypatch.setattr("zoo.features.dtypes.LEAST_GAIN", 0.0)
    x = [np.full((3, 3), n, np.uint8) for n in range(256)]
    rows = Features("builtin:tinyconv").transform(x)
    assert zoo.extract("builtin:tinyconv", x, dtype="float32").summary["features"]["forwards"] == 0
    assert len(rows) == sum(forwards) == 256


def test_a_grid_search_runs_every_sample_once(forwards):
    x, y = images()
    pipeline = Pipeline([("features", Features("builtin:tinyconv")), ("head", LogisticHead())])
    search = GridSearchCV(pipeline, {"head__C": [1e-2, 1.0]}, cv=3).fit(x, y)
    assert sum(forwards) == len(x)
    assert search.best_score_ == 1.0
    assert search.predict(x).tolist() == y.tolist()
    GridSearchCV(pipeline, {"head": [KNNHead(3)]}, cv=4).fit(list(x), y)
    assert sum(forwards) == len(x)


def test_paths_pictures_and_columns_of_paths_are_samples(photos):
    from PIL import Image

    paths = sorted(photos.rglob("*.png"))[:5]
    transformer = Features("builtin:tinyconv")
    rows = transformer.transform(paths)
    for same in ([str(p) for p in paths], np.array([[str(p)] for p in paths], object)):
        assert np.array_equal(transformer.transform(same), rows)
    assert np.array_equal(transformer.transform([Image.open(p) for p in paths]), rows)


def test_texts_are_samples_of_a_model_of_texts(tiny_bert):
    texts = ["good film", "bad", "good film"]
    for samples in (texts, np.array(texts), np.array(texts, object)):
        assert Features(f"hf:{tiny_bert}").transform(samples).shape == (3, 16)


def test_a_sample_that_cannot_be_read_is_an_error_that_names_it(photos):
    paths = sorted(photos.rglob("*.png"))[:4]
    paths[2].write_bytes(b"no picture")
    transformer = Features("builtin:tinyconv")
    with pytest.raises(DataError, match=paths[2].name):
        transformer.transform(paths)
    with pytest.raises(DataError, match=r"nowhere\.png"):
        transformer.transform([str(paths[0]), "nowhere.png"])
    with pytest.raises(DataError, match="one column"):
        transformer.transform(np.array([["a.png", "b.png"]], object))
    assert transformer.transform(paths[:2]).shape == (2, 512)


def test_fit_sees_that_the_model_is_there_and_how_wide_it_is(forwards):
    x, _ = images(5)
    transformer = Features("builtin:tinyconv").fit(x)
    assert sum(forwards) == 1
    names = transformer.get_feature_names_out()
    assert len(names) == 512
    assert names[0] == "features0"
    assert Features("builtin:tinyconv").fit().transform(x).shape == (5, 512)
    for wrong, error in (
        (Features("builtin:nothing"), SourceError),
        (Features("nobody:model"), SourceError),
        (Features("builtin:tinyconv", dtype="float8"), UsageError),
        (Features("builtin:tinyconv", threads=0), UsageError),
    ):
        with pytest.raises(error):
            wrong.fit()


def test_options_reach_the_backbone_and_survive_a_clone(forwards):
    x, _ = images(4)
    transformer = clone(Features("builtin:tinyconv", batch_size=1, preprocess={"filter": "box"}))
    assert transformer.get_params()["preprocess"] == {"filter": "box"}
    transformer.fit_transform(x)
    assert forwards == [1, 1, 1, 1]
    assert len(transformer.get_feature_names_out()) == 512
    Features("builtin:tinyconv").transform(x)  # another preprocessing, other rows
    assert sum(forwards) == 8
