"""Twins share weights and nothing else; unknown code has none."""

from __future__ import annotations

import torch
from torch import nn

from zoo.backbones.torch_twin import twin


class Trunk:
    def __init__(self, module, note):
        self.module, self.note = module, note


class Remembers(nn.Linear):
    """Code of a model repository, which may keep anything anywhere."""


def net():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()


def test_a_twin_has_the_same_tensors_in_modules_of_its_own():
    trunk = Trunk(net(), ["shared"])
    other = twin(trunk, trunk.module, (trunk.note,))
    assert other.note is trunk.note
    assert other.module is not trunk.module
    ours = {**dict(trunk.module.named_parameters()), **dict(trunk.module.named_buffers())}
    theirs = {**dict(other.module.named_parameters()), **dict(other.module.named_buffers())}
    assert ours.keys() == theirs.keys()
    assert all(ours[name] is theirs[name] for name in ours)
    seen = []
    trunk.module[0].register_forward_hook(lambda *_: seen.append(1))
    other.module(torch.zeros(1, 3))
    assert seen == []


def test_what_is_not_shared_is_copied():
    trunk = Trunk(net(), ["own"])
    assert twin(trunk, trunk.module, ()).note is not trunk.note


def test_unknown_code_has_no_twin():
    trunk = Trunk(nn.Sequential(nn.Linear(3, 4), Remembers(4, 4)), [])
    assert twin(trunk, trunk.module, ()) is None


def test_what_cannot_be_copied_has_no_twin():
    trunk = Trunk(net(), (one for one in "generator"))
    assert twin(trunk, trunk.module, ()) is None
