"""A town at a later date: vegetation cleared, open land built on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geoseg.town.blocks import FILLS
from geoseg.town.feature import LAND, VEGETATION, Feature, Kind
from geoseg.town.shapes import Cell
from geoseg.town.streets import Plat, cut, pave
from geoseg.town.town import Draft, Parcel, Town
from geoseg.town.zones import SIZES, Zone

GREEN_USES = ("park", "field", "grove")


def develop(town: Town, seed: int, clear: float = 0.3, build: float = 0.4) -> Town:
    """The town some years on.

    Vegetation turns to land on a share `clear` of the green parcels; houses and a lane go up on a share `build` of
    the bare ones. At least one parcel of each kind changes where there is one. Nothing else changes: the difference
    of `classes()` is the whole truth about change.
    """
    rng = np.random.default_rng([seed, 0xDE])
    draft = Draft.resume(town)
    draft.style = replace(town.style, tall=0.0)  # what is new is low, so its shadows end near it
    for number in _pick(draft, GREEN_USES, VEGETATION, clear, rng):
        parcel = draft.parcels[number]
        tone = float(rng.uniform(0.9, 1.05))
        r, g, b = (c * tone for c in town.style.sand)
        draft.add(Feature(Kind.CLEARED, parcel.cell.inset(-3.0, 4.0), (r, g, b), over=(VEGETATION,)))
        draft.parcels[number] = Parcel(parcel.cell, "cleared")
    for number in _pick(draft, ("bare",), LAND, build, rng):
        cell = draft.parcels[number].cell
        use = str(rng.choice(["villas", "rows", "apartments", "sheds"], p=[0.5, 0.2, 0.15, 0.15]))
        long, short = SIZES[use]
        zone = Zone(0.0, 0.0, use, long, short)
        for part in _add_lane(draft, cell):
            plat = Plat()
            cut(draft, part, lambda _, zone=zone: zone, rng, plat)  # type: ignore[misc]
            for block in pave(draft, plat, rng, over=(LAND,)) if plat.streets else [part]:
                FILLS[use](draft, block, rng, False)
        draft.parcels[number] = Parcel(cell, use)
    town.canvas.ground.forget()
    return replace(draft.finish(), style=town.style)


def _pick(draft: Draft, uses: tuple[str, ...], class_index: int, share: float, rng: np.random.Generator) -> list[int]:
    """Numbers of parcels of these uses, `share` of those that show a fair piece of the class; at least one."""
    shown = {
        number: draft.canvas.count(parcel.cell, class_index)
        for number, parcel in enumerate(draft.parcels)
        if parcel.use in uses
    }
    largest = max(shown.values(), default=0)
    fair = [number for number, pixels in shown.items() if pixels > 0.25 * largest]
    count = min(len(fair), max(1, round(share * len(fair)))) if share > 0 else 0
    return sorted(rng.permutation(fair)[:count].tolist()) if count else []


def _add_lane(draft: Draft, cell: Cell) -> list[Cell]:
    """A new street through the middle of a block, out to the streets around; returns the two sides."""
    (p, q), (du, dv) = cell.centre, cell.sides
    half, out = draft.style.street / 2, 2.5
    if du < dv:
        lane = cell.part(cell.p0 - out, cell.p1 + out, q - half, q + half)
        sides = [cell.part(cell.p0, cell.p1, cell.q0, q - half - 1), cell.part(cell.p0, cell.p1, q + half + 1, cell.q1)]
        across = half
    else:
        lane = cell.part(p - half, p + half, cell.q0 - out, cell.q1 + out)
        sides = [cell.part(cell.p0, p - half - 1, cell.q0, cell.q1), cell.part(p + half + 1, cell.p1, cell.q0, cell.q1)]
        across = -half
    r, g, b = (c * 0.85 for c in draft.style.asphalt)
    draft.add(Feature(Kind.STREET, lane, (r, g, b), over=(LAND,), half=(0.0, across)))
    return sides
