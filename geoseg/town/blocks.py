"""What fills a block: houses on lots, apartments, sheds, parks, fields, car parks, bare ground."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geoseg.town.feature import LAND, ROAD, VEGETATION, Feature, Kind
from geoseg.town.frame import Frame
from geoseg.town.houses import build_house, house_kind, roof_colour
from geoseg.town.plants import plant, row, scatter
from geoseg.town.shapes import Blob, Box, Cell
from geoseg.town.style import Colour
from geoseg.town.town import Draft

Fill = Callable[[Draft, Cell, np.random.Generator, bool], None]
"""Fills a block; the flag is False for a new one, which has no gardens, trees or paved yards yet."""

CARS: list[Colour] = [(225, 226, 228), (205, 206, 210), (150, 152, 158), (60, 60, 64), (150, 60, 50), (70, 84, 130)]


def fill_villas(draft: Draft, block: Cell, rng: np.random.Generator, green: bool) -> None:
    """Detached houses on walled lots, back to back."""
    style = draft.style
    trees: list[tuple[float, float]] = []
    for lot in _lots(block, float(rng.uniform(15, 23)), deepest=34.0):
        if not _inside(draft, lot):
            continue
        base = style.paving if rng.random() < 0.6 else style.sand
        yard = Feature(Kind.PAVING, lot, _vary(base, rng, 0.16), over=(LAND,), half=_half(lot))
        built, height = _house_cell(lot, rng), float(rng.uniform(5, 9))
        if green:
            draft.add(yard)
            _lay_lawn(draft, lot.inset(1.2), built, rng)
        if rng.random() < 0.95:
            stands = build_house(draft, built, rng, kind=house_kind(style, rng), height=height, onto=_sites(green))
            if stands and not green:  # only where somebody lives is a new lot walled and paved
                draft.add(yard)
        trees += scatter(lot.inset(1.2), int(rng.poisson(6 * style.trees * (0.3 + style.greenness))), rng)
    if green:
        plant(draft, trees, rng, district=block.district, radius=(1.0, 2.6))


def _lay_lawn(draft: Draft, lawn: Cell, house: Cell, rng: np.random.Generator) -> None:
    """Grass on all or a part of a lot, as often as the style is green, with a paved strip around the house."""
    style = draft.style
    if rng.random() >= style.greenness:
        return
    split = lawn.p0 + (lawn.p1 - lawn.p0) * float(rng.uniform(0.4, 1.0))
    lawn = lawn.part(lawn.p0, split, lawn.q0, lawn.q1) if rng.random() < 0.6 else lawn
    draft.add(Feature(Kind.GRASS, lawn, _vary(style.grass, rng, 0.14), over=(LAND,)))
    draft.add(Feature(Kind.PAVING, house.inset(-1.2), _vary(style.paving, rng, 0.1), over=(LAND, VEGETATION)))


def fill_rows(draft: Draft, block: Cell, rng: np.random.Generator, green: bool) -> None:
    """Terraces of equal houses."""
    kind, colour = house_kind(draft.style, rng), None
    colour = roof_colour(draft.style, kind, rng)
    height, gap = float(rng.uniform(5, 8)), float(rng.uniform(0.0, 2.5))
    trees: list[tuple[float, float]] = []
    for lot in _lots(block, float(rng.uniform(8.5, 13)), deepest=34.0):
        if not _inside(draft, lot):
            continue
        yard = Feature(Kind.PAVING, lot, _vary(draft.style.paving, rng, 0.1), over=(LAND,))
        house, garden = _terrace(lot, gap)
        if green:
            draft.add(yard)
        if green and rng.random() < draft.style.greenness:
            draft.add(Feature(Kind.GRASS, garden, _vary(draft.style.grass, rng, 0.12), over=(LAND,)))
        own = _vary(colour, rng, 0.05)
        stands = build_house(draft, house, rng, kind=kind, height=height, plan="bar", colour=own, onto=_sites(green))
        if stands and not green:
            draft.add(yard)
        trees += scatter(garden, int(rng.poisson(1.5 * draft.style.trees)), rng)
    if green:
        plant(draft, trees, rng, district=block.district, radius=(1.0, 2.2))


def _terrace(lot: Cell, gap: float) -> tuple[Cell, Cell]:
    """House and garden of a lot in a terrace: across the lot's short side, one behind the other along the long one."""
    if lot.sides[0] < lot.sides[1]:
        deep = lot.sides[1] * 0.55
        house = lot.part(lot.p0 + gap / 2, lot.p1 - gap / 2, lot.q0 + deep * 0.35, lot.q0 + deep * 1.35)
        return house, lot.part(lot.p0 + 0.5, lot.p1 - 0.5, house.q1 + 1, lot.q1 - 1)
    deep = lot.sides[0] * 0.55
    house = lot.part(lot.p0 + deep * 0.35, lot.p0 + deep * 1.35, lot.q0 + gap / 2, lot.q1 - gap / 2)
    return house, lot.part(house.p1 + 1, lot.p1 - 1, lot.q0 + 0.5, lot.q1 - 0.5)


