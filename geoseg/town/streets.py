"""Cuts a district into blocks by streets."""

from __future__ import annotations

import numpy as np

from geoseg.town.blocks import park_car
from geoseg.town.feature import ROAD, Feature, Kind
from geoseg.town.frame import Frame
from geoseg.town.shapes import Cell
from geoseg.town.town import Draft

SIDEWALK = 2.2


def lay_streets(draft: Draft, frame: Frame, district: int, rng: np.random.Generator) -> list[Cell]:
    """Draw the streets of a district and return its blocks, sidewalks excluded.

    The district's rectangle in street coordinates is cut in two along its longer side, and again, until the parts are
    blocks. Early cuts are collectors, later ones local streets.
    """
    reach = draft.side * 0.72 + 40
    whole = Cell(frame, district, -reach, reach, -reach, reach)
    blocks: list[Cell] = []
    streets: list[tuple[Cell, float]] = []
    _cut(draft, whole, rng, blocks, streets)
    for street, width in streets:
        draft.add(Feature(Kind.PAVING, street.inset(-SIDEWALK), draft.style.paving, over=(1,)))
        light = float(rng.uniform(0.94, 1.08))
        r, g, b = (c * light for c in draft.style.asphalt)
        draft.add(
            Feature(
                Kind.STREET,
                street,
                (r, g, b),
                half=(0.0, width / 2 if street.sides[0] > street.sides[1] else -width / 2),
            )
        )
    for street, _ in streets:
        _park_along(draft, street, rng)
    return blocks


def _cut(
    draft: Draft, cell: Cell, rng: np.random.Generator, blocks: list[Cell], streets: list[tuple[Cell, float]]
) -> None:
    """Halve `cell` by a street, and its halves, until they are blocks; parts off the scene are dropped."""
    if not _near_scene(draft, cell):
        return
    du, dv = cell.sides
    long, short = max(du, dv), min(du, dv)
    limit = draft.style.block * float(rng.uniform(0.9, 1.6))
    if (long < limit and short < 0.75 * draft.style.block) or short < 32:
        blocks.append(cell.inset(SIDEWALK, 5.0))
        return
    width = draft.style.street * (1.55 if long > 4.5 * draft.style.block else 1.0)
    at = float(rng.uniform(0.4, 0.6)) * long
    if du >= dv:
        at += cell.p0
        street = cell.part(at - width / 2, at + width / 2, cell.q0, cell.q1)
        halves = cell.part(cell.p0, street.p0, cell.q0, cell.q1), cell.part(street.p1, cell.p1, cell.q0, cell.q1)
    else:
        at += cell.q0
        street = cell.part(cell.p0, cell.p1, at - width / 2, at + width / 2)
        halves = cell.part(cell.p0, cell.p1, cell.q0, street.q0), cell.part(cell.p0, cell.p1, street.q1, cell.q1)
    streets.append((street, width))
    for half in halves:
        _cut(draft, half, rng, blocks, streets)


def _near_scene(draft: Draft, cell: Cell) -> bool:
    """Whether any of a cell's corners or middle may be on the scene."""
    margin = max(cell.sides) * 0.75 + 20
    x, y = cell.frame.to_xy(*cell.centre)
    return -margin < x < draft.side + margin and -margin < y < draft.side + margin


def _park_along(draft: Draft, street: Cell, rng: np.random.Generator) -> None:
    """Cars at the kerbs."""
    du, dv = street.sides
    count = int(max(du, dv) / 30 * rng.uniform(0.3, 1.0))
    for _ in range(count):
        side = float(rng.choice([-1, 1]))
        if du > dv:
            p, q, turn = float(rng.uniform(street.p0, street.p1)), street.centre[1] + side * (dv / 2 - 1.5), 0.0
        else:
            p, q, turn = street.centre[0] + side * (du / 2 - 1.5), float(rng.uniform(street.q0, street.q1)), np.pi / 2
        x, y = street.frame.to_xy(p, q)
        if draft.canvas.class_at(x, y) == ROAD:
            park_car(draft, street.frame, p, q, turn, rng)
