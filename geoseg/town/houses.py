"""Buildings: ground plans of one to four wings, roofs, and whether they fit."""

from __future__ import annotations

import math

import numpy as np

from geoseg.town.feature import BUILDING, LAND, Feature, Kind
from geoseg.town.shapes import Box, Cell
from geoseg.town.style import Colour, TownStyle
from geoseg.town.town import Draft

Wing = tuple[float, float, float, float]
"""Centre (u, v) and half sides of a rectangle, metres, in the house's own axes."""


def build_house(
    draft: Draft,
    cell: Cell,
    rng: np.random.Generator,
    *,
    kind: Kind,
    height: float,
    plan: str = "any",
    colour: Colour | None = None,
    onto: tuple[int, ...] = (LAND,),
) -> bool:
    """Put a building that fills `cell` on the draft; False when not all of it would stand on the classes `onto`."""
    (p, q), (du, dv) = cell.centre, cell.sides
    x, y = cell.frame.to_xy(p, q)
    if min(du, dv) < 3:
        return False
    turn = cell.frame.heading(p, q)
    boxes = [_place(x, y, turn, wing) for wing in _wings(plan, du / 2, dv / 2, rng)]
    if not all(draft.canvas.is_free(box, onto) for box in boxes):
        return False
    colour = colour or roof_colour(draft.style, kind, rng)
    for i, box in enumerate(boxes):
        lift = height if i == 0 else height * float(rng.choice([1.0, 0.75, 0.55]))
        over = (*onto, BUILDING) if kind == Kind.FLAT else onto  # a pitched wing ends at the main roof
        draft.add(Feature(kind, box, colour, lift if kind == Kind.FLAT else height, over=over, half=(box.hu, box.hv)))
    if kind == Kind.FLAT and rng.random() < 0.7:
        _add_penthouse(draft, boxes[0], colour, height, rng)
    return True


def roof_colour(style: TownStyle, kind: Kind, rng: np.random.Generator) -> Colour:
    """A roof's colour: tiles around the style's tile tone, others white, grey, tan, dark or bluish."""
    if kind in (Kind.GABLE, Kind.HIP):
        base = style.tile if rng.random() < 0.75 else tuple(0.62 * c for c in style.tile)
    else:
        tints: list[Colour] = [(1.36, 1.36, 1.36), (1, 1, 1), (0.74, 0.74, 0.76), (1.04, 0.96, 0.84), (0.5, 0.5, 0.52)]
        tints.append((0.68, 0.66, 0.98))
        tint = tints[int(rng.choice(6, p=[0.3, 0.28, 0.18, 0.13, 0.06, 0.05]))]
        base = tuple(c * t for c, t in zip(style.roof, tint, strict=True))
    light = rng.uniform(0.85, 1.12)
    r, g, b = (float(c * light * rng.uniform(0.98, 1.02)) for c in base)
    return r, g, b


def house_kind(style: TownStyle, rng: np.random.Generator) -> Kind:
    """Roof of one house."""
    if rng.random() < style.pitched:
        return Kind.GABLE if rng.random() < 0.5 else Kind.HIP
    return Kind.FLAT


def _wings(plan: str, hu: float, hv: float, rng: np.random.Generator) -> list[Wing]:
    """Rectangles of the ground plan, inside half sides (hu, hv)."""
    if plan == "any":
        plan = str(rng.choice(["bar", "l", "t", "u"], p=[0.35, 0.35, 0.2, 0.1]))
    if plan == "bar" or min(hu, hv) < 3.5:
        return [(0.0, 0.0, hu, hv)]
    side, end = float(rng.choice([-1, 1])), float(rng.choice([-1, 1]))
    deep = hv * float(rng.uniform(0.45, 0.65))
    wide = hu * float(rng.uniform(0.3, 0.5))
    main = (0.0, side * (hv - deep), hu, deep)
    arm = hv - deep + 0.5  # reaches half a metre into the main wing, so that no line of ground shows between them
    at = -side * (hv - arm)
    if plan == "l":
        return [main, (end * (hu - wide), at, wide, arm)]
    if plan == "t":
        return [main, (0.0, at, wide, arm)]
    return [main, (hu - wide * 0.8, at, wide * 0.8, arm), (-(hu - wide * 0.8), at, wide * 0.8, arm)]


def _place(x: float, y: float, turn: float, wing: Wing) -> Box:
    """The wing on the ground, its longer side along u as a ridge wants it."""
    u, v, hu, hv = wing
    c, s = math.cos(turn), math.sin(turn)
    at = x + c * u - s * v, y + s * u + c * v
    return Box(*at, turn, hu, hv) if hu >= hv else Box(*at, turn + math.pi / 2, hv, hu)


def _add_penthouse(draft: Draft, roof: Box, colour: Colour, height: float, rng: np.random.Generator) -> None:
    """A stair head or plant room on a flat roof."""
    hu, hv = roof.hu * float(rng.uniform(0.15, 0.35)), roof.hv * float(rng.uniform(0.25, 0.5))
    if min(hu, hv) < 0.8:
        return
    u, v = (float(rng.uniform(-0.8, 0.8)) * (full - part) for full, part in ((roof.hu, hu), (roof.hv, hv)))
    c, s = math.cos(roof.angle), math.sin(roof.angle)
    box = Box(roof.x + c * u - s * v, roof.y + s * u + c * v, roof.angle, hu, hv)
    light = float(rng.uniform(0.8, 1.25))
    r, g, b = (min(245.0, k * light) for k in colour)
    draft.add(Feature(Kind.FLAT, box, (r, g, b), height + 3.0, over=(BUILDING,), half=(hu, hv)))
