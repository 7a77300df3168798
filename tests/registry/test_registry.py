"""Sources, observers and report sections: plugins take part, and their faults pass over."""

from __future__ import annotations

import sys

import pytest

from zoo.errors import SourceError
from zoo.plugin import Section, Source


@pytest.fixture
def found(install, registry):
    install(bad="zoo_bad_observer", sound="zoo_sound")
    return registry()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("hf:org/name@v1#tap", "hf:org/name@v1#tap"),
        ("zoo/hf:org/name", "zoo/hf:org/name"),
        ("snd:x", "snd:x"),
        ("sound/snd:x", "sound/snd:x"),
        ("org/name", "hf:org/name"),
        ("org/name@refs/pr/1#layer", "hf:org/name@refs/pr/1#layer"),
        ("./folder", "hf:./folder"),
        ("~/a:b", "hf:~/a:b"),
        ("/models/m.onnx", "onnx:/models/m.onnx"),
        ("m.onnx#tap", "onnx:./m.onnx#tap"),
        ("./m.onnx?weights=w.bin", "onnx:./m.onnx?weights=w.bin"),
        ("sound-bare", "snd:bare"),
    ],
)
def test_a_source_is_resolved(found, warnings, text, source):
    assert found.resolve_source(text) == Source.parse(source)
    assert warnings == []


@pytest.mark.parametrize("text", ["", "resnet18", "a/b/c", "nobody:x", "hff:./m.onnx", "C:m"])
def test_a_source_that_nobody_knows_lists_the_providers(found, text):
    with pytest.raises(SourceError) as caught:
        found.resolve_source(text)
    assert f"source '{text}'" in str(caught.value)
    assert "known providers: builtin, hf, onnx, snd" in caught.value.hint


def test_a_misspelt_provider_gets_a_close_one(found):
    with pytest.raises(SourceError, match="no provider is called 'hff'") as caught:
        found.resolve_source("hff:org/name")
    assert caught.value.hint.startswith("did you mean hf? ")


@pytest.mark.parametrize("text", ["hf:", "hf:@main", "hf:org/name@", "org/name@", "./dir?x=1"])
def test_a_malformed_source_says_what_is_malformed(found, warnings, text):
    with pytest.raises(SourceError):
        found.resolve_source(text)
    assert warnings == []


@pytest.mark.parametrize(
    ("text", "source", "reason"),
    [
        ("raise-org/name", "hf:raise-org/name", "OSError: the lookup service is down"),
        ("sound-number", "snd:number", "gives a int, not a source"),
        ("sound-unparsable", "snd:unparsable", "SourceError: source 'no colon' is not of the form"),
        ("sound-unknown", "snd:unknown", "gives 'nobody:x', and no provider is called so"),
    ],
)
def test_a_failing_resolver_is_passed_over(found, warnings, text, source, reason):
    assert str(found.resolve_source(text)) == source
    (line,) = warnings
    assert line.startswith(f"plugin 'bad' failed in zoo_resolve_source: {reason}")


def test_plugins_resolve_before_the_builtins_and_by_name(found):
    assert found.resolve_source("sound-org/name").provider == "snd"


def test_observers_are_told_though_one_of_them_fails(found, warnings):
    found.observe("zoo_run_started", plan="the plan")
    assert sys.modules["zoo_sound"].SEEN == ["the plan"]
    assert warnings == ["plugin 'bad' failed in zoo_run_started: RuntimeError: cannot see the plan"]


def test_an_observer_cannot_end_the_process(found, warnings):
    found.observe("zoo_run_finished", plan=None, result=None)
    assert warnings == ["plugin 'bad' failed in zoo_run_finished: SystemExit: 1"]


def test_ctrl_c_in_an_observer_ends_the_run(found):
    with pytest.raises(KeyboardInterrupt):
        found.observe("zoo_run_failed", plan=None, error=ValueError())


def test_a_plugin_whose_observer_fails_keeps_its_entries(found):
    found.observe("zoo_run_started", plan=None)
    assert found.create("head", "kept").name == "sound"


def test_only_observing_hooks_can_be_observed(found):
    with pytest.raises(ValueError, match="zoo_register_heads"):
        found.observe("zoo_register_heads")


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("run", "gives a str, not a Section"),
        ("text", "gives a Section whose paragraphs are not a tuple of strings"),
    ],
)
def test_sections_come_from_the_plugins_that_give_sound_ones(found, warnings, result, reason):
    assert found.report_sections(result) == [Section("Sound", (f"about {result}",))]
    assert warnings == [f"plugin 'bad' failed in zoo_report_sections: {reason}"]
