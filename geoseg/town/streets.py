"""Cuts a district into blocks by streets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from geoseg.town.blocks import park_car
from geoseg.town.feature import LAND, ROAD, Feature, Kind
from geoseg.town.shapes import Cell
from geoseg.town.town import Draft
from geoseg.town.zones import Zone

SIDEWALK = 2.2
"""Width of the paved edge of a block, metres."""

ZoneAt = Callable[[Cell], Zone]


@dataclass
class Plat:
    """What a cut came to: streets, and the blocks between them with their sidewalks."""

    streets: list[Cell] = field(default_factory=list)
    blocks: list[Cell] = field(default_factory=list)


def cut(draft: Draft, cell: Cell, zone_at: ZoneAt, rng: np.random.Generator, plat: Plat) -> None:
    """Halve `cell` by a street, and its halves, until they are blocks of their zone; parts off the scene are dropped.

    Early cuts are collectors and wider.
    """
    if not _near_scene(draft, cell):
        return
    du, dv = cell.sides
    zone = zone_at(cell)
    ease = float(rng.uniform(0.9, 1.35))
    if (max(du, dv) <= zone.long * ease and min(du, dv) <= zone.short * ease) or min(du, dv) < 40:
        plat.blocks.append(cell)
        return
    along = (du >= dv) == (max(du, dv) > zone.long * ease)
    side = du if along else dv
    width = draft.style.street * (1.6 if side > 480 else 1.0)
    at = float(rng.uniform(0.42, 0.58)) * side + (cell.p0 if along else cell.q0)
    lo, hi = at - width / 2, at + width / 2
    if along:
        plat.streets.append(cell.part(lo, hi, cell.q0, cell.q1))
        halves = cell.part(cell.p0, lo, cell.q0, cell.q1), cell.part(hi, cell.p1, cell.q0, cell.q1)
    else:
        plat.streets.append(cell.part(cell.p0, cell.p1, lo, hi))
        halves = cell.part(cell.p0, cell.p1, cell.q0, lo), cell.part(cell.p0, cell.p1, hi, cell.q1)
    for half in halves:
        cut(draft, half, zone_at, rng, plat)


def pave(draft: Draft, plat: Plat, rng: np.random.Generator, over: tuple[int, ...] = ()) -> list[Cell]:
    """Draw streets and sidewalks; return the blocks without their sidewalks.

    Blocks have round corners, and the street goes round them: it is laid under the block's corners first. With `over`,
    the streets cover only those classes, and there are no sidewalks yet: the blocks keep their ground.
    """
    settled = plat.blocks if not over else []
    for block in settled:
        draft.add(Feature(Kind.ASPHALT, block, draft.style.asphalt, over=(LAND,)))
    for street in plat.streets:
        light = float(rng.uniform(0.95, 1.06))
        r, g, b = (c * light for c in draft.style.asphalt)
        width = min(street.sides)
        half = width / 2 if street.sides[0] > street.sides[1] else -width / 2
        draft.add(Feature(Kind.STREET, street, (r, g, b), over=over, half=(0.0, half)))
    for block in settled:
        corner = min(8.0, min(block.sides) / 3)
        draft.add(Feature(Kind.PAVING, block.part(*_bounds(block), corner), draft.style.paving))
    return [block.inset(SIDEWALK, 5.0) for block in plat.blocks]


def park_cars(draft: Draft, streets: list[Cell], rng: np.random.Generator) -> None:
    """Cars at the kerbs."""
    for street in streets:
        du, dv = street.sides
        for _ in range(int(max(du, dv) / 30 * rng.uniform(0.3, 1.0))):
            side = float(rng.choice([-1, 1]))
            if du > dv:
                p, q, turn = float(rng.uniform(street.p0, street.p1)), street.centre[1] + side * (dv / 2 - 1.5), 0.0
            else:
                p, q, turn = street.centre[0] + side * (du / 2 - 1.5), float(rng.uniform(street.q0, street.q1)), 1.571
            if draft.canvas.class_at(*street.frame.to_xy(p, q)) == ROAD:
                park_car(draft, street.frame, p, q, turn, rng)


def _near_scene(draft: Draft, cell: Cell) -> bool:
    """Whether a cell may reach the scene."""
    margin = max(cell.sides) * 0.75 + 20
    x, y = cell.frame.to_xy(*cell.centre)
    return -margin < x < draft.side + margin and -margin < y < draft.side + margin


def _bounds(cell: Cell) -> tuple[float, float, float, float]:
    return cell.p0, cell.p1, cell.q0, cell.q1
