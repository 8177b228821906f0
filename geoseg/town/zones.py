"""Quarters of a town: neighbouring blocks share a use and a size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geoseg.town.style import TownStyle

SIZES = {
    "villas": (165.0, 62.0),
    "rows": (140.0, 58.0),
    "apartments": (125.0, 95.0),
    "sheds": (175.0, 120.0),
    "park": (190.0, 130.0),
    "field": (260.0, 170.0),
    "grove": (200.0, 150.0),
    "bare": (240.0, 170.0),
    "golf": (480.0, 380.0),
}
"""Longest and shortest side of a block of each use, metres, where the style's `block` is 100."""

MIXES = {
    "villas": {"rows": 0.12, "park": 0.06, "bare": 0.07, "apartments": 0.02},
    "rows": {"villas": 0.2, "park": 0.07, "parking": 0.03, "bare": 0.05},
    "apartments": {"parking": 0.05, "park": 0.09, "sheds": 0.04, "bare": 0.08},
    "sheds": {"parking": 0.06, "bare": 0.14, "apartments": 0.04},
    "park": {"grove": 0.25, "apartments": 0.1},
    "field": {"grove": 0.12, "bare": 0.12, "villas": 0.05},
    "grove": {"field": 0.15, "bare": 0.15, "park": 0.1},
    "bare": {"grove": 0.05, "sheds": 0.04, "villas": 0.06},
    "golf": {},
}
"""How often a block of a quarter has another use."""


@dataclass(frozen=True)
class Zone:
    """A quarter around (x, y), metres; it reaches to where another one is nearer."""

    x: float
    y: float
    use: str
    long: float
    short: float

    def pick_use(self, rng: np.random.Generator) -> str:
        """Use of one of its blocks."""
        mix = MIXES[self.use]
        draw = float(rng.random())
        for use, share in mix.items():
            draw -= share
            if draw < 0:
                return use
        return self.use


def draw_zones(style: TownStyle, side: float, rng: np.random.Generator) -> list[Zone]:
    """Quarters about 330 m apart, denser uses nearer to one of two centres."""
    centres = (rng.uniform(0.2, 0.8, size=(2, 2)) * side).tolist()
    reach = max(0.5 * side, 200.0)
    count = max(2, round(side / 330))
    zones = []
    for row in range(-1, count + 1):
        for col in range(-1, count + 1):
            x, y = (float(v + rng.uniform(0.1, 0.9)) * side / count for v in (col, row))
            pull = max(math.exp(-((x - a) ** 2 + (y - b) ** 2) / reach**2) for a, b in centres)
            use = _zone_use(style, pull, rng)
            scale = style.block / 100 * float(rng.uniform(0.85, 1.2))
            long, short = SIZES[use]
            zones.append(Zone(x, y, use, long * scale, max(short * scale, 44.0)))
    return zones


def nearest_zone(zones: list[Zone], x: float, y: float) -> Zone:
    """The quarter a point is in."""
    return min(zones, key=lambda zone: (zone.x - x) ** 2 + (zone.y - y) ** 2)


def _zone_use(style: TownStyle, pull: float, rng: np.random.Generator) -> str:
    green = style.greenness
    if rng.random() < style.density * (0.55 + 0.6 * pull):
        weights = {"villas": 0.5, "rows": 0.12, "apartments": 0.12 + 0.25 * pull, "sheds": 0.16 * (1.2 - pull)}
    else:
        weights = {"park": 0.25 * green, "field": 0.25 * green, "grove": 0.25 * green, "golf": 0.4 * green}
        weights["bare"] = 1.1 * (1 - green)
    shares = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=shares / shares.sum()))
