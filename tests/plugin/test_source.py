"""Sources: what parses, what is refused, and that nothing is lost on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.plugin import Source, SourceError

PROVIDERS = st.from_regex(r"[A-Za-z][A-Za-z0-9_.+-]*(/[A-Za-z0-9_.+-]+)?", fullmatch=True)
PLAIN = st.text(min_size=1).filter(lambda s: not set("@?#") & set(s) and s[0] not in "./~")
PATHS = st.tuples(st.sampled_from("./~"), st.text()).map("".join)
PATHS = PATHS.filter(lambda s: not set("?#") & set(s))


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("hf:org/name", Source("hf", "org/name")),
        ("hf:org/name@main", Source("hf", "org/name", "main")),
        ("hf:org/name@refs/pr/1", Source("hf", "org/name", "refs/pr/1")),
        ("hf:org/name@v1@2", Source("hf", "org/name", "v1@2")),
        ("hf:org/name#encoder.3/cls", Source("hf", "org/name", tap="encoder.3/cls")),
        ("hf:a/b@r?weights=w.pt#t", Source("hf", "a/b", "r", "w.pt", "t")),
        ("hf:./dir@home", Source("hf", "./dir@home")),
        ("onnx:~/a b/model.onnx", Source("onnx", "~/a b/model.onnx")),
        ("onnx:/m.onnx?weights=a=b?c", Source("onnx", "/m.onnx", weights="a=b?c")),
        ("torchhub:owner/repo:v1/entry", Source("torchhub", "owner/repo:v1/entry")),
        ("plugin/name:ref", Source("plugin/name", "ref")),
        ("hf:ö/名", Source("hf", "ö/名")),
        ("hf:a#b#c", Source("hf", "a", tap="b#c")),
    ],
)
def test_a_full_source_is_taken_apart(text, source):
    assert Source.parse(text) == source


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "hf",
        "hf:",
        ":org/name",
        "org/name",
        "./model.onnx",
        "hf:@rev",
        "hf:org/name@",
        "hf:org/name#",
        "hf:org/name?",
        "hf:org/name?weights=",
        "hf:org/name?weight=w.pt",
        "hf:?weights=w.pt",
        "hf:#tap",
        "hf:a#b,,c",
        "hf:a#b,",
        "hf:a#b,b",
        "1hf:org/name",
        "h f:org/name",
        "hf\n:org/name",
        "a/b/c:org/name",
        "/hf:org/name",
    ],
)
def test_a_source_with_a_part_missing_is_refused(text):
    with pytest.raises(SourceError) as caught:
        Source.parse(text)
    assert caught.value.exit_code == 3


@given(st.text(alphabet="hf:./~@?#=weights \nÄ1", max_size=20) | st.text())
def test_what_parses_is_spelled_as_it_was(text):
    try:
        source = Source.parse(text)
    except SourceError:
        return
    assert str(source) == text


@given(
    provider=PROVIDERS,
    plain=st.tuples(PLAIN, st.text().filter(lambda s: not set("?#") & set(s))),
    path=PATHS,
    weights=st.text().filter(lambda s: "#" not in s),
    tap=st.lists(st.text(min_size=1).filter(lambda s: "," not in s), unique=True).map(",".join),
    local=st.booleans(),
)
def test_a_source_survives_its_own_spelling(provider, plain, path, weights, tap, local):
    reference, revision = (path, "") if local else plain
    source = Source(provider, reference, revision, weights, tap)
    assert Source.parse(str(source)) == source


def test_a_path_is_known_by_its_first_character():
    assert Source.parse("hf:./dir").path == Path("dir")
    assert Source.parse("hf:/dir").path == Path("/dir")
    assert Source.parse("hf:org/name").path is None


def test_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert Source.parse("onnx:~/m.onnx").path == tmp_path / "m.onnx"


@pytest.mark.skipif("sys.platform == 'win32'", reason="Windows guesses other users' folders")
def test_the_home_of_nobody_is_a_source_error():
    with pytest.raises(SourceError, match="nobody-of-this-name"):
        _ = Source.parse("onnx:~nobody-of-this-name/m.onnx").path


def test_several_taps_are_as_many_sources():
    source = Source.parse("hf:org/name@r#cls,a.b/mean")
    assert [str(each) for each in source.of_each_tap()] == [
        "hf:org/name@r#cls",
        "hf:org/name@r#a.b/mean",
    ]
    assert Source.parse("hf:org/name").of_each_tap() == (Source("hf", "org/name"),)
