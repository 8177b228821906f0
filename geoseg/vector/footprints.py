"""Footprints of buildings from their pixels, all of a map together.

1. Buildings that touch are one site. Its direction comes from its outline and from near sites
   (`geoseg.vector.directions`).
2. The outline of the site is drawn with lines of that direction (`geoseg.vector.outline_fit`) and cut along shared
   walls (`geoseg.vector.walls`); lines over a road or over pixels of other sites are moved in
   (`geoseg.vector.clearance`). A site is accepted where each footprint is valid, agrees with its pixels and has their
   area, within bounds; else it is tried with closer fits.
3. A drawn site that reaches over another one is moved in, as that one is, and must pass the same gate again.
4. What does not pass keeps its outline: simplified where that shares no ground with anything else, along pixel
   edges where it would.

A site sees others only as they are after step 2, so no order of decisions shows, and nothing depends on tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.grid.window import Window
from geoseg.vector.clearance import TOUCH, clear, clear_keeping_area, overlap_area, pressing
from geoseg.vector.directions import directions, evidence
from geoseg.vector.outline_fit import Fit, fit_outline, hold_area
from geoseg.vector.rings import Ring, rings
from geoseg.vector.walls import draw_wall, partition, wall_chains

REGULAR, CIRCLE, OUTLINE = "regular", "circle", "outline"
MARGIN = 8  # pixels around a site in which its roads are known
_CLOSER = (1.0, 0.25, 0.06)  # prices of a line that are tried, in shares of the first
_AREA_SHARE = 0.9  # of the allowed change, that drawing uses; the rest is for moves


@dataclass(frozen=True, slots=True)
class FootprintRules:
    """What a footprint must keep to.

    Args:
        tolerance: pixels; jogs much smaller than this are not drawn.
        min_iou: of a drawn footprint and its pixels.
        max_area_change: share of the area of its pixels.
        radius: neighbours nearer than this tell their direction, metres.
        trust: how much all neighbours together count, in times of the building itself.
        outline_tolerance: pixels that a kept outline is simplified by.
    """

    tolerance: float
    min_iou: float
    max_area_change: float
    radius: float
    trust: float
    outline_tolerance: float


@dataclass(frozen=True, eq=False)
class Site:
    """Buildings that touch each other and no others.

    Args:
        window: holds them all.
        labels: (height, width) of `window`: from 1, each 4-connected; 0 is not theirs.
        ground: (2, 2), metres east (row 0) and south (row 1) of one column and one row; its determinant is over 0.
        centre: (d,) metres, place among all sites.
        roads: where roads are, `window` grown by `MARGIN`.
    """

    window: Window
    labels: NDArray[np.int32]
    ground: NDArray[np.float64]
    centre: NDArray[np.float64]
    roads: NDArray[np.bool_]

    @cached_property
    def frame(self) -> NDArray[np.float64]:
        """(2, 2) from (col, row) to units of a pixel on the ground, in which right angles are right."""
        out: NDArray[np.float64] = self.ground / np.sqrt(abs(np.linalg.det(self.ground)))
        return out

    @cached_property
    def outlines(self) -> list[list[Ring]]:
        """Rings of label 1, 2, ..."""
        return [rings(self.labels, label) for label in range(1, int(self.labels.max()) + 1)]

    @cached_property
    def outline(self) -> list[NDArray[np.float64]]:
        """Points around all of them together, then around what they enclose, in the frame."""
        return [ring.middles @ self.frame.T for ring in rings(self.labels, 0)]

    @cached_property
    def masks(self) -> NDArray[np.object_]:
        """Pixels of each as a polygon along their edges, map pixels."""
        corner = np.array([self.window.col_off, self.window.row_off])
        shapes = []
        for own in self.outlines:
            outer = next(i for i, ring in enumerate(own) if not ring.is_hole)
            holes = [ring.turns + corner for i, ring in enumerate(own) if i != outer]
            shapes.append(shapely.Polygon(own[outer].turns + corner, holes))
        return np.array(shapes, dtype=object)

    @cached_property
    def road(self) -> NDArray[np.object_]:
        """Runs of road pixels along rows as rectangles, map pixels."""
        edges = np.diff(np.pad(self.roads, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        row, left = np.nonzero(edges > 0)
        right = np.nonzero(edges < 0)[1]
        x, y = self.window.col_off - MARGIN, self.window.row_off - MARGIN
        boxes: NDArray[np.object_] = np.atleast_1d(shapely.box(left + x, row + y, right + x, row + y + 1))
        return boxes

    @cached_property
    def around(self) -> shapely.Polygon:
        """The ground whose roads are known, map pixels."""
        outer = self.window.grow(MARGIN)
        return shapely.box(outer.col_off, outer.row_off, outer.right, outer.bottom)

    def on_map(self, polygons: NDArray[np.object_]) -> NDArray[np.object_]:
        """Polygons of the frame in map pixels."""
        back, corner = np.linalg.inv(self.frame).T, np.array([self.window.col_off, self.window.row_off])
        placed: NDArray[np.object_] = shapely.transform(polygons, lambda xy: xy @ back + corner)
        return placed

    def in_frame(self, polygons: NDArray[np.object_]) -> NDArray[np.object_]:
        """Polygons of the map in the frame."""
        corner = np.array([self.window.col_off, self.window.row_off])
        placed: NDArray[np.object_] = shapely.transform(polygons, lambda xy: (xy - corner) @ self.frame.T)
        return placed


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """A site that passed the gate: its fit, and the footprints cut from it, map pixels."""

    fit: Fit
    parts: NDArray[np.object_]

    @property
    def common(self) -> shapely.Geometry:
        return shapely.union_all(self.parts)

    @property
    def status(self) -> str:
        return CIRCLE if self.fit.is_circle else REGULAR


def footprints(sites: Sequence[Site], rules: FootprintRules) -> list[list[tuple[shapely.Polygon, str]]]:
    """Footprint and status of each building of each site, by label, in map pixels (x the column, y the row).

    No two share ground, none shares ground with a road of its site, each is valid.
    """
    if not sites:
        return []
    price = rules.tolerance**3
    curves = np.array([evidence(site.outline[0], price) for site in sites])
    angles = directions(curves, np.array([site.centre for site in sites]), rules.radius, rules.trust)
    pixels = _Layer([site.masks for site in sites])
    fixed = [np.concatenate([site.road, pixels.others(site.around, i)]) for i, site in enumerate(sites)]
    drawn = [_draw(*own, price, rules) for own in zip(sites, angles.tolist(), fixed, strict=True)]
    nothing = np.empty(0, dtype=object)
    claims = _Layer([nothing if d is None else d.parts for d in drawn])
    plain = [_simplified(site, rules.outline_tolerance) for site in sites]
    outlines = _Layer(plain)
    out = []
    for i, site in enumerate(sites):
        theirs = np.concatenate([fixed[i], claims.others(site.around, i)])
        final = _cleared(site, drawn[i], theirs, price, rules)
        if final is not None:
            out.append([(part, final.status) for part in final.parts])
        else:
            theirs = np.concatenate([theirs, outlines.others(site.around, i)])
            out.append([(part, OUTLINE) for part in _kept(site, plain[i], theirs)])
    return out


class _Layer:
    """Polygons with the site that each is of."""

    def __init__(self, of_sites: Sequence[NDArray[np.object_]]) -> None:
        self._shapes = np.concatenate(of_sites)
        self._owner = np.repeat(np.arange(len(of_sites)), [len(own) for own in of_sites])
        self._tree = shapely.STRtree(self._shapes)

    def others(self, box: shapely.Polygon, own: int) -> NDArray[np.object_]:
        """Those of other sites near a box."""
        near = np.sort(self._tree.query(box))
        found: NDArray[np.object_] = self._shapes[near[self._owner[near] != own]]
        return found


def _draw(site: Site, angle: float, fixed: NDArray[np.object_], price: float, rules: FootprintRules) -> _Drawn | None:
    """The first fit that passes the gate and is clear of roads and of others' pixels."""
    area, change = float(np.count_nonzero(site.labels)), _AREA_SHARE * rules.max_area_change
    for share in _CLOSER:
        fit = fit_outline(site.outline, angle, share * price)
        fit = fit and hold_area(fit, area, change)
        if fit is not None and len(near := pressing(site.on_map(fit.polygon), fixed)):
            fit = None if fit.is_circle else clear_keeping_area(fit, site.in_frame(near), (1 - change) * area)
        drawn = fit and _cut(site, fit, share * price)
        if drawn is not None and _passes(site, drawn.parts, rules) and overlap_area(drawn.common, fixed) <= TOUCH:
            return drawn
    return None


