from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.hf_features import Features, from_folder, from_metadata
from zoo.errors import DataError

NAMES = {"_type": "ClassLabel", "names": ["neg", "pos"]}


def metadata(features):
    return {b"huggingface": json.dumps({"info": {"features": features}}).encode()}


def test_class_names_and_media_come_from_the_schema():
    got = from_metadata(metadata({"y": NAMES, "x": {"_type": "Image"}, "n": {"_type": "Value"}}))
    assert got == Features({"y": ("neg", "pos")}, {"x": "image"})
    assert from_metadata(None) == from_metadata({b"other": b"1"}) == Features()


@pytest.mark.parametrize("names", [[], ["a", "a"], ["a", ""], ["a", None], "ab", [["a"], "b"]])
def test_names_that_cannot_be_classes_are_none(names):
    assert from_metadata(metadata({"y": {"_type": "ClassLabel", "names": names}})) == Features()


def test_codes_have_names_and_minus_one_is_no_label():
    told = Features({"y": ("neg", "pos")})
    assert [told.label("y", code, "row") for code in (1, 0, -1, None)] == ["pos", "neg", None, None]
    assert told.label("z", 1, "row") == 1
    for code in (2, -2):
        with pytest.raises(DataError, match="row: the label"):
            told.label("y", code, "row")


@pytest.mark.parametrize("names", ["['neg', 'pos']", "{'0': neg, '1': pos}", "{0: neg, 1: pos}"])
def test_a_data_card_may_say_it(tmp_path, names):
    (tmp_path / "README.md").write_text(
        "---\nlicense: mit\ndataset_info:\n  features:\n  - name: y\n    dtype:\n"
        f"      class_label:\n        names: {names}\n  - name: x\n    dtype: audio\n---\ntext\n"
    )
    assert from_folder(tmp_path) == Features({"y": ("neg", "pos")}, {"x": "audio"})


def test_one_configuration_is_taken_and_of_several_none(tmp_path):
    path = tmp_path / "dataset_info.json"
    path.write_text(json.dumps({"default": {"features": {"y": NAMES}}}))
    assert from_folder(tmp_path).classes == {"y": ("neg", "pos")}
    path.write_text(json.dumps({"a": {"features": {"y": NAMES}}, "b": {}}))
    assert from_folder(tmp_path) == Features()


def test_a_broken_file_is_an_error_and_a_card_of_prose_is_not(tmp_path):
    (tmp_path / "README.md").write_text("---\n{: [\n---\n")
    assert from_folder(tmp_path) == Features()
    (tmp_path / "dataset_info.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        from_folder(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["info", "features", "_type", "names", "dataset_info", "name", "dtype"]
            ),
            inner,
            max_size=3,
        )
    ),
)


@given(json_values)
def test_any_json_is_read_as_features_or_nothing(tmp_path_factory, value):
    assert isinstance(from_metadata({b"huggingface": json.dumps(value).encode()}), Features)
    folder = tmp_path_factory.mktemp("f")
    (folder / "dataset_info.json").write_text(json.dumps(value))
    assert isinstance(from_folder(folder), Features)
    (folder / "dataset_info.json").unlink()
    (folder / "README.md").write_text(f"---\n{json.dumps(value)}\n---\n")
    assert isinstance(from_folder(folder), Features)
