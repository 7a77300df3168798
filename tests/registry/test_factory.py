"""Making what is registered: names nobody has, modules that are missing, factories that fail."""

from __future__ import annotations

import sys

import pytest

from zoo.errors import MissingExtraError, PluginError, SourceError, UsageError
from zoo.plugin import Provider


@pytest.fixture
def found(install, registry):
    install(factories="zoo_factories", sound="zoo_sound")
    return registry()


def test_a_factory_is_imported_when_it_is_used(found):
    assert found.create("head", "sound").name == "sound"
    assert found.create("head", "sound/sound") is not found.create("head", "sound")
    assert isinstance(found.create("provider", "snd"), Provider)


def test_a_factory_may_stand_inside_a_class(found):
    assert found.create("head", "nested").name == "sound"


def test_a_kind_without_a_base_class_takes_anything(found):
    assert type(found.create("score", "guess")).__name__ == "Score"


def test_an_unknown_head_is_a_usage_error_with_close_names(found):
    with pytest.raises(UsageError, match=r"^no head is called 'logistik'$") as caught:
        found.create("head", "logistik")
    assert caught.value.exit_code == 2
    assert caught.value.hint.startswith("did you mean logistic? known heads: abstract, exits, knn")


def test_an_unknown_qualified_name_is_compared_with_qualified_names(found):
    with pytest.raises(UsageError) as caught:
        found.create("head", "sounds/sound")
    assert caught.value.hint.startswith("did you mean sound/sound")


def test_an_unknown_provider_is_a_source_error(found):
    with pytest.raises(SourceError, match=r"^no provider is called 'tim'$") as caught:
        found.create("provider", "tim")
    assert caught.value.exit_code == 3
    assert "known providers: builtin, hf, onnx, snd" in caught.value.hint


def test_a_kind_of_which_there_is_nothing_says_so(found):
    with pytest.raises(UsageError) as caught:
        found.create("exporter", "onnx")
    assert caught.value.hint == "known exporters: none"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no-module", "ModuleNotFoundError: No module named 'zoo_factories_missing'"),
        ("no-attribute", "AttributeError: "),
        ("raises", "ValueError: no luck"),
        ("exits", 'SystemExit: {"bye": 1}'),
        ("abstract", "TypeError: Can't instantiate abstract class Head"),
        ("not-callable", "TypeError: 'module' object is not callable"),
        ("wrong-type", "makes a WrongType, not a Head"),
    ],
)
def test_a_factory_that_fails_names_its_plugin(found, name, reason):
    with pytest.raises(PluginError) as caught:
        found.create("head", name)
    text = str(caught.value)
    assert text.startswith(f"plugin 'factories': head '{name}' (")
    assert f") does not work: {reason}" in text
    assert text.isprintable()
    assert caught.value.exit_code == 3
    assert caught.value.hint.endswith("ZOO_DISABLE_PLUGINS=factories")


def test_the_error_keeps_its_cause_for_debugging(found):
    with pytest.raises(PluginError) as caught:
        found.create("head", "raises")
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_provider_must_be_a_provider(found):
    with pytest.raises(PluginError, match="makes a WrongType, not a Provider"):
        found.create("provider", "wrong-type")


def test_an_error_that_a_factory_raises_on_purpose_passes(found):
    with pytest.raises(UsageError, match=r"^say please$") as caught:
        found.create("head", "on-purpose")
    assert caught.value.hint == "please"


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("needs", "a_module_that_nobody_has.sub", "a_module_that_nobody_has"),
        ("needs-extra", "nobody_has", "my-pkg[x]"),
    ],
)
def test_a_missing_module_of_a_plugin_is_one_pip_command_away(found, name, module, package):
    with pytest.raises(MissingExtraError, match=f"^'{module}' is not installed$") as caught:
        found.create("head", name)
    assert caught.value.hint == f"pip install '{package}'"


def test_a_missing_module_of_a_builtin_names_its_extra(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match="'onnxruntime' is not installed") as caught:
        found.create("provider", "onnx")
    assert caught.value.hint == "pip install 'zoo-transfer[onnx]'"


def test_a_bug_in_a_builtin_is_not_dressed_up_as_a_plugin_error(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "zoo.heads.knn", None)
    with pytest.raises(ImportError):
        found.create("head", "knn")
