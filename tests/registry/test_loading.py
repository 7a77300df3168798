"""Every way in which a plugin can fail to load is fenced: one line, and the others work."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from zoo.registry import loading


def state_of(registry, name):
    (info,) = [info for info in registry.plugins() if info.name == name]
    return info


@pytest.fixture
def load_beside_sound(install, registry, warnings):
    """Load a plugin beside a sound one; gives its PluginInfo after what must hold for all."""

    def load(target):
        install(broken=target, sound="zoo_sound", after="zoo_clash:FIRST")
        warnings.clear()
        found = registry()
        info = state_of(found, "broken")
        assert info.entries == ()
        assert info.hooks == ()
        assert not [
            r for c in found._catalogues.values() for r in c.values() if r.plugin == "broken"
        ]
        assert "broken" not in dict(found._manager.list_name_plugin())
        assert state_of(found, "sound").state == state_of(found, "after").state == "loaded"
        assert found.create("head", "sound").name == "sound"
        (line,) = [line for line in warnings if "'broken'" in line]
        assert line == f"plugin 'broken' is {info.state}: {info.reason}"
        assert line.isprintable()
        return info

    return load


@pytest.mark.parametrize(
    ("target", "state", "reason"),
    [
        ("zoo_import_error", "failed", "ModuleNotFoundError: .*a_module_that_nobody_has"),
        ("zoo_nowhere", "failed", "ModuleNotFoundError: .*zoo_nowhere"),
        ("zoo_sound:Missing", "failed", "AttributeError: .*Missing"),
        ("zoo_exits", "failed", "SystemExit: 4"),
        ("zoo_chatty", "failed", r"RuntimeError: \[31mfirst line second line and on .*…"),
        ("zoo_hook_raises", "failed", "KeyError: 'halfway through'"),
        ("zoo_unknown_hook", "incompatible", "this zoo has no hook 'zoo_register_telescopes'"),
        ("zoo_wrong_argument", "incompatible", ".*zoo_resolve_source.*'sauce'"),
        ("zoo_wrapper", "incompatible", "'zoo_resolve_source' is a wrapper"),
        ("zoo_other_api", "incompatible", "is written for plugin API 99, and this zoo has 0"),
        ("zoo_other_api:PLUGIN", "incompatible", "is written for plugin API 99"),
        ("zoo_unfit_entries:NUMBER", "failed", "'zoo_register_heads' gives int, not entries"),
        ("zoo_unfit_entries:NONE", "failed", "'zoo_register_heads' gives None, not entries"),
        ("zoo_unfit_entries:TEXT", "failed", "registers a str as head, not an Entry"),
        ("zoo_unfit_entries:STRANGER", "failed", "registers a dict as head, not an Entry"),
        ("zoo_unfit_entries:SPACED_NAME", "failed", "head 'two words' is not a usable name"),
        ("zoo_unfit_entries:SLASHED_NAME", "failed", "head 'zoo/logistic' is not a usable name"),
        ("zoo_unfit_entries:NUMBER_NAME", "failed", "head 7 is not a usable name"),
        ("zoo_unfit_entries:NO_ATTRIBUTE", "failed", "head 'x' has factory 'zoo_sound', not"),
        ("zoo_unfit_entries:CLASS_ITSELF", "failed", "head 'x' has factory <class .*, not"),
        ("zoo_unfit_entries:BARE_REQUIRES", "failed", "head 'x' must have a tuple of module"),
        ("zoo_unfit_entries:NUMBER_SUMMARY", "failed", "head 'x' must have strings in summary"),
        ("zoo_unfit_entries:TWICE", "failed", "head 'good' is registered twice"),
        ("zoo_unfit_entries:UNHASHABLE", "failed", "TypeError: unhashable"),
        ("zoo_clash:FIRST", "failed", "is the same object as plugin 'after'"),
    ],
)
def test_a_broken_plugin_is_out_and_the_others_work(load_beside_sound, target, state, reason):
    info = load_beside_sound(target)
    assert info.state == state
    assert re.match(reason, info.reason)
    assert len(info.reason) <= 300


def test_a_sound_plugin_is_listed_with_all_it_brings(install, registry, warnings):
    install(sound="zoo_sound", version="3.4")
    info = state_of(registry(), "sound")
    assert (info.version, info.state, info.reason) == ("3.4", "loaded", "")
    assert "zoo_register_heads" in info.hooks
    assert list(info.hooks) == sorted(info.hooks)
    assert {r.qualified for r in info.entries} == {
        "sound/sound",
        "sound/nested",
        "sound/snd",
        "sound/guess",
    }
    assert warnings == []


def test_the_builtins_come_first_and_plugins_by_name(install, registry):
    install(beta="zoo_clash:FIRST", alpha="zoo_sound")
    assert [info.name for info in registry().plugins()] == ["zoo", "alpha", "beta"]


def test_an_optional_hook_may_be_unknown(install, registry, warnings):
    install(later="zoo_optional_hook")
    assert state_of(registry(), "later").state == "loaded"
    assert warnings == []


def test_the_second_plugin_of_a_name_is_out(install, registry, warnings):
    install(same="zoo_sound", dist="aaa")
    install(same="zoo_clash:FIRST", dist="bbb")
    found = registry()
    assert [i.state for i in found.plugins() if i.name == "same"] == ["loaded", "failed"]
    assert found.heads["sound"].plugin == "same"
    assert warnings == ["plugin 'same' is failed: another plugin has this name"]


@pytest.mark.parametrize("name", ["zoo", "all", "my plugin", "ä/b"])
def test_a_plugin_cannot_take_a_name_with_a_meaning(install, registry, warnings, name):
    install(**{name: "zoo_sound"}, dist="thief")
    found = registry()
    assert [i.state for i in found.plugins() if i.version == "1.2"] == ["failed"]
    assert "logistic" in found.heads
    assert len(warnings) == 1


def test_ctrl_c_during_an_import_ends_the_run(install, registry, tmp_path):
    site = install(slow="zoo_slow")
    (site / "zoo_slow.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        registry()


def test_prints_of_a_plugin_do_not_reach_stdout(install, registry, capsys):
    install(chatty="zoo_chatty")
    registry()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "welcome to chatty\n"


@pytest.mark.parametrize("name", ["sound", "dist_sound"])
def test_a_disabled_plugin_is_not_imported(install, registry, warnings, name):
    install(sound="zoo_sound", exits="zoo_exits")
    found = registry(disabled=frozenset({name}))
    assert state_of(found, "sound").state == "disabled"
    assert state_of(found, "exits").state == "failed"
    assert "zoo_sound" not in sys.modules
    assert len(warnings) == 1


def test_all_disables_every_plugin_and_no_builtin(install, registry, warnings):
    install(sound="zoo_sound", exits="zoo_exits")
    found = registry(disabled=frozenset({"all"}))
    assert [info.state for info in found.plugins()] == ["loaded", "disabled", "disabled"]
    assert "logistic" in found.heads
    assert warnings == []


def test_the_environment_disables_where_the_call_does_not(install, registry, monkeypatch):
    install(sound="zoo_sound")
    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", "other, sound")
    assert state_of(registry(disabled=None), "sound").state == "disabled"


def test_a_registry_leaves_nothing_behind_in_another(install, registry):
    install(sound="zoo_sound")
    registry(disabled=frozenset({"all"}))
    first, second = registry(), registry()
    assert first.heads == second.heads
    assert first.plugins() == second.plugins()


def test_a_plugin_that_validation_left_half_registered_is_taken_out(install, registry, monkeypatch):
    """As pluggy up to 1.6 leaves it: under its name, with the hooks before the wrong one."""
    plain = loading.pluggy.PluginManager.register

    def half(self, plugin, name=None):
        plain(self, plugin, name)
        if name == "sound":
            raise loading.pluggy.PluginValidationError(plugin, "too late")

    monkeypatch.setattr(loading.pluggy.PluginManager, "register", half)
    install(sound="zoo_sound")
    found = registry()
    assert state_of(found, "sound").state == "incompatible"
    assert not found._manager.has_plugin("sound")
    assert found._manager.hook.zoo_run_started.get_hookimpls() == []


def test_loading_imports_no_factory_and_nothing_heavy():
    code = (
        "import sys; from zoo.registry import Registry; Registry(print);"
        "bad = {'torch', 'transformers', 'onnxruntime', 'sklearn', 'PIL', 'zoo.heads'};"
        "print(sorted(bad & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "[]\n"
