"""The plain pieces of references, against values that are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from zoo.errors import SourceError
from zoo.plugin import Contract
from zoo.providers.plain import pooled, stated_pixels, tapped

CONTRACT = Contract("image", {}, {}, "ab" * 32, "tap")


def test_pooling_of_tokens_and_of_maps():
    tokens = np.arange(6.0).reshape(1, 3, 2)

    def how(pooling, values=tokens, count=None, layout="channels_first"):
        contract = dataclasses.replace(CONTRACT, pooling=pooling, layout=layout)
        return pooled(values, contract, count).tolist()

    assert how("mean") == [2.0, 3.0]
    assert how("mean", count=2) == [1.0, 2.0]
    assert (how("cls"), how("last"), how("last", count=2)) == ([0, 1], [4, 5], [2, 3])
    assert how("mean", tokens.reshape(1, 2, 3, 1)) == [1.0, 4.0]
    assert how("mean", tokens.reshape(1, 3, 1, 2), layout="channels_last") == [2.0, 3.0]
    assert how("none", np.float32([[7, 8]])) == [7.0, 8.0]
    with pytest.raises(SourceError, match="no pooling 'median'"):
        how("median")


def test_pixels_are_cut_ordered_and_scaled_as_stated():
    levels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    image = Image.fromarray(levels)
    stated = {"size": 2, "resize": "none", "crop": "center", "scale": 1.0, "mean": [1, 2, 3]}
    got = stated_pixels(image, {**stated, "std": [2.0], "color": "bgr", "layout": "nhwc"})
    want = (levels[1:3, 2:4, ::-1].astype(np.float32) - np.float32([1, 2, 3])) / 2
    np.testing.assert_array_equal(got, want)
    padded = stated_pixels(image, {"size": 6, "resize": "none", "crop": "center", "dtype": "uint8"})
    np.testing.assert_array_equal(padded[:, 1:5], levels.transpose(2, 0, 1))
    assert not padded[:, 0].any()


def test_taps_are_outputs_layers_and_what_layers_are_given():
    import torch
    from torch import nn

    class Named(nn.Module):
        def forward(self, given):
            return {"rows": given}

    given = {"given": torch.ones(1, 2)}
    assert torch.equal(tapped(Named(), "rows", given), given["given"])
    module = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5), nn.Linear(3, 1)).train()
    x = {"input": torch.ones(1, 2)}
    first = module[0](x["input"])
    for tap in ("0", "2.input", "last_linear.input"):
        assert torch.equal(tapped(module, tap, x), first)  # evaluation mode: nothing is dropped
    assert torch.equal(tapped(module, "output", x), module[2](first))
    with pytest.raises(SourceError, match="no tap 'nothing'"):
        tapped(Named(), "nothing", given)
