"""Lays out a town: borders, districts of streets and blocks, water, main roads, and cars on them."""

from __future__ import annotations

import math

import numpy as np

from geoseg.town.blocks import FILLS, car_at
from geoseg.town.feature import LAND, ROAD, VEGETATION, WATER, Feature, Kind
from geoseg.town.frame import Curve, Frame
from geoseg.town.plants import plant
from geoseg.town.shapes import Band, Blob, Cell, Everywhere, Ground
from geoseg.town.streets import Plat, cut, park_cars, pave
from geoseg.town.style import TownStyle
from geoseg.town.town import Draft, Parcel, Town
from geoseg.town.zones import Zone, draw_zones, nearest_zone


def plan_town(seed: int, size: int, gsd: float = 0.8, style: TownStyle | None = None) -> Town:
    """A town of `size` x `size` pixels of `gsd` metres; without a style, one drawn from the seed.

    The order decides what lies on what: soil, streets, blocks, water with its banks, then main roads, which cross the
    water on bridges, and cars.
    """
    rng = np.random.default_rng([seed, 0x70])
    style = style or TownStyle.random(np.random.default_rng([seed, 0x57]))
    side = size * gsd
    borders = _borders(rng, side, style)
    ground = Ground(size, gsd, tuple(borders.values()))
    draft = Draft(style, ground)
    draft.add(Feature(Kind.SAND, Everywhere(), style.sand))
    zones = draw_zones(style, side, rng)
    blocks: list[Cell] = []
    for district in range(1 << len(borders)):
        reach = side * 0.72 + 40
        whole = Cell(_frame(rng, side, style, district), district, -reach, reach, -reach, reach)
        plat = Plat()
        cut(draft, whole, lambda cell: nearest_zone(zones, *cell.frame.to_xy(*cell.centre)), rng, plat)
        blocks += pave(draft, plat, rng)
        park_cars(draft, plat.streets, rng)
    _add_water(draft, rng)
    _add_main_roads(draft, rng, borders)
    _use_blocks(draft, blocks, zones, rng)
    _add_traffic(draft, rng, borders)
    ground.forget()
    return draft.finish()


def _borders(rng: np.random.Generator, side: float, style: TownStyle) -> dict[str, Curve]:
    """Long curves that part the districts: a highway and an arterial across it."""
    borders: dict[str, Curve] = {}
    if style.highway and side > 350:
        borders["highway"] = _curve(rng, side, style.angle + float(rng.uniform(-0.25, 0.25)), 0.25)
    if side > 500:
        borders["arterial"] = _curve(rng, side, style.angle + math.pi / 2 + float(rng.uniform(-0.3, 0.3)), 0.2)
    return borders


def _curve(rng: np.random.Generator, side: float, angle: float, spread: float, sway: float = 1.0) -> Curve:
    x, y = (float(v) for v in side * rng.uniform(0.5 - spread, 0.5 + spread, size=2))
    span = min(side, 1600.0)
    amplitudes = float(span * sway * rng.uniform(0.03, 0.06)), float(span * sway * rng.uniform(0.0, 0.012))
    lengths = float(span * rng.uniform(0.9, 1.5)), float(span * rng.uniform(0.35, 0.55))
    phases = float(rng.uniform(0, 6.3)), float(rng.uniform(0, 6.3))
    return Curve(x, y, angle, amplitudes, lengths, phases)


def _frame(rng: np.random.Generator, side: float, style: TownStyle, district: int) -> Frame:
    """Streets of one district, turned and bent a little otherwise than its neighbours'."""
    turn = style.angle + (float(rng.uniform(-0.22, 0.22)) if district else 0.0)
    bend = style.bend * float(rng.uniform(0.3, 1.0))
    length = float(rng.uniform(600, 1300))
    return Frame(side / 2, side / 2, turn, bend, length, float(rng.uniform(0, 6.3)), float(rng.uniform(0, 6.3)))


def _add_water(draft: Draft, rng: np.random.Generator) -> None:
    """A lake, a river and a coast, as the style has them, each inside its bank."""
    style, side = draft.style, draft.side
    if style.coast:
        curve = _curve(rng, side, float(rng.uniform(0, 2 * math.pi)), 0.0, sway=2.2)
        offset = side * float(rng.uniform(0.18, 0.34))
        _add_basin(draft, Band(curve, offset - 28, 4 * side), Band(curve, offset, 4 * side), green=False)
    if style.river:
        curve = _curve(rng, side, style.angle + float(rng.uniform(0.5, 1.1)), 0.3, sway=1.6)
        wide = min(26.0, side * 0.03) * float(rng.uniform(0.6, 1.2))
        _add_basin(draft, Band(curve, -wide - 14, wide + 14), Band(curve, -wide, wide), green=style.greenness > 0.35)
    if style.lake:
        for _ in range(1 if side < 900 else 2):
            r = min(side * 0.11, 130.0) * style.lake * float(rng.uniform(0.7, 1.1))
            x, y = (float(v) for v in rng.uniform(0.2, 0.8, size=2) * side)
            lobes = tuple((float(rng.uniform(0.0, 0.6 / order)), float(rng.uniform(0, 6.3))) for order in range(2, 9))
            bank = Blob(x, y, r + 12, lobes)
            _add_basin(draft, bank, Blob(x, y, r, lobes), green=bool(rng.random() < style.greenness))


