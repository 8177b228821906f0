"""Footprints kept off roads and neighbours: lines that reach over ground of others are moved in."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.line_fit import Lines
from geoseg.vector.outline_fit import Fit, inner_side, shift

TOUCH = 1e-6  # squared pixels: less overlap than this is rounding
_GAP = 1e-4  # pixels: how far a line is moved beyond what is needed
_ROUNDS = 6  # of moves before the fit is given up
_NOTHING = 1e-9  # squared pixels
_SURPLUS = 1.02  # so that rounds end


def clear(fit: Fit, taken: NDArray[np.object_]) -> Fit | None:
    """The fit with lines moved in until it shares no ground with what is taken; None where that fails.

    For each piece of shared ground, of all lines whose move frees it the one that loses the least is moved. So the
    outcome lies within the fit.

    Args:
        fit: in any coordinates.
        taken: polygons in the same.
    """
    start = fit.polygon
    for _ in range(_ROUNDS):
        taken, pieces = _shared(fit.polygon, taken)
        if not len(taken):
            return fit if shapely.difference(fit.polygon, start).area <= TOUCH else None
        depths = _moves(fit, pieces)
        moved = Fit.of([shift(r, d + _GAP * (d > 0)) for r, d in zip(fit.rings, depths, strict=True)])
        if moved is None or moved.polygon.area < start.area / 2:
            return None
        fit = moved
    return None


def clear_keeping_area(fit: Fit, taken: NDArray[np.object_], least: float) -> Fit | None:
    """The fit kept off what is taken as `clear` does; lines that were free are moved out, all alike, so that the area
    is `least` again where it would be smaller. The outcome may reach over the fit.
    """
    for _ in range(_ROUNDS):
        cleared = clear(fit, taken)
        if cleared is None or cleared.polygon.area >= least:
            return cleared
        free = [_free(before, after) for before, after in zip(fit.rings, cleared.rings, strict=True)]
        length = sum(float(_lengths(r)[f].sum()) for r, f in zip(cleared.rings, free, strict=True))
        if not length:
            return cleared
        out = _SURPLUS * (least - cleared.polygon.area) / length
        wider = Fit.of([shift(r, np.where(f, -out, 0.0)) for r, f in zip(cleared.rings, free, strict=True)])
        if wider is None:
            return cleared
        fit = wider
    return clear(fit, taken)


def pressing(polygon: shapely.Polygon, others: NDArray[np.object_]) -> NDArray[np.object_]:
    """Those of the others that share ground with a polygon, not just an edge."""
    return _shared(polygon, others)[0]


def overlap_area(polygon: shapely.Polygon, taken: NDArray[np.object_]) -> float:
    """Area that a polygon shares with any of the others."""
    return float(shapely.area(_shared(polygon, taken)[1]).sum())


def _lengths(lines: Lines) -> NDArray[np.float64]:
    corners = lines.corners()
    lengths: NDArray[np.float64] = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    return lengths


def _free(before: Lines, after: Lines) -> NDArray[np.bool_]:
    """Lines that were not moved."""
    free: NDArray[np.bool_] = before.offsets == after.offsets
    return free


def _shared(polygon: shapely.Polygon, others: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Those of the others that share ground with a polygon, and that ground."""
    if len(others):
        shapely.prepare(polygon)
        others = others[shapely.intersects(polygon, others)]
    pieces = shapely.intersection(polygon, others)
    some = shapely.area(pieces) > _NOTHING
    return others[some], pieces[some]


def _moves(fit: Fit, pieces: NDArray[np.object_]) -> list[NDArray[np.float64]]:
    """How far each line of each ring goes in."""
    parts = shapely.get_parts(pieces)
    corners, of = shapely.get_coordinates(parts[shapely.area(parts) > 0], return_index=True)
    first = np.flatnonzero(np.diff(of, prepend=-1))
    depth, loss = [], []
    for lines in fit.rings:
        own = np.maximum.reduceat((corners @ lines.normals.T - lines.offsets) * inner_side(lines), first)
        usable = (own > 0) & _beside(corners, first, lines)
        depth.append(own)
        loss.append(np.where(usable, own * _lengths(lines), np.inf))
    best = np.concatenate(loss, axis=1).argmin(axis=1)
    depths = np.concatenate(depth, axis=1)
    out = np.zeros(depths.shape[1])
    np.maximum.at(out, best, depths[np.arange(len(best)), best])
    return np.split(out, np.cumsum([len(r.offsets) for r in fit.rings])[:-1])


def _beside(corners: NDArray[np.float64], first: NDArray[np.intp], lines: Lines) -> NDArray[np.bool_]:
    """Whether any of each piece lies between the ends of each edge, (piece, line): beyond them it bounds nothing.

    Args:
        corners: of all pieces.
        first: where those of each start.
        lines: of a ring.
    """
    along = np.column_stack([lines.normals[:, 1], -lines.normals[:, 0]])
    place = corners @ along.T
    ends = lines.corners()
    a, b = (np.roll(ends, 1, axis=0) * along).sum(axis=1), (ends * along).sum(axis=1)
    low, high = np.minimum.reduceat(place, first), np.maximum.reduceat(place, first)
    beside: NDArray[np.bool_] = (high > np.minimum(a, b)) & (low < np.maximum(a, b))
    return beside