def fill_apartments(draft: Draft, block: Cell, rng: np.random.Generator, green: bool) -> None:
    """Large buildings or towers with car parks and planted courts between."""
    if green:
        draft.add(Feature(Kind.PAVING, block, _vary(draft.style.paving, rng, 0.12), over=(LAND,)))
    tower = rng.random() < draft.style.tall
    trees: list[tuple[float, float]] = []
    for lot in _lots(block, float(rng.uniform(34, 52)), deepest=52.0):
        if not _inside(draft, lot):
            continue
        if rng.random() < 0.15:
            fill_parking(draft, lot.inset(3), rng, green)
            continue
        height = float(rng.uniform(35, 75)) if tower and rng.random() < 0.6 else float(rng.uniform(10, 24))
        body = _house_cell(lot, rng)
        body = body.inset(min(body.sides) * 0.12) if height > 30 else body
        if green and rng.random() < draft.style.greenness:
            draft.add(Feature(Kind.GRASS, lot.inset(2.5, 4), _vary(draft.style.grass, rng, 0.1), over=(LAND,)))
            draft.add(
                Feature(Kind.PAVING, body.inset(-2.5), _vary(draft.style.paving, rng, 0.1), over=(LAND, VEGETATION))
            )
        plan = "bar" if height > 30 else "any"
        build_house(draft, body, rng, kind=Kind.FLAT, height=height, plan=plan, onto=_sites(green))
        trees += scatter(lot.inset(2), int(rng.poisson(9 * draft.style.trees)), rng)
    if green:
        plant(draft, trees, rng, district=block.district, radius=(1.2, 2.8))


def fill_sheds(draft: Draft, block: Cell, rng: np.random.Generator, green: bool) -> None:
    """Warehouses and yards."""
    if green:
        draft.add(Feature(Kind.PAVING, block, _vary(draft.style.paving, rng, 0.2), over=(LAND,)))
    colour = roof_colour(draft.style, Kind.SHED, rng)
    for lot in _lots(block, float(rng.uniform(22, 48)), deepest=60.0):
        if not _inside(draft, lot) or rng.random() < 0.1:
            continue
        own = _vary(colour, rng, 0.06) if rng.random() < 0.6 else roof_colour(draft.style, Kind.SHED, rng)
        shed = lot.inset(float(rng.uniform(2.0, 4.5)))
        build_house(draft, shed, rng, kind=Kind.SHED, height=float(rng.uniform(7, 13)), plan="bar", colour=own)


def fill_park(draft: Draft, block: Cell, rng: np.random.Generator, green: bool) -> None:
    """Lawn, paths and clumps of trees."""
    draft.add(Feature(Kind.GRASS, block.inset(1.5, 6), _vary(draft.style.grass, rng, 0.1), over=(LAND,)))
    du, dv = block.sides
    for path in _park_paths(block, rng) if min(du, dv) > 35 else []:
        draft.add(Feature(Kind.PAVING, path, _vary(draft.style.paving, rng, 0.05), over=(LAND, VEGETATION)))
    count = int(du * dv / 140 * draft.style.trees)
    plant(
        draft,
        scatter(block.inset(3), count, rng, clumped=True),
        rng,
        district=block.district,
        radius=(1.6, 3.8),
        onto=(VEGETATION,),
    )
    plant(draft, row(block.inset(4), 9.0, rng), rng, district=block.district, radius=(2.0, 3.4))


def _park_paths(block: Cell, rng: np.random.Generator) -> list[Cell]:
    """A cross with a round place in the middle, or an off-centre path or two, or a ring."""
    (p, q), (du, dv) = block.centre, block.sides
    p, q = p + du * float(rng.uniform(-0.25, 0.25)), q + dv * float(rng.uniform(-0.25, 0.25))
    across, along = block.part(p - 1.3, p + 1.3, block.q0, block.q1), block.part(block.p0, block.p1, q - 1.3, q + 1.3)
    draw, r = float(rng.random()), float(rng.uniform(7, 15))
    place = block.part(p - r, p + r, q - r, q + r, r * 0.98)
    if draw < 0.3:
        return [across, along, place]
    return [across] if draw < 0.5 else [along, place] if draw < 0.7 else [place] if draw < 0.85 else []


