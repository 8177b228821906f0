"""Shadows agree with walking from each pixel towards the sun."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geoseg.town.light import shadow_direction, shadow_height


def walk(height, step, fall, longest):
    """Highest top seen from each pixel along the line of whole steps to the sun, lowered by the distance."""
    rows, cols = height.shape
    out = np.full(height.shape, -np.inf)
    pieces = max(abs(step[0]), abs(step[1]))
    offsets = []
    for n in range(longest):
        whole, piece = divmod(n, pieces)
        part = round(step[0] * (piece + 1) / pieces), round(step[1] * (piece + 1) / pieces)
        length = whole * math.hypot(*step) + math.hypot(*part)
        offsets.append((whole * step[0] + part[0], whole * step[1] + part[1], length))
    for row in range(rows):
        for col in range(cols):
            for down, right, length in offsets:
                r, c = row - down, col - right
                if 0 <= r < rows and 0 <= c < cols:
                    out[row, col] = max(out[row, col], height[r, c] - fall * length)
    return out


@pytest.mark.parametrize("step", [(1, 0), (0, -1), (1, 1), (-1, 2), (3, -2), (-4, -1)])
def test_shadow_height_agrees_with_walking(step):
    rng = np.random.default_rng(abs(hash(step)) % 1000)
    height = np.where(rng.random((24, 27)) < 0.05, rng.uniform(2, 9, (24, 27)), 0).astype(np.float32)
    fast, slow = shadow_height(height, step, 0.7), walk(height, step, 0.7, 40)
    assert np.array_equal(fast > 0.01, slow > 0.01)
    np.testing.assert_allclose(np.maximum(fast, 0), np.maximum(slow, 0), atol=1e-4)


def test_shadow_of_one_post_has_the_length_of_its_height():
    height = np.zeros((40, 40), dtype=np.float32)
    height[20, 20] = 10.0
    shaded = shadow_height(height, (0, 1), 1.0) > 0
    assert np.flatnonzero(shaded[20]).tolist() == list(range(21, 30))
    assert shaded.sum() == 9


@pytest.mark.parametrize(
    ("azimuth", "step"), [(0.0, (1, 0)), (math.pi / 2, (0, -1)), (math.pi, (-1, 0)), (0.75 * math.pi, (-1, -1))]
)
def test_shadows_point_away_from_the_sun(azimuth, step):
    assert shadow_direction(azimuth) == step


def test_flat_ground_has_no_shadow():
    assert not (shadow_height(np.zeros((8, 8), dtype=np.float32), (1, 1), 0.5) > 0).any()
