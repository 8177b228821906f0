"""Proof that polygons cover an area once: no gap, no overlap, in time near-linear in their edges.

Walk round every polygon with its inside on the right. Where two polygons share an edge it is walked both ways and
cancels. Let f(point) be the number of polygons over a point. It changes only across the edges that are left over, by
one, up to the right. So if these meet at their ends only, f is constant on each face that they bound; and if no face
has an edge where f steps up into it as well as one where it steps down into it, then f is 0 or 1 on each, as it is 0
far away. That is: valid polygons that pass overlap nowhere, and their union has exactly the sum of their areas. Where
that is the area that was to be covered, there are no gaps either.

`shapely.coverage_is_valid` asks the same of polygons that are all in memory. Here they come in batches, and only
edges left over so far are held, 32 bytes each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.assemble import Polygons

Edges = NDArray[np.float64]  # (n, 4): x and y of the start, x and y of the end
_PLACES = 10  # faults that are named


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a layer of polygons covers, in the units of its coordinates.

    Attributes:
        polygons: how many there are.
        invalid: how many of them are invalid or empty.
        area: sum of their areas.
        outline: length of the edges that no two polygons share: of the outer boundary and of that of all gaps.
        faults: (k, 2) x and y of the first few places where polygons overlap, or touch without matching edges.
    """

    polygons: int
    invalid: int
    area: float
    outline: float
    faults: NDArray[np.float64]

    @property
    def valid(self) -> bool:
        """Whether no two polygons overlap and edges match wherever two touch. Then `area` is that of the union."""
        return not self.invalid and not len(self.faults)


def coverage(batches: Iterable[Polygons]) -> Coverage:
    """Check polygons as one coverage.

    `valid` agrees with `shapely.coverage_is_valid` of all polygons at once. Gaps are found by the caller: the area to
    be covered less `area` is that of all gaps. Coordinates are compared bit by bit: the corners that polygons of one
    layer share are equal in any CRS and after any rounding, as the same numbers went in.

    Args:
        batches: arrays of (n,) polygons in any order, each polygon in one of them; `[polygons]` for a single array.
            The sooner neighbours come after each other, the fewer edges are held.
    """
    count, invalid, area = 0, 0, 0.0
    left_over: Edges = np.empty((0, 4))
    for polygons in batches:
        count += len(polygons)
        invalid += int((~shapely.is_valid(polygons) | shapely.is_empty(polygons)).sum())
        area += float(shapely.area(polygons).sum())
        left_over = _cancel(np.concatenate([left_over, _edges(polygons)[0]]))
    length = np.hypot(left_over[:, 2] - left_over[:, 0], left_over[:, 3] - left_over[:, 1])
    return Coverage(count, invalid, area, float(length.sum()), _faults(left_over)[:_PLACES])


def overlap_area(polygons: Polygons) -> float:
    """Area in more than one polygon, each pair counted by itself; for the polygons near a fault, or a small layer."""
    tree = shapely.STRtree(polygons)
    one, other = tree.query(polygons, predicate="intersects")
    one, other = one[one < other], other[one < other]
    valid = shapely.make_valid(polygons)
    return float(shapely.area(shapely.intersection(valid[one], valid[other])).sum())


def _edges(polygons: Polygons) -> tuple[Edges, NDArray[np.int64]]:
    """Edges of all rings, each walked with the inside of its polygon on the right, and the polygon that each is of."""
    rings, polygon = shapely.get_rings(shapely.orient_polygons(polygons, exterior_cw=True), return_index=True)
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    same = np.flatnonzero(ring[1:] == ring[:-1])
    edges = np.hstack([corners[same], corners[same + 1]]) + 0.0  # so that -0.0 equals 0.0 in any comparison
    return edges, polygon[ring[same]].astype(np.int64)


def _cancel(edges: Edges) -> Edges:
    """The edges that are left when those walked both ways are taken out."""
    backward = (edges[:, 0] > edges[:, 2]) | ((edges[:, 0] == edges[:, 2]) & (edges[:, 1] > edges[:, 3]))
    forward = np.where(backward[:, None], edges[:, [2, 3, 0, 1]], edges)
    order = np.lexsort(forward.T)
    ordered = forward[order]
    first = np.flatnonzero(np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)][: len(edges)])
    if not len(first):
        return edges
    net = np.add.reduceat(np.where(backward, -1, 1)[order], first)
    kept = np.repeat(ordered[first], np.abs(net), axis=0)
    turned = np.repeat(net < 0, np.abs(net))
    return np.where(turned[:, None], kept[:, [2, 3, 0, 1]], kept)


def _faults(left_over: Edges) -> NDArray[np.float64]:
    """Where edges left over cross or overlap each other, or else where they bound an area covered more than once."""
    lines = shapely.linestrings(left_over.reshape(-1, 2, 2))
    if not shapely.is_simple(shapely.multilinestrings(lines)):
        return _crossings(left_over, lines)
    faces = shapely.get_parts(shapely.polygonize(lines))
    edges, of = _edges(faces)
    up = _is_in(edges, left_over)
    ups, total = np.bincount(of, up, len(faces)), np.bincount(of, minlength=len(faces))
    mixed = (ups > 0) & (ups < total)
    return edges[np.flatnonzero(mixed[of]), :2]


def _is_in(edges: Edges, others: Edges) -> NDArray[np.bool_]:
    """Whether each edge is among `others`, walked the same way."""
    _, number = np.unique(np.concatenate([others, edges]), axis=0, return_inverse=True)
    number = number.ravel()
    there = np.zeros(len(number), bool)
    there[number[: len(others)]] = True
    return there[number[len(others) :]]


def _crossings(edges: Edges, lines: NDArray[np.object_]) -> NDArray[np.float64]:
    """A point of each crossing or overlap of two edges."""
    one, other = shapely.STRtree(lines).query(lines, predicate="intersects")
    one, other = one[one < other], other[one < other]
    meeting = shapely.intersection(lines[one], lines[other])
    middle = shapely.centroid(meeting)
    at = np.column_stack([shapely.get_x(middle), shapely.get_y(middle)])
    ends = np.zeros((2, len(one)), bool)
    for row, line in enumerate((edges[one], edges[other])):
        ends[row] = (line[:, :2] == at).all(axis=1) | (line[:, 2:] == at).all(axis=1)
    crossing: NDArray[np.float64] = at[~(ends.all(axis=0) & (shapely.get_type_id(meeting) == 0))]
    return crossing
