"""The contract kit passes what is sound and names what each mutant breaks."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.errors import UsageError, ZooError
from zoo.plugin import Entry, Target
from zoo.testing import ContractBroken, head_checks, provider_checks, reader_checks, run_checks

MUTANTS = Path(__file__).parents[1] / "fixtures" / "contract"


@pytest.fixture(autouse=True)
def _mutants(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(MUTANTS))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.lines").write_text("pos\tgood\nneg\tbad\npos\tfine\n")
    yield
    sys.modules.pop("zoo_mutants", None)
    if sys.modules.get("jax") is sys:
        del sys.modules["jax"]


def entry(name):
    return Entry("toy", f"zoo_mutants:{name}")


def broken(checks):
    """Names of the checks that fail, whatever they raise."""
    failed = set()
    for check in checks:
        try:
            check()
        except (ContractBroken, ZooError):
            failed.add(str(check))
    return failed


PROVIDERS = {
    "Sound": set(),
    "Framework": {"describes_without_a_framework"},
    "Restless": {
        "digest_is_the_same_every_time",
        "backbone_keeps_the_contract",
        "rows_are_kept_and_found_again",
    },
    "UnfitError": {"contract_is_plain_and_complete"},
    "Changed": {"backbone_keeps_the_contract"},
    "BatchNormalised": {"rows_do_not_depend_on_the_batch", "rows_are_kept_and_found_again"},
    "Training": {
        "rows_do_not_depend_on_the_batch",
        "forward_is_in_evaluation_mode",
        "rows_are_kept_and_found_again",
    },
    "Blind": {"forward_gives_one_row_a_sample"},
    "TakesAnyTap": {"unknown_taps_are_refused"},
    "TakesAnyModel": {"missing_models_are_refused"},
    "FindsOthers": {"search_finds_sources_of_its_own"},
    "Boasting": {"facts_are_true"},
}


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_fails_just_what_it_breaks(name):
    checks = provider_checks(entry(name), "toy:mean")
    # What a model gives every time anew can't be found again, nor can its digest.
    assert broken(checks) == PROVIDERS[name]


def test_an_output_without_the_tap_is_named():
    checks = {str(check): check for check in provider_checks(entry("OtherTap"), "toy:mean")}
    with pytest.raises(ContractBroken, match=r"gives \['other'\], not the tap 'out'"):
        checks["forward_gives_one_row_a_sample"]()


HEADS = {
    "SoundHead": set(),
    "Narrow": {"gives_finite_scores_for_each_row"},
    "Relative": {"scores_of_a_row_do_not_depend_on_others"},
    "Weightless": {"weightless_rows_teach_nothing"},
    "Scribbling": {"leaves_its_rows_alone", "fits_the_same_twice", "takes_any_kind_of_rows"},
    "Random": {"fits_the_same_twice"},
    "Lossy": {"comes_back_from_its_state"},
    "Gullible": {"refuses_the_state_of_another"},
    "Stray": {"search_chooses_one_of_its_strengths", "search_keeps_scores_of_held_rows"},
    "Unfolded": {"search_chooses_one_of_its_strengths"},
    "Ignorant": {"learns", "weightless_rows_teach_nothing"},
    "ArraysOnly": {"takes_any_kind_of_rows", "weightless_rows_teach_nothing"},
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_fails_just_what_it_breaks(name):
    assert broken(head_checks(entry(name))) == HEADS[name]


READERS = {
    "SoundReader": set(),
    "Greedy": {"claims_its_own_and_nothing_else"},
    "Shuffling": {"reads_the_same_twice", "reads_without_labels"},
    "Twins": {"gives_a_dataset_of_samples"},
    "Telling": {"reads_without_labels", "missing_columns_are_refused"},
    "Raising": {"missing_data_is_refused"},
    "Unsorted": {"targets_fit_their_names"},
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_fails_just_what_it_breaks(name):
    assert broken(reader_checks(entry(name), "d.lines")) == READERS[name]


def test_all_failures_are_told_together():
    run_checks(head_checks(entry("SoundHead")))
    with pytest.raises(ContractBroken) as told:
        run_checks(head_checks(entry("Stray")))
    lines = str(told.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == sorted(HEADS["Stray"])


def test_a_factory_that_is_not_there_is_an_error_in_one_line():
    with pytest.raises(ContractBroken, match="no_such_module"):
        run_checks(head_checks(Entry("toy", "no_such_module:Head")))


def test_the_kit_refuses_what_it_cannot_check():
    with pytest.raises(UsageError, match="not one of provider 'toy'"):
        provider_checks(entry("Sound"), "hf:org/name")
    with pytest.raises(UsageError, match="two different"):
        provider_checks(entry("Sound"), "toy:mean", items=["one"])
    with pytest.raises(UsageError, match="or neither"):
        head_checks(entry("SoundHead"), rows=np.zeros((40, 2)))
    with pytest.raises(UsageError, match="30 rows"):
        head_checks(entry("SoundHead"), rows=np.zeros((9, 2)), target=Target("none", np.zeros(9)))


def test_an_authors_own_rows_are_taken():
    rng = np.random.default_rng(0)
    codes = np.arange(40) % 2
    target = Target("class", codes, ("a", "b"))
    assert not broken(head_checks(entry("SoundHead"), rows=rng.normal(size=(40, 3)), target=target))


def test_an_authors_own_samples_are_taken():
    samples = [np.full((3, 3), level, np.uint8) for level in (0, 100)]
    assert not broken(provider_checks(entry("Sound"), "toy:mean", items=samples))
    twins = [samples[0], samples[0]]
    failed = broken(provider_checks(entry("Sound"), "toy:mean", items=twins))
    assert failed == {"forward_gives_one_row_a_sample"}
