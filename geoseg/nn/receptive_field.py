"""How far a network sees: measured, not guessed."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

LARGEST_PROBE = 4096  # pixels: a field that reaches across this is called unbounded


def radius(network: nn.Module, bands: int, stride: int) -> int | None:
    """Half-width of the receptive field in pixels, from a patch core aligned to `stride`; None if unbounded.

    Every path through a copy of the network is opened (equal positive weights, small positive input, so no
    rectifier closes and nothing cancels) and the input gradient of one block of `stride` x `stride` outputs is
    taken: where it is not zero, the network looks.

    Source: Luo et al. 2016, arXiv:1701.04128, section 2, for the gradient as the field.
    """
    opened = _open(copy.deepcopy(network)).double().eval()
    side = 8 * stride
    while side <= LARGEST_PROBE:
        reach = _reach(opened, bands, side, stride)
        if reach < side // 2 - stride:
            return reach
        side *= 2
    return None


class _MeanPool(nn.Module):
    """The mean where `pool` takes the largest: of equal inputs, only one would get a gradient."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, image: Tensor) -> Tensor:
        """(N, B, H, W) to the pool's shape; windows that reach beyond the edge count what is inside."""
        p = self.pool
        kernel = torch.ones((1, 1, *_pair(p.kernel_size)), dtype=image.dtype) / 16
        summed = functional.conv2d(image.flatten(0, 1)[:, None], kernel, None, p.stride, p.padding, p.dilation)
        return summed[:, 0].unflatten(0, image.shape[:2])


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _open(network: nn.Module) -> nn.Module:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool2d) and not isinstance(parent, _MeanPool):
                setattr(parent, name, _MeanPool(child))
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.constant_(module.weight, 1.0 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
            module.reset_running_stats()
    return network


def _reach(network: nn.Module, bands: int, side: int, stride: int) -> int:
    """Reach along columns, on a strip a few strides high: rows and columns are treated alike, and a strip is cheap."""
    image = torch.full((1, bands, 2 * stride, side), 1e-6, dtype=torch.float64, requires_grad=True)
    first = side // 2 // stride * stride
    (gradient,) = torch.autograd.grad(network(image)[..., first : first + stride].sum(), image)
    cols = torch.nonzero((gradient != 0).any(dim=2).flatten(0, 1).any(dim=0)).flatten()
    return max(first - int(cols[0]), int(cols[-1]) - (first + stride - 1), 0)