def _cut(site: Site, fit: Fit, price: float) -> _Drawn | None:
    """The fit, cut along the walls of the site."""
    if len(site.outlines) == 1:
        return _Drawn(fit, site.on_map(np.array([fit.polygon], dtype=object)))
    if fit.is_circle:
        return None
    normals = np.unique(np.round(fit.rings[0].normals, 12), axis=0)
    walls = [
        draw_wall(points @ site.frame.T, normals, price, 2.0 + price ** (1 / 3))
        for _, _, points in wall_chains(site.outlines)
    ]
    parts = partition(fit.polygon, walls, site.labels, site.frame)
    return None if parts is None else _Drawn(fit, site.on_map(parts))


def _passes(site: Site, parts: NDArray[np.object_], rules: FootprintRules) -> bool:
    """The gate: valid, alike and as large as their pixels, each of them, and within the ground that is known."""
    if not shapely.is_valid(parts).all():
        return False
    if not shapely.covers(site.around, shapely.box(*shapely.total_bounds(parts))):
        return False
    area, own = shapely.area(parts), shapely.area(site.masks)
    shared = shapely.area(shapely.intersection(parts, site.masks))
    alike = shared / (area + own - shared) >= rules.min_iou
    return bool((alike & (np.abs(area / own - 1) <= rules.max_area_change)).all())


