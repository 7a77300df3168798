"""Weights from files of named tensors: what is read, what is refused, and that nothing runs."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from zoo.errors import SourceError, TrustError
from zoo.providers.state_dict import digest, fit_weights, read_weights


def module():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.mark.parametrize("envelope", ["", "state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("zipped", [True, False])
def test_envelopes_and_prefixes_are_unwrapped(tmp_path, envelope, prefix, zipped):
    want = module().state_dict()
    state = {prefix + name: value for name, value in want.items()}
    content = {envelope: state, "best": 91.8, "epoch": 3} if envelope else state
    torch.save(content, tmp_path / "w.th", _use_new_zipfile_serialization=zipped)
    fresh = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    fit_weights(fresh, read_weights(tmp_path / "w.th"), "w.th")
    assert digest(fresh) == digest(module())


def test_safetensors_are_read_as_they_are(tmp_path):
    save_file(module().state_dict(), tmp_path / "w.safetensors")
    fresh = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    fit_weights(fresh, read_weights(tmp_path / "w.safetensors"), "w")
    assert digest(fresh) == digest(module())


def test_missing_and_unexpected_names_and_shapes_are_errors():
    state = module().state_dict()
    lost = {name: value for name, value in state.items() if name != "0.bias"}
    with pytest.raises(SourceError, match=r"1 missing \(0\.bias\)"):
        fit_weights(module(), lost, "w")
    with pytest.raises(SourceError, match=r"1 unexpected \(extra\)"):
        fit_weights(module(), {**state, "extra": torch.zeros(1)}, "w")
    with pytest.raises(SourceError, match=r"0\.weight"):
        fit_weights(module(), {**state, "0.weight": torch.zeros(4, 3, 1, 1)}, "w")


@pytest.mark.parametrize("kind", ["zip", "old", "plain"])
@pytest.mark.parametrize("variable", ["0", "1"])
def test_a_pickle_that_calls_is_refused_whatever_the_environment_says(tmp_path, kind, variable):
    path = tmp_path / "w.pt"
    if kind == "plain":
        path.write_bytes(pickle.dumps(Evil()))
    else:
        content = {"state_dict": Evil()}
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    code = (
        "import sys; from pathlib import Path; from zoo.errors import TrustError\n"
        "from zoo.providers.state_dict import read_weights\n"
        "try: read_weights(Path(sys.argv[1]))\n"
        "except TrustError as error: print(error)"
    )
    env = {**os.environ, "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": variable}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "would call posix.system" in done.stdout
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ([torch.zeros(2)], "a list"),
        ({}, "a dict"),
        ({"state_dict": {"a": 1}}, "'a' is no tensor"),
        (torch.zeros(3), "a Tensor"),
    ],
)
def test_what_is_no_state_dict_says_so(tmp_path, content, complaint):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(SourceError, match=complaint):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"rubbish" * 9, b"PK\x03\x04" + b"\0" * 40, b"\x80\x02."])
def test_a_damaged_file_is_one_clear_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=r"cannot be read|no state dict") as caught:
        read_weights(tmp_path / name)
    assert not isinstance(caught.value, TrustError)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_one_clear_error(tmp_path):
    for zipped in (True, False):
        torch.save(module().state_dict(), tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
        whole = (tmp_path / "w.pt").read_bytes()
        (tmp_path / "w.pt").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(SourceError, match="cannot be read"):
            read_weights(tmp_path / "w.pt")


def test_a_missing_file_and_an_unknown_format_say_so(tmp_path):
    with pytest.raises(SourceError, match="no weights file"):
        read_weights(tmp_path / "w.pt")
    (tmp_path / "w.h5").write_bytes(b"")
    with pytest.raises(SourceError, match="no known format"):
        read_weights(tmp_path / "w.h5")


def test_the_digest_knows_names_shapes_and_values():
    seen = {digest(module())}
    changed = module()
    with torch.no_grad():
        changed[1].running_mean[0] += 1
    seen.add(digest(changed))
    seen.add(digest(torch.nn.Sequential(*module()).requires_grad_(requires_grad=False)))
    seen.add(digest(torch.nn.ModuleDict({"a": module()[0], "b": module()[1]})))
    assert len(seen) == 3  # whether a gradient is wanted changes nothing
