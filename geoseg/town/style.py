"""What a town looks like: layout, palette, light and sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class TownStyle:
    """Parameters of a town and of the picture taken of it. Colours are sunlit RGB, 0 to 255; lengths are metres."""

    angle: float = 0.3
    """heading of the streets, radians, clockwise from east."""
    bend: float = 0.15
    """how strongly streets curve: largest slope against the straight grid."""
    block: float = 95.0
    """longest side of a city block."""
    street: float = 8.0
    """width of a local street; collectors and arterials scale with it."""
    density: float = 0.7
    """share of blocks that are built on, 0 to 1."""
    greenness: float = 0.4
    """share of open blocks, gardens and verges that are vegetated, 0 to 1."""
    trees: float = 0.5
    """how many trees, 0 to 1."""
    lake: float = 1.0
    """lake size against the scene's side; 0 has none, 1 is usual."""
    river: bool = False
    coast: bool = False
    highway: bool = True
    pitched: float = 0.15
    """share of houses under a pitched roof of tiles; the others are flat."""
    tall: float = 0.3
    """share of apartment blocks that are towers."""
    sand: Colour = (181.0, 184.0, 191.0)
    paving: Colour = (152.0, 150.0, 156.0)
    asphalt: Colour = (84.0, 76.0, 78.0)
    grass: Colour = (82.0, 90.0, 66.0)
    crown: Colour = (56.0, 64.0, 50.0)
    water: Colour = (24.0, 31.0, 24.0)
    roof: Colour = (176.0, 176.0, 181.0)
    tile: Colour = (150.0, 98.0, 80.0)
    relief: float = 1.0
    """strength of ground texture; 1 is usual."""
    sun_azimuth: float = 2.4
    """where the sun stands, radians, clockwise from north."""
    sun_elevation: float = 0.85
    """height of the sun over the horizon, radians."""
    shade: float = 0.3
    """brightness of shadow against sunlit ground."""
    haze: float = 0.02
    """share of the light that is scattered grey."""
    gain: float = 1.0
    blur: float = 0.7
    """standard deviation of the point spread, pixels."""
    sharpen: float = 0.4
    """strength of the sharpening that vendors apply."""
    noise: float = 3.0
    """standard deviation of sensor noise, digital numbers."""
    contrast: float = 1.0
    """how far the vendor's stretch pulls light and dark apart; 1 is none."""
    shift: float = 0.0
    """misregistration of the red and blue bands, pixels."""

    @staticmethod
    def random(rng: np.random.Generator) -> TownStyle:
        """A varied style for training. Street headings between 0.42 and 0.62 are never drawn: the demo's."""
        turn = float(rng.uniform(0.62, 0.42 + np.pi / 2))
        tones = _tones(rng)
        dry = bool(rng.random() < 0.6)
        return TownStyle(
            angle=turn,
            bend=float(rng.uniform(0.0, 0.28)),
            block=float(rng.uniform(65, 150)),
            street=float(rng.uniform(5.5, 11)),
            density=float(rng.uniform(0.55, 1.25)),
            greenness=float(rng.uniform(0.1, 0.5) if dry else rng.uniform(0.4, 0.95)),
            trees=float(rng.uniform(0.1, 1.0)),
            lake=float(rng.choice([0.0, 0.7, 1.0, 1.6])),
            river=bool(rng.random() < 0.35),
            coast=bool(rng.random() < 0.25),
            highway=bool(rng.random() < 0.55),
            pitched=float(rng.choice([0.02, 0.15, 0.6], p=[0.5, 0.3, 0.2])),
            tall=float(rng.uniform(0.0, 0.7)),
            relief=float(rng.uniform(0.6, 1.5)),
            sun_azimuth=float(rng.uniform(0, 2 * np.pi) if rng.random() < 0.25 else rng.uniform(2.0, 3.9)),
            sun_elevation=float(rng.uniform(0.6, 1.15)),
            shade=float(rng.uniform(0.08, 0.45)),
            haze=float(rng.uniform(0.0, 0.12)),
            gain=float(rng.uniform(0.88, 1.12)),
            blur=float(rng.uniform(0.5, 0.95)),
            sharpen=float(rng.uniform(0.0, 1.1)),
            noise=float(rng.uniform(1.5, 7.0)),
            contrast=float(rng.uniform(1.0, 1.4)),
            shift=float(rng.uniform(0.0, 0.5)),
            **tones,
        )


def _tones(rng: np.random.Generator) -> dict[str, Colour]:
    """Random palette around that of desert cities, with some warmer and browner soils."""
    soils: list[Colour] = [(194, 196, 203), (170, 171, 174), (200, 186, 164), (152, 130, 108), (124, 122, 122)]
    waters: list[Colour] = [(20, 25, 20), (42, 42, 24), (22, 44, 40), (30, 42, 62), (58, 56, 42)]
    soil = soils[int(rng.choice(5, p=[0.42, 0.2, 0.16, 0.1, 0.12]))]
    base: dict[str, Colour] = {
        "sand": soil,
        "paving": (150, 148, 153),
        "asphalt": (97, 90, 93),
        "grass": (86, 92, 76),
        "crown": (62, 68, 61),
        "water": waters[int(rng.choice(5, p=[0.45, 0.2, 0.15, 0.1, 0.1]))],
        "roof": (172, 171, 175),
        "tile": (146, 92, 74),
    }
    return {name: _jitter(rng, colour) for name, colour in base.items()}


def _jitter(rng: np.random.Generator, colour: Colour) -> Colour:
    """`colour`, a little brighter or darker, a little warmer or cooler."""
    light = rng.uniform(0.85, 1.15)
    warm = rng.uniform(-0.05, 0.05)
    green = rng.uniform(-0.03, 0.03)
    r, g, b = colour
    return float(r * light * (1 + warm)), float(g * light * (1 + green)), float(b * light * (1 - warm))


DEMO_STYLE = TownStyle(
    angle=0.52,
    bend=0.2,
    block=105.0,
    street=8.0,
    density=0.68,
    greenness=0.55,
    trees=0.75,
    lake=1.1,
    river=True,
    highway=True,
    pitched=0.3,
    tall=0.3,
    sand=(190.0, 182.0, 168.0),
    paving=(158.0, 154.0, 150.0),
    asphalt=(88.0, 84.0, 84.0),
    grass=(84.0, 95.0, 64.0),
    crown=(54.0, 66.0, 46.0),
    water=(26.0, 42.0, 40.0),
    roof=(184.0, 181.0, 178.0),
    tile=(154.0, 99.0, 80.0),
    sun_azimuth=2.55,
    sun_elevation=0.88,
    shade=0.34,
    haze=0.04,
    noise=2.5,
    contrast=1.12,
)
