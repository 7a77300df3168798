"""The CIFAR ResNets of He et al. 2015 as a torch.hub repository, written from their description."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

dependencies = ["torch"]


class Block(nn.Module):
    """Two convolutions; a shortcut without parameters where size and channels change."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.stride, self.side = stride, (after - before) // 2

    def forward(self, x):
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.side:
            x = x[:, :, :: self.stride, :: self.stride]
            x = functional.pad(x, (0, 0, 0, 0, self.side, self.side))
        return functional.relu(out + x)


class ResNet(nn.Module):
    """Three stages of 16, 32 and 64 channels; ``linear`` reads their 64-d average."""

    def __init__(self, blocks):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, blocks)
        self.layer2 = self._stage(16, 32, blocks)
        self.layer3 = self._stage(32, 64, blocks)
        self.linear = nn.Linear(64, 10)

    @staticmethod
    def _stage(before, after, blocks):
        first = Block(before, after, after // before)
        return nn.Sequential(first, *(Block(after, after, 1) for _ in range(blocks - 1)))

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(torch.mean(x, (2, 3)))


def resnet20():
    return ResNet(3)


def resnet32():
    return ResNet(5)
