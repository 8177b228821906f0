"""Footprints kept off roads and neighbours: lines that reach over ground of others are moved in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.outline_fit import Fit, inner_side, shift

TOUCH = 1e-6  # squared pixels: less overlap than this is rounding
_GAP = 1e-4  # pixels: how far a line is moved beyond what is needed
_MOVES = 12  # lines moved before the fit is given up


def clear(fit: Fit, taken: NDArray[np.object_]) -> Fit | None:
    """The fit with lines moved in until it shares no ground with what is taken; None where that fails.

    Of all lines whose move frees a piece of ground, the one that loses the least is moved. So the outcome lies
    within the fit.

    Args:
        fit: in any coordinates.
        taken: polygons in the same.
    """
    start = fit.polygon
    for _ in range(_MOVES):
        piece = _overlap(fit.polygon, taken)
        if piece is None:
            return fit if shapely.difference(fit.polygon, start).area <= TOUCH else None
        move = _cheapest(fit, shapely.get_coordinates(shapely.convex_hull(piece)))
        if move is None:
            return None
        lines = fit.rings[move.ring]
        inward = np.zeros(len(lines.offsets))
        inward[move.line] = move.depth + _GAP
        moved = Fit.of([shift(r, inward) if i == move.ring else r for i, r in enumerate(fit.rings)])
        if moved is None or moved.polygon.area < start.area / 2:
            return None
        fit = moved
    return None


def overlap_area(polygon: shapely.Polygon, taken: NDArray[np.object_]) -> float:
    """Area that a polygon shares with any of the others."""
    return float(shapely.area(shapely.intersection(polygon, taken)).sum()) if len(taken) else 0.0


@dataclass(frozen=True, slots=True)
class _Move:
    loss: float
    ring: int
    line: int
    depth: float


def _overlap(polygon: shapely.Polygon, taken: NDArray[np.object_]) -> shapely.Polygon | None:
    """The largest connected piece that is shared."""
    if not len(taken):
        return None
    shared = shapely.union_all(shapely.intersection(polygon, taken))
    pieces = [p for p in shapely.get_parts(shared) if p.area > TOUCH / 4]
    return max(pieces, key=lambda p: p.area) if pieces and shared.area > TOUCH / 2 else None


def _cheapest(fit: Fit, piece: NDArray[np.float64]) -> _Move | None:
    """The move that frees the corners of a piece and loses the least area."""
    moves = []
    for number, lines in enumerate(fit.rings):
        corners = lines.corners()
        length = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
        depth = ((piece @ lines.normals.T - lines.offsets) * inner_side(lines)).max(axis=0)
        beside = _beside(piece, lines.normals, np.roll(corners, 1, axis=0), corners)
        for line in np.flatnonzero((depth > 0) & beside):
            moves.append(_Move(float(depth[line] * length[line]), number, int(line), float(depth[line])))
    return min(moves, key=lambda m: (m.loss, m.ring, m.line), default=None)


def _beside(
    piece: NDArray[np.float64], normals: NDArray[np.float64], begin: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether any of a piece lies between the ends of each edge: another edge's line does not bound it."""
    along = np.column_stack([normals[:, 1], -normals[:, 0]])
    place = piece @ along.T
    a, b = (begin * along).sum(axis=1), (end * along).sum(axis=1)
    beside: NDArray[np.bool_] = (place.max(axis=0) > np.minimum(a, b)) & (place.min(axis=0) < np.maximum(a, b))
    return beside
