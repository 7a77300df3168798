"""Names: who keeps one that two want, and how the other is reached."""

from __future__ import annotations

from zoo.registry import KINDS


def test_a_builtin_keeps_its_name_and_the_plugin_is_reached_in_full(install, registry, warnings):
    install(clash="zoo_clash:FIRST")
    found = registry()
    assert found.heads["logistic"].plugin == "zoo"
    assert found.heads["zoo/logistic"] is found.heads["logistic"]
    assert found.heads["clash/logistic"].plugin == "clash"
    assert found.create("head", "clash/logistic").name == "sound"
    (line,) = warnings
    assert line == (
        "plugin 'clash': head 'logistic' is 'zoo/logistic' already;"
        " this one is called 'clash/logistic'"
    )


def test_of_two_plugins_the_first_by_name_keeps_the_name(install, registry, warnings):
    install(zulu="zoo_clash:FIRST", alpha="zoo_clash:SECOND")
    found = registry()
    assert found.heads["wanted"].plugin == "alpha"
    assert found.heads["wanted"].qualified == "alpha/wanted"
    assert found.heads["zulu/wanted"].plugin == "zulu"
    (line,) = [line for line in warnings if "'wanted'" in line]
    assert line == (
        "plugin 'zulu': head 'wanted' is 'alpha/wanted' already; this one is called 'zulu/wanted'"
    )


def test_everything_is_listed_once_under_a_name_that_finds_it(install, registry):
    install(zulu="zoo_clash:FIRST", alpha="zoo_clash:SECOND", sound="zoo_sound")
    heads = registry().heads
    assert list(heads) == [
        "logistic",
        "ridge",
        "lda",
        "knn",
        "prototype",
        *("alpha/logistic", "wanted", "sound", "nested", "zulu/logistic", "zulu/wanted"),
    ]
    assert all(heads[name].name == name for name in heads)
    assert len(heads) == len({registered.qualified for registered in heads.values()})


def test_the_same_name_in_two_kinds_is_no_clash(install, registry, warnings):
    install(factories="zoo_factories")
    found = registry()
    assert found.heads["wrong-type"].kind == "head"
    assert found.providers["wrong-type"].kind == "provider"
    assert warnings == []


def test_every_kind_has_a_catalogue(install, registry):
    install(sound="zoo_sound")
    found = registry()
    assert [c.kind for c in _catalogues(found)] == list(KINDS)
    assert list(found.scores) == ["guess"]
    assert list(found.datasets) == "arrays parquet webdataset listed table folder sklearn".split()
    assert {"hf", "onnx", "builtin", "snd"} <= set(found.providers)


def _catalogues(found):
    return (
        found.providers,
        found.datasets,
        found.heads,
        found.scores,
        found.runtimes,
        found.exporters,
    )
