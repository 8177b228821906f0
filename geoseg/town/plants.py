"""Trees: where they may stand, and how they are scattered."""

from __future__ import annotations

import numpy as np

from geoseg.town.feature import BUILDING, LAND, ROAD, VEGETATION, WATER, Feature, Kind
from geoseg.town.shapes import Cell, Crowns
from geoseg.town.style import Colour
from geoseg.town.town import Draft

OPEN = (LAND, VEGETATION)


def plant(
    draft: Draft,
    points: list[tuple[float, float]],
    rng: np.random.Generator,
    *,
    radius: tuple[float, float] = (1.4, 3.2),
    onto: tuple[int, ...] = OPEN,
    district: int | None = None,
) -> None:
    """Plant a tree at each point (x, y) in metres whose ground is of the classes `onto`, in the district if given."""
    if district is not None:
        points = [at for at in points if draft.canvas.ground.district_at(*at) == district]
    radii = rng.uniform(*radius, size=len(points))
    kept = [(x, y, r) for (x, y), r in zip(points, radii.tolist(), strict=True) if _fits(draft, x, y, r, onto)]
    tones = rng.integers(0, 3, size=len(kept))
    for tone in range(3):
        rows = [row for row, own in zip(kept, tones.tolist(), strict=True) if own == tone]
        if rows:
            x, y, r = np.array(rows, dtype=np.float32).T
            over = (LAND, VEGETATION, ROAD)
            draft.add(Feature(Kind.CROWN, Crowns(x, y, r), _tone(draft, tone), 6.5, over=over))


def scatter(cell: Cell, count: int, rng: np.random.Generator, *, clumped: bool = False) -> list[tuple[float, float]]:
    """Points of a cell in metres: even, or in clumps."""
    if count < 1 or min(cell.sides) <= 0:
        return []
    p = rng.uniform(cell.p0, cell.p1, size=count)
    q = rng.uniform(cell.q0, cell.q1, size=count)
    if clumped:
        heads = max(1, count // 12)
        pick = rng.integers(0, heads, size=count)
        p = p[pick] + rng.normal(0, 9, size=count)
        q = q[pick] + rng.normal(0, 9, size=count)
        inside = (p > cell.p0) & (p < cell.p1) & (q > cell.q0) & (q < cell.q1)
        p, q = p[inside], q[inside]
    return [cell.frame.to_xy(a, b) for a, b in zip(p.tolist(), q.tolist(), strict=True)]


def row(cell: Cell, spacing: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Points along a cell's four edges, with some missing."""
    points = []
    for p in np.arange(cell.p0, cell.p1, spacing).tolist():
        points += [(p, cell.q0), (p, cell.q1)]
    for q in np.arange(cell.q0 + spacing, cell.q1 - spacing / 2, spacing).tolist():
        points += [(cell.p0, q), (cell.p1, q)]
    kept = [at for at in points if rng.random() < 0.75]
    return [cell.frame.to_xy(*at) for at in kept]


def _fits(draft: Draft, x: float, y: float, r: float, onto: tuple[int, ...]) -> bool:
    if draft.canvas.class_at(x, y) not in onto:
        return False
    rim = [(x + r, y), (x - r, y), (x, y + r), (x, y - r)]
    return all(draft.canvas.class_at(*at) not in (BUILDING, WATER) for at in rim)


def _tone(draft: Draft, tone: int) -> Colour:
    light = (1.0, 0.82, 1.2)[tone]
    r, g, b = draft.style.crown
    return r * light, g * light, b * light * (1.0, 1.05, 0.9)[tone]
