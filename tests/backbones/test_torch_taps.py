"""Taps of layers: outputs, inputs, and the last Linear where it ends a classifier."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zoo.backbones.torch_taps import LAST_LINEAR, LayerTap
from zoo.errors import SourceError


def run(module, tap, *inputs):
    layer = LayerTap(dict(module.named_modules()), tap)
    with torch.inference_mode(), layer.watching():
        output = module(*inputs)
    return layer.value(output)


X = torch.arange(-6.0, 6.0).reshape(3, 4)


def test_a_layers_output_and_input_are_caught_by_its_name():
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    torch.testing.assert_close(run(net, "0", X), net[0](X))
    torch.testing.assert_close(run(net, "2.input", X), net[1](net[0](X)))
    torch.testing.assert_close(run(net, LAST_LINEAR, X), net[1](net[0](X)))


def test_what_a_later_layer_overwrites_in_place_was_copied():
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(inplace=True))
    assert run(net, "0", X).min() < 0


def test_a_layer_that_is_not_there_or_does_not_run_gives_nothing():
    net = nn.Sequential(nn.Linear(4, 5))
    assert run(net, "nothing", X) is None
    assert run(net, "nothing.input", X) is None
    assert run(net, "", X) is None
    unused = nn.ModuleDict({"a": nn.Linear(4, 5)})
    assert LayerTap(dict(unused.named_modules()), "a").value(None) is None


def test_a_layer_called_input_is_itself():
    net = nn.Sequential()
    net.add_module("first", nn.Sequential())
    net.first.add_module("input", nn.Linear(4, 5))
    torch.testing.assert_close(run(net, "first.input", X), net(X))


class Encoder(nn.Module):
    """A trunk whose last Linear is inside a block: what it gives is no logits."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 6)

    def forward(self, x):
        return self.inner(x)[:, :3]


@pytest.mark.parametrize("net", [nn.Sequential(nn.Tanh()), Encoder()], ids=["none", "inside"])
def test_a_model_that_ends_in_no_linear_has_no_default(net):
    with pytest.raises(SourceError, match="doesn't end in a Linear") as caught:
        run(net, LAST_LINEAR, X)
    assert "#output" in caught.value.hint


def test_a_classifier_may_end_in_log_softmax_and_give_a_tuple():
    class Classifier(nn.Sequential):
        def forward(self, x):
            return super().forward(x).log_softmax(-1), "extra"

    net = Classifier(nn.Tanh(), nn.Linear(4, 2))
    torch.testing.assert_close(run(net, LAST_LINEAR, X), X.tanh())
