"""The calibration of a head: what is chosen, what it does to scores, and its arrays on disk."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from zoo.errors import DataError
from zoo.heads.calibration import Calibration, fit_calibration, without_calibration


def drawn(n=2000, k=4, seed=0, scale=1.0, bias=0.0):
    """Scores, and classes drawn from softmax of ``scale * centred + bias``."""
    rng = np.random.default_rng(seed)
    scores = 2 * rng.normal(size=(n, k))
    centred = scores - scores.mean(axis=1, keepdims=True)
    p = softmax(scale * centred + bias, axis=1)
    return scores, np.minimum((p.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1), k - 1)


def test_a_temperature_is_the_one_that_scipy_finds():
    scores, codes = drawn(scale=0.4)
    found = fit_calibration(scores, codes, coverage=0.9)

    def loss(beta):
        return -log_softmax(beta * scores, axis=1)[np.arange(len(codes)), codes].mean()

    best = minimize_scalar(loss, bounds=(0.05, 5), options={"xatol": 1e-9}).x
    assert found.method == "temperature"
    # the prior weighs as much as a row or two
    assert 1 / found.temperature == pytest.approx(best, rel=2e-3)
    assert found.apply(scores) == pytest.approx(scores / found.temperature)
    assert (found.rows, found.coverage) == (2000, 0.9)
    assert (found.apply(scores).argmax(axis=1) == scores.argmax(axis=1)).all()


@pytest.mark.parametrize("right", [True, False])
def test_a_few_rows_do_not_make_a_head_sure_or_helpless(right):
    scores = np.array([[1e-6, 0.0], [0.0, 1e-6]])  # as a head that was shrunk to nothing gives
    codes = np.array([0, 1]) if right else np.array([1, 0])
    found = fit_calibration(scores, codes, coverage=0.9)
    assert 0.2 < found.temperature < 5


def test_a_vector_is_taken_where_classes_are_off_each_in_its_own_way():
    made = {"scale": np.array([0.5, 1.0, 1.5, 2.0]), "bias": np.array([1.5, 0.0, 0.0, -1.5])}
    scores, codes = drawn(**made)
    found = fit_calibration(scores, codes, coverage=0.9)
    assert found.method == "vector"
    new, new_codes = drawn(seed=1, **made)
    rows = np.arange(len(new))
    by_vector = -log_softmax(found.apply(new), axis=1)[rows, new_codes].mean()
    by_temperature = -log_softmax(new / found.temperature, axis=1)[rows, new_codes].mean()
    assert by_vector < by_temperature - 0.05


@pytest.mark.parametrize("seed", range(10))
def test_noise_is_no_reason_for_a_vector(seed):
    scores, codes = drawn(n=300, seed=seed)
    assert fit_calibration(scores, codes, coverage=0.9).method == "temperature"


@pytest.mark.parametrize(("n", "k"), [(79, 4), (2300, 110)])
def test_few_rows_or_many_classes_get_a_temperature(n, k):
    scores, codes = drawn(n, k, bias=np.linspace(4, -4, k))
    assert fit_calibration(scores, codes, coverage=0.9).method == "temperature"


def test_the_threshold_is_of_the_calibrated_probabilities():
    scores, codes = drawn(n=199, scale=0.4)
    found = fit_calibration(scores, codes, coverage=0.9)
    own = 1 - softmax(found.apply(scores), axis=1)[np.arange(199), codes]
    assert found.threshold == pytest.approx(np.sort(own)[179])  # ceil(200 * 0.9) = 180th
    sets = found.sets(found.apply(scores))
    assert sets[np.arange(199), codes].sum() in (179, 180)  # the last one within a rounding


def test_rows_that_no_fold_held_do_not_count():
    scores, codes = drawn(n=300)
    some = scores.copy()
    some[::3] = np.nan
    found = fit_calibration(some, codes, coverage=0.9)
    there = np.arange(300) % 3 != 0
    alone = fit_calibration(scores[there], codes[there], coverage=0.9)
    assert found.summary() == alone.summary()
    assert found.rows == 200


def test_no_held_scores_are_no_calibration():
    codes = np.array([0, 1])
    assert fit_calibration(None, codes, coverage=0.9) is None
    assert fit_calibration(np.full((2, 2), np.nan), codes, coverage=0.9) is None


@pytest.mark.parametrize("shape", [(3, 2), (2, 1), (2,)])
def test_held_scores_of_another_shape_are_refused(shape):
    with pytest.raises(DataError, match="held scores"):
        fit_calibration(np.zeros(shape), np.array([0, 1]), coverage=0.9)


def test_scores_of_minus_infinity_stay_impossible():
    vector = Calibration("vector", 1.0, np.ones(3), np.zeros(3), 9, 0.9, 0.5)
    for calibration in (vector, Calibration("temperature", 2.0, None, None, 9, 0.9, 0.5)):
        got = calibration.apply(np.array([[1.0, 0.0, -np.inf]]))
        assert got[0, 2] == -np.inf
        assert got[0, 0] > got[0, 1]


def made():
    scores, codes = drawn(scale=np.array([0.3, 1.0, 1.0, 2.0]), bias=np.array([1.5, 0, 0, -1.5]))
    return fit_calibration(scores, codes, coverage=0.8), scores


def test_state_round_trips_through_safetensors_beside_the_heads_own():
    vector, scores = made()
    temperature = fit_calibration(*drawn(), coverage=0.9)
    assert (vector.method, temperature.method) == ("vector", "temperature")
    for calibration in (vector, temperature):
        stored = load(save({"weights": np.ones(3), **calibration.state()}))
        again = Calibration.from_state(stored, "ridge")
        assert again.summary() == calibration.summary()
        assert again.apply(scores).tobytes() == calibration.apply(scores).tobytes()
        assert list(without_calibration(stored)) == ["weights"]


def test_a_file_without_a_calibration_has_none():
    assert Calibration.from_state({"weights": np.ones(3)}, "ridge") is None


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": np.array(0.0)},
        {"temperature": np.array(np.nan)},
        {"temperature": np.ones(2)},
        {"temperature": np.array(1, np.bool_)},
        {"temperature": None},
        {"threshold": np.array(1.5)},
        {"threshold": np.array(-0.1)},
        {"threshold": np.array(np.inf)},
        {"threshold": None},
        {"coverage": np.array(1.0)},
        {"coverage": None},
        {"rows": np.array(-1)},
        {"rows": np.array(1.5)},
        {"rows": None},
        {"scale": np.ones(3)},
        {"scale": np.zeros(4)},
        {"scale": np.array([1.0, 1.0, 1.0, np.inf])},
        {"scale": np.ones((4, 1))},
        {"scale": None},
        {"bias": np.array([np.nan] * 4)},
        {"bias": None},
        {"bias": np.zeros(0), "scale": np.zeros(0)},
    ],
    ids=str,
)
def test_a_state_that_does_not_fit_is_one_clear_error(change):
    state = made()[0].state()
    for name, value in change.items():
        if value is None:
            del state[f"calibration/{name}"]
        else:
            state[f"calibration/{name}"] = value
    with pytest.raises(DataError, match="head 'ridge'"):
        Calibration.from_state(state, "ridge")


def test_a_calibration_of_other_classes_is_refused():
    with pytest.raises(DataError, match="4 classes"):
        made()[0].apply(np.zeros((2, 3)))