def _cleared(
    site: Site, drawn: _Drawn | None, taken: NDArray[np.object_], price: float, rules: FootprintRules
) -> _Drawn | None:
    """What was drawn, moved off what is taken, if it passes the gate then."""
    if drawn is None:
        return None
    near = pressing(drawn.common, taken)
    if overlap_area(drawn.common, near) <= TOUCH:
        return drawn
    fit = None if drawn.fit.is_circle else clear(drawn.fit, site.in_frame(near))
    again = fit and _cut(site, fit, price)
    if again is None or not _passes(site, again.parts, rules) or overlap_area(again.common, near) > TOUCH:
        return None
    return again


def _simplified(site: Site, tolerance: float) -> NDArray[np.object_]:
    """Outlines with fewer corners, shared ones still shared; along pixel edges where that breaks one."""
    # a vertex at every pixel's corner: where three buildings meet, all of them must have one
    noded = shapely.transform(shapely.segmentize(site.masks, 1.0), np.rint)
    frame = site.in_frame(noded)
    simple = site.on_map(shapely.coverage_simplify(frame, tolerance))
    whole = shapely.is_valid(simple) & (shapely.get_type_id(simple) == shapely.GeometryType.POLYGON)
    return simple if whole.all() and not shapely.is_empty(simple).any() else site.masks


def _kept(site: Site, simple: NDArray[np.object_], taken: NDArray[np.object_]) -> NDArray[np.object_]:
    """Simplified outlines where they are clear of everything, pixel edges elsewhere."""
    return simple if overlap_area(shapely.union_all(simple), taken) <= TOUCH else site.masks