def fill_field(draft: Draft, block: Cell, rng: np.random.Generator, green: bool) -> None:
    """Crops in strips, or a sports ground."""
    along = block.sides[0] > block.sides[1]
    strips = int(rng.integers(1, 4))
    edges = np.linspace(0, 1, strips + 1)
    for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        p0, p1, q0, q1 = block.p0, block.p1, block.q0, block.q1
        if along:
            p0, p1 = p0 + a * (p1 - p0) + 2, block.p0 + b * (p1 - block.p0) - 2
            p1 = block.p0 + b * block.sides[0] - 2
        else:
            q0, q1 = q0 + a * block.sides[1] + 2, block.q0 + b * block.sides[1] - 2
        strip = block.part(p0, p1, q0, q1, 2.0)
        draft.add(Feature(Kind.FIELD, strip, _vary(draft.style.grass, rng, 0.2), over=(LAND,)))
    plant(draft, row(block.inset(1), 12.0, rng), rng, district=block.district, radius=(1.5, 3.0))


def fill_grove(draft: Draft, block: Cell, rng: np.random.Generator, green: bool) -> None:
    """Trees or scrub, dense."""
    r, g, b = draft.style.grass
    draft.add(Feature(Kind.GRASS, block.inset(2, 8), _vary((r * 0.85, g * 0.85, b * 0.85), rng, 0.1), over=(LAND,)))
    count = int(block.sides[0] * block.sides[1] / 32 * (0.4 + draft.style.trees))
    plant(
        draft,
        scatter(block.inset(4), min(count, 1500), rng),
        rng,
        district=block.district,
        radius=(1.4, 3.4),
        onto=(VEGETATION,),
    )


def fill_bare(draft: Draft, block: Cell, rng: np.random.Generator, green: bool) -> None:
    """Open sand, some of it churned up by machines, with a shrub here and there."""
    kind = Kind.CLEARED if rng.random() < 0.25 else Kind.SAND
    draft.add(Feature(kind, block, _vary(draft.style.sand, rng, 0.06), over=(LAND,)))
    count = int(rng.poisson(block.sides[0] * block.sides[1] / 1500 * draft.style.greenness))
    plant(
        draft,
        scatter(block.inset(3), count, rng, clumped=True),
        rng,
        district=block.district,
        radius=(0.9, 2.0),
        onto=(LAND,),
    )


def fill_golf(draft: Draft, block: Cell, rng: np.random.Generator, green: bool) -> None:
    """Fairways winding over sandy ground, bunkers, clumps of trees."""
    draft.add(Feature(Kind.SAND, block, _vary(draft.style.sand, rng, 0.05), over=(LAND,)))
    du, dv = block.sides
    for _ in range(max(2, int(du * dv / 3000))):
        p, q = float(rng.uniform(block.p0, block.p1)), float(rng.uniform(block.q0, block.q1))
        turn, tone = float(rng.uniform(0, 3.2)), _vary(draft.style.grass, rng, 0.12)
        wide = float(rng.uniform(13, 21))
        for step in range(int(rng.integers(5, 13))):
            turn += float(rng.uniform(-0.3, 0.3))
            p, q = p + 13 * np.cos(turn), q + 13 * np.sin(turn)
            if not (block.p0 + 20 < p < block.p1 - 20 and block.q0 + 20 < q < block.q1 - 20):
                break
            x, y = block.frame.to_xy(p, q)
            if draft.canvas.ground.district_at(x, y) != block.district:
                break
            lobes = tuple((float(rng.uniform(0, 0.16 / n)), float(rng.uniform(0, 6.3))) for n in range(2, 5))
            draft.add(Feature(Kind.GRASS, Blob(x, y, wide * float(rng.uniform(0.9, 1.15)), lobes), tone, over=(LAND,)))
            if step and rng.random() < 0.12:
                bunker = Blob(x + 8, y - 6, float(rng.uniform(3.5, 6)), lobes)
                draft.add(Feature(Kind.SAND, bunker, _vary(draft.style.sand, rng, 0.05), over=(VEGETATION,)))
    count = int(du * dv / 190 * (0.3 + draft.style.trees))
    plant(draft, scatter(block.inset(4), count, rng, clumped=True), rng, district=block.district, radius=(1.5, 3.6))