def _add_basin(draft: Draft, bank: Band | Blob, basin: Band | Blob, green: bool) -> None:
    style = draft.style
    kind, colour = (Kind.GRASS, style.grass) if green else (Kind.SAND, style.sand)
    draft.add(Feature(kind, bank, colour, over=(LAND, ROAD, VEGETATION)))
    draft.add(Feature(Kind.WATER, basin, style.water))


def _add_main_roads(draft: Draft, rng: np.random.Generator, borders: dict[str, Curve]) -> None:
    style = draft.style
    over_water = (ROAD, LAND, VEGETATION, WATER)
    dark = tuple(0.8 * c for c in style.asphalt)
    if "arterial" in borders:
        curve, wide = borders["arterial"], 2.2 * style.street / 2 + 2
        _verge(draft, curve, wide + 7)
        draft.add(Feature(Kind.HIGHWAY, Band(curve, -wide, wide), _rgb(dark), over=over_water, half=(2.2, wide)))
        draft.add(_median(draft, curve, 2.2))
        _add_roundabout(draft, rng, curve)
    if "highway" in borders:
        curve, wide = borders["highway"], float(rng.uniform(17, 27))
        _verge(draft, curve, wide + 16)
        draft.add(Feature(Kind.HIGHWAY, Band(curve, -wide, wide), _rgb(dark), over=over_water, half=(3.0, wide)))
        draft.add(_median(draft, curve, 3.0))
        if draft.side > 800:
            near = wide + 10
            service = Band(curve, near, near + 7.5)
            draft.add(Feature(Kind.ASPHALT, service, style.asphalt, over=over_water, half=(0, 3.7)))


def _verge(draft: Draft, curve: Curve, wide: float) -> None:
    """Open strip on both sides of a main road, on land only: water stays water."""
    kind, colour = (Kind.GRASS, draft.style.grass) if draft.style.greenness > 0.6 else (Kind.SAND, draft.style.sand)
    draft.add(Feature(kind, Band(curve, -wide, wide), colour, over=(LAND, ROAD, VEGETATION)))


def _median(draft: Draft, curve: Curve, half: float) -> Feature:
    green = draft.style.greenness > 0.35
    kind, colour = (Kind.GRASS, draft.style.grass) if green else (Kind.PAVING, draft.style.paving)
    return Feature(kind, Band(curve, -half, half), colour, over=(ROAD,))


def _add_roundabout(draft: Draft, rng: np.random.Generator, curve: Curve) -> None:
    places = (-0.25, 0.25) if draft.side > 900 else (0.1,)
    for along in (place + float(rng.uniform(-0.12, 0.12)) for place in places):
        x, y, _ = curve.at(along * draft.side)
        if not (0 < x < draft.side and 0 < y < draft.side) or draft.canvas.class_at(x, y) == WATER:
            continue
        draft.add(Feature(Kind.ASPHALT, Blob(x, y, 27.0), draft.style.asphalt, half=(0, 0)))
        kind, colour = (Kind.GRASS, draft.style.grass) if draft.style.greenness > 0.3 else (Kind.SAND, draft.style.sand)
        draft.add(Feature(kind, Blob(x, y, 15.0), colour))
        ring = [(x + 9 * math.cos(t), y + 9 * math.sin(t)) for t in np.arange(0, 6.2, 0.7).tolist()]
        plant(draft, ring, rng, radius=(1.5, 2.5))


def _use_blocks(draft: Draft, blocks: list[Cell], zones: list[Zone], rng: np.random.Generator) -> None:
    """Give each block a use and fill it; a scene of several blocks has a park and open land among them."""
    spots = [cell.frame.to_xy(*cell.centre) for cell in blocks]
    uses = [nearest_zone(zones, *at).pick_use(rng) for at in spots]
    open_land = [number for number, at in enumerate(spots) if draft.canvas.class_at(*at) == LAND]
    ground = draft.canvas.ground
    seen = [number for number in open_land if ground.district_at(*spots[number]) == blocks[number].district]
    for need in ("bare", "park"):
        spare = [number for number in seen if uses[number] not in ("bare", "park")]
        if len(spare) > 1 and need not in {uses[number] for number in seen}:
            uses[int(rng.choice(spare))] = need
    for cell, use in zip(blocks, uses, strict=True):
        draft.parcels.append(Parcel(cell, use))
        FILLS[use](draft, cell, rng, True)


def _add_traffic(draft: Draft, rng: np.random.Generator, borders: dict[str, Curve]) -> None:
    """Cars in the lanes of the main roads, and trees along their medians."""
    for name, curve in borders.items():
        number, half = next(
            (number, feature.half)
            for number, feature in enumerate(draft.features)
            if feature.kind == Kind.HIGHWAY and isinstance(feature.shape, Band) and feature.shape.curve == curve
        )
        lanes = np.arange(half[0] + 2.2, half[1] - 1.5, 3.6)
        along = rng.uniform(-0.8 * draft.side, 0.8 * draft.side, size=int(draft.side * 0.11))
        for s in along.tolist():
            across = float(rng.choice(lanes)) * float(rng.choice([-1, 1]))
            x, y, turn = curve.at(s, across)
            if draft.canvas.ident_at(x, y) == number:
                car_at(draft, x, y, turn, rng)
        if name == "arterial" and draft.style.trees > 0.2:
            points = [curve.at(s)[:2] for s in np.arange(-0.8 * draft.side, 0.8 * draft.side, 11.0).tolist()]
            plant(draft, points, rng, radius=(1.6, 2.6), onto=(VEGETATION,))


def _rgb(values: tuple[float, ...]) -> tuple[float, float, float]:
    r, g, b = values
    return r, g, b
