"""Entry points: what they are called with, what they may not do, and what they leave behind."""

from __future__ import annotations

import pickle
import sys
import types

import pytest
import torch

from zoo.errors import MissingExtraError, SourceError
from zoo.providers.torchhub_entry import build, first_argument


def made(folder, entry="net", **changes):
    return build(folder, entry, **{"pretrained": False, "seed": 0, "offline": False, **changes})


def level(module):
    return float(module.head.bias.detach()[0])


def write(folder, text):
    (folder / "hubconf.py").write_text("import torch\nfrom torch import nn\n" + text)


def test_an_entry_point_is_asked_for_its_own_weights_or_for_none(repository):
    assert level(made(repository, pretrained=True)) == 1
    assert level(made(repository)) == 0
    write(
        repository,
        "def net(weights=None):\n"
        "    out = nn.Linear(2, 2)\n    out.said = weights\n    return out\n"
        "def plain():\n    return nn.Linear(2, 2)\n",
    )
    assert made(repository, pretrained=True).said == "DEFAULT"
    assert made(repository).said is None
    assert made(repository, "plain", pretrained=True).in_features == 2


def test_the_same_seed_gives_the_same_weights_and_the_process_keeps_its_own(repository):
    write(repository, "def net():\n    return nn.Linear(2, 2)\n")
    torch.manual_seed(5)
    want = torch.rand(1)
    torch.manual_seed(5)
    one, same, other = (made(repository, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(1), want)
    assert torch.equal(one.weight, same.weight)
    assert not torch.equal(one.weight, other.weight)


def test_two_repositories_with_modules_of_one_name_keep_to_their_own(repository, tmp_path):
    first = made(repository, "other")
    twin = tmp_path / "twin"
    twin.mkdir()
    (twin / "hubconf.py").write_text((repository / "hubconf.py").read_text())
    (twin / "parts.py").write_text(
        (repository / "parts.py").read_text().replace("ter, level", "ter, 7")
    )
    assert level(made(twin, "other")) == 7
    assert level(first) == 2


def test_a_module_of_the_users_own_of_that_name_is_neither_used_nor_lost(repository, monkeypatch):
    own = types.ModuleType("parts")
    monkeypatch.setitem(sys.modules, "parts", own)
    before = list(sys.path)
    made(repository)
    assert sys.modules["parts"] is own
    assert sys.path == before
    assert "hubconf" not in sys.modules
    assert not list(repository.rglob("__pycache__"))


def test_a_file_with_the_name_of_an_installed_package_does_not_replace_it(repository):
    (repository / "numpy").mkdir()
    (repository / "numpy" / "setup.py").write_text("raise RuntimeError('executed')")
    (repository / "json.py").write_text("raise RuntimeError('executed')")
    assert level(made(repository)) == 0
    assert sys.modules["json"].dumps([]) == "[]"


def test_an_unknown_entry_point_names_the_others(repository):
    with pytest.raises(SourceError, match="no entry point 'nett'") as caught:
        made(repository, "nett")
    assert caught.value.hint == "it has: net, other"


def test_a_package_that_is_missing_is_named(repository):
    write(repository, "dependencies = ['torch', 'not_installed_at_all']\ndef net(): pass\n")
    with pytest.raises(MissingExtraError, match="not_installed_at_all"):
        made(repository)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("raise ValueError('no\\nluck')", "failed: ValueError: no luck"),
        ("raise SystemExit(0)", "failed: SystemExit"),
        ("import not_installed_at_all", "failed: ModuleNotFoundError"),
        ("return 3", "gives a int, not a torch module"),
    ],
)
def test_what_goes_wrong_inside_is_one_clear_error(repository, body, complaint):
    write(repository, f"def net():\n    {body}\n")
    with pytest.raises(SourceError, match=complaint) as caught:
        made(repository)
    assert "\n" not in str(caught.value)


def test_a_hubconf_that_does_not_import_is_one_clear_error(repository):
    (repository / "hubconf.py").write_text("def net(:")
    with pytest.raises(SourceError, match="SyntaxError"):
        made(repository)


def test_prints_do_not_reach_stdout(repository, capsys):
    write(
        repository, "print('loud')\ndef net():\n    print('louder')\n    return nn.Linear(2, 2)\n"
    )
    made(repository)
    told = capsys.readouterr()
    assert told.out == ""
    assert "louder" in told.err


class Evil:
    def __reduce__(self):
        return print, ("executed",)


def test_a_pickle_that_it_reads_may_hold_tensors_alone(repository, monkeypatch, capsys):
    (repository / "w.pt").write_bytes(pickle.dumps(Evil(), protocol=2))
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    write(
        repository,
        f"def net():\n    torch.load({str(repository / 'w.pt')!r}, weights_only=False)\n"
        "    return nn.Linear(2, 2)\n",
    )
    with pytest.raises(SourceError, match="UnpicklingError"):
        made(repository)
    assert "executed" not in "".join(capsys.readouterr())


def test_offline_no_connection_is_opened(repository, github):
    write(
        repository,
        "import urllib.request\n"
        f"def net():\n    urllib.request.urlopen({github.url!r}).read()\n"
        "    return nn.Linear(2, 2)\n",
    )
    with pytest.raises(SourceError, match="nothing may be offline"):
        made(repository, offline=True)
    assert github.asked == []
    with pytest.raises(SourceError, match="HTTPError"):
        made(repository)
    assert github.asked == ["/"]


def test_the_first_argument_of_forward_is_found_by_name():
    assert first_argument(torch.nn.Linear(2, 2)) == "input"

    class Nameless(torch.nn.Module):
        def forward(self, *inputs):
            return inputs

    with pytest.raises(SourceError, match="names no argument"):
        first_argument(Nameless())