def fill_parking(draft: Draft, block: Cell, rng: np.random.Generator, green: bool) -> None:
    """Asphalt with bays, partly taken."""
    lot = block.inset(1.0, 1.5)
    if min(lot.sides) < 12:
        return
    number = len(draft.features)
    draft.add(Feature(Kind.PARKING, lot, _vary(draft.style.asphalt, rng, 0.1), over=(LAND,), half=_half(lot)))
    (pc, qc), (du, dv) = lot.centre, lot.sides
    for p in np.arange(-du / 2 + 2.3, du / 2 - 1.5, 2.7).tolist():
        for q in np.arange(-dv / 2 + 3.2, dv / 2 - 2.5, 5.6).tolist():
            taken = round((q + dv / 2 - 3.2) / 5.6) % 3 != 2 and rng.random() < 0.5
            if taken and draft.canvas.ident_at(*lot.frame.to_xy(pc + p, qc + q)) == number:
                park_car(draft, lot.frame, pc + p, qc + q, np.pi / 2, rng)


def park_car(draft: Draft, frame: Frame, p: float, q: float, turn: float, rng: np.random.Generator) -> None:
    """A car at (p, q), turned against the streets, where there is road."""
    x, y = frame.to_xy(p, q)
    car_at(draft, x, y, frame.heading(p, q) + turn, rng)


def car_at(draft: Draft, x: float, y: float, turn: float, rng: np.random.Generator) -> None:
    """A car, or now and then a lorry."""
    colour = CARS[int(rng.choice(6, p=[0.36, 0.18, 0.16, 0.16, 0.07, 0.07]))]
    long = 2.3 if rng.random() < 0.94 else float(rng.uniform(3.5, 6))
    box = Box(x, y, turn, long, 0.95)
    draft.add(Feature(Kind.CAR, box, colour, 1.5 if long < 3 else 3.0, over=(ROAD,), half=(long, 0.95)))


FILLS: dict[str, Fill] = {
    "villas": fill_villas,
    "rows": fill_rows,
    "apartments": fill_apartments,
    "sheds": fill_sheds,
    "park": fill_park,
    "field": fill_field,
    "grove": fill_grove,
    "bare": fill_bare,
    "golf": fill_golf,
    "parking": fill_parking,
}


def _lots(block: Cell, width: float, deepest: float) -> list[Cell]:
    """Lots of about `width` along the block's longer side, in as many rows as keep them no deeper than `deepest`."""
    du, dv = block.sides
    if min(du, dv) < 10:
        return []
    along = du >= dv
    long, deep = (du, dv) if along else (dv, du)
    rows, columns = max(1, round(deep / deepest)), max(1, round(long / width))
    lots = []
    for i in range(rows):
        for k in range(columns):
            a0, a1 = k / columns, (k + 1) / columns
            b0, b1 = i / rows, (i + 1) / rows
            (p0, p1), (q0, q1) = ((a0, a1), (b0, b1)) if along else ((b0, b1), (a0, a1))
            lots.append(block.part(block.p0 + p0 * du, block.p0 + p1 * du, block.q0 + q0 * dv, block.q0 + q1 * dv))
    return lots


def _house_cell(lot: Cell, rng: np.random.Generator) -> Cell:
    """Where in a lot the building stands."""
    du, dv = lot.sides
    hu, hv = du * float(rng.uniform(0.33, 0.45)), dv * float(rng.uniform(0.3, 0.43))
    p = lot.centre[0] + float(rng.uniform(-0.8, 0.8)) * (du / 2 - hu - 1.0)
    q = lot.centre[1] + float(rng.uniform(-0.8, 0.8)) * (dv / 2 - hv - 1.0)
    return lot.part(p - hu, p + hu, q - hv, q + hv)


def _inside(draft: Draft, lot: Cell) -> bool:
    """Whether the lot's middle, or the point of the scene nearest to it, is on open land of the lot's own district."""
    x, y = lot.frame.to_xy(*lot.centre)
    side, ground = draft.side, draft.canvas.ground
    reach = max(lot.sides) / 2
    if not (-reach < x < side + reach and -reach < y < side + reach):
        return False
    x, y = min(max(x, 0.0), side - ground.gsd), min(max(y, 0.0), side - ground.gsd)
    return ground.district_at(x, y) == lot.district and draft.canvas.class_at(x, y) == LAND


def _sites(green: bool) -> tuple[int, ...]:
    """Classes a building may stand on: a house may take a corner of a lawn, a new one open land only."""
    return (LAND, VEGETATION) if green else (LAND,)


def _half(cell: Cell) -> tuple[float, float]:
    return cell.sides[0] / 2, cell.sides[1] / 2


def _vary(colour: Colour, rng: np.random.Generator, by: float) -> Colour:
    """`colour` brighter or darker by up to the share `by`."""
    light = float(rng.uniform(1 - by, 1 + by))
    r, g, b = colour
    return r * light, g * light, b * light
