"""Augmentation valid for imagery seen from above: the eight symmetries of the square, light and sensor."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional


def symmetry(images: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """One of the square's eight symmetries for each of images (N, B, S, S) and labels (N, S, S)."""
    picks = torch.randint(8, (len(images),), generator=generator).tolist()
    turned = [_turn(image, pick) for image, pick in zip(images, picks, strict=True)]
    turned_labels = [_turn(label, pick) for label, pick in zip(labels, picks, strict=True)]
    return torch.stack(turned), torch.stack(turned_labels)


def _turn(array: Tensor, pick: int) -> Tensor:
    turned = torch.rot90(array, pick % 4, dims=(-2, -1))
    return turned.flip(-1) if pick >= 4 else turned


def radiometry(images: Tensor, generator: Generator) -> Tensor:
    """Other light, haze and sensor: gain, gamma, offset, band balance, blur and noise.

    Args:
        images: (N, B, H, W), values scaled to [0, 1].

    Returns:
        The same shape, in [0, 1].
    """
    count, bands = images.shape[:2]

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    gamma = torch.exp(uniform(-0.35, 0.35, count, 1, 1, 1))
    gain = uniform(0.8, 1.25, count, 1, 1, 1) * uniform(0.88, 1.12, count, bands, 1, 1)
    offset = uniform(-0.05, 0.05, count, 1, 1, 1)
    out = images.clamp(1e-4, 1) ** gamma * gain + offset
    out = torch.where(torch.rand((count, 1, 1, 1), generator=generator) < 0.2, _blur(out), out)
    noise = torch.randn(out.shape, generator=generator) * uniform(0, 0.02, count, 1, 1, 1)
    return (out + noise).clamp(0, 1)


def _blur(images: Tensor) -> Tensor:
    """3 x 3 binomial blur."""
    line = torch.tensor([0.25, 0.5, 0.25])
    kernel = (line[:, None] * line).expand(images.shape[1], 1, 3, 3)
    return functional.conv2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), kernel, groups=images.shape[1])


def rescale(image: Tensor, labels: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Image (B, S, S) and labels (S, S) resampled to `side` pixels: another height above ground."""
    if image.shape[-1] == side:
        return image, labels
    new = functional.interpolate(image[None], (side, side), mode="bilinear", align_corners=False, antialias=True)[0]
    new_labels = functional.interpolate(labels[None, None].float(), (side, side), mode="nearest-exact")[0, 0]
    return new, new_labels.to(labels.dtype)
