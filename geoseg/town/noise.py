"""Random fields of a given grain, and hashes of whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoseg.town.frame import Floats


def smooth_field(rng: np.random.Generator, size: int, grain: float) -> Floats:
    """Random field (size, size) of mean 0 and deviation about 1 whose bumps are about `grain` pixels wide.

    Cubic B-splines on a coarse grid of normal numbers: two matrix products, so any grain costs the same.
    """
    knots = int(np.ceil(size / grain)) + 4
    coarse = rng.standard_normal((knots, knots), dtype=np.float32)
    t = (np.arange(size, dtype=np.float32) + 0.5) / np.float32(grain) + 1
    whole = np.floor(t).astype(int)
    f = t - whole
    weights = np.zeros((size, knots), dtype=np.float32)
    basis = ((1 - f) ** 3 / 6, (3 * f**3 - 6 * f**2 + 4) / 6, (-3 * f**3 + 3 * f**2 + 3 * f + 1) / 6, f**3 / 6)
    for step, weight in enumerate(basis):
        weights[np.arange(size), whole - 1 + step] = weight
    field = weights @ coarse @ weights.T
    return np.asarray(field * np.float32(2.09))  # a B-spline's square mean is 0.479 a side


def octaves(rng: np.random.Generator, size: int, grains: tuple[float, ...], fall: float = 0.7) -> Floats:
    """Sum of smooth fields from coarse to fine, each `fall` times as strong as the one before; deviation about 1."""
    out = np.zeros((size, size), dtype=np.float32)
    strength, total = 1.0, 0.0
    for grain in grains:
        out += np.float32(strength) * smooth_field(rng, size, grain)
        total += strength**2
        strength *= fall
    return out / np.float32(np.sqrt(total))


def hashed(*numbers: NDArray[np.int32]) -> Floats:
    """Even random numbers in 0 to 1, fixed by whole numbers that broadcast."""
    mix = np.full((), 0x9E3779B9, dtype=np.uint32)
    for number in numbers:
        mix = np.asarray((mix ^ number.astype(np.uint32)) * np.uint32(0x85EBCA6B))
        mix = (mix ^ (mix >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        mix = mix ^ (mix >> np.uint32(16))
    return np.asarray((mix >> np.uint32(8)) / np.float32(1 << 24), dtype=np.float32)
