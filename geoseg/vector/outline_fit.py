"""One building's outline drawn with straight lines of its directions, or as a circle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.line_fit import Lines, axis_normals, fit_closed

CIRCLE_CORNERS = 32
_SMALLEST_RADIUS = 5.0  # pixels; a smaller disc and a square are hard to tell apart
_ROUND = 0.6  # a circle must cost less than this share of what lines cost
_SECOND = np.deg2rad(np.arange(15.0, 76.0, 7.5))  # second directions that are tried, from the first
_SECOND_PRICE = 2.0  # times the price of a line in the first direction
_POINTS = 400  # of longer outlines, directions are found with evenly spaced ones
_FINE = np.deg2rad(np.linspace(-3, 3, 9))  # around the agreed direction


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Lines around the exterior and each hole, and the polygon they make; a circle has no lines."""

    rings: tuple[Lines, ...]
    polygon: shapely.Polygon

    @classmethod
    def of(cls, rings: Sequence[Lines]) -> Fit | None:
        """None where the lines make no valid polygon."""
        corners = [lines.corners() for lines in rings]
        if any(len(ring) < 3 or not np.isfinite(ring).all() for ring in corners):
            return None
        polygon = shapely.Polygon(corners[0], corners[1:])
        return cls(tuple(rings), polygon) if polygon.is_valid and polygon.area > 0 else None

    @property
    def is_circle(self) -> bool:
        """Whether it is one."""
        return not self.rings


def fit_outline(outlines: Sequence[NDArray[np.float64]], angle: float, price: float) -> Fit | None:
    """Lines around an outline and its holes; None where there is no valid fit.

    Args:
        outlines: points around the exterior, then each hole, (n, 2) each, in units of a pixel, y south.
        angle: its direction, radians.
        price: of a line, squared pixels times pixels: a jog of depth d and length l stays where d^2 l / 4 is over
            about twice the price.
    """
    normals, prices = _axes(outlines[0], angle, price)
    fitted = [_ring(points, normals, prices) for points in outlines]
    if len(outlines) == 1:
        round_ = _circle(outlines[0], price, fitted[0].cost)
        if round_ is not None:
            return Fit((), round_)
    return Fit.of(fitted)


def hold_area(fit: Fit, area: float, change: float) -> Fit | None:
    """The same lines, all moved out or in alike so that the area is within `change` (a share) of `area`."""
    for _ in range(4):
        now = fit.polygon.area
        wanted = min(max(now, (1 - change) * area), (1 + change) * area)
        if abs(wanted - now) < 1e-9 * area:
            return fit
        out = (wanted - now) / fit.polygon.length
        moved = Fit.of([shift(lines, np.full(len(lines.offsets), -out)) for lines in fit.rings])
        if moved is None or fit.is_circle:
            return None
        fit = moved
    return fit


def shift(lines: Lines, inward: NDArray[np.float64]) -> Lines:
    """Each line of a closed ring moved into the region by its share of `inward` (m,)."""
    return replace(lines, offsets=lines.offsets + inward * inner_side(lines))


def inner_side(lines: Lines) -> NDArray[np.float64]:
    """1 where a line's normal points into the region, which is on the right hand with y south, -1 elsewhere."""
    corners = lines.corners()
    along = corners - np.roll(corners, 1, axis=0)
    return np.sign(-along[:, 1] * lines.normals[:, 0] + along[:, 0] * lines.normals[:, 1])


def _axes(points: NDArray[np.float64], angle: float, price: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Normals and prices of the first direction, made exact by this outline, and of a second one if it pays."""
    every = -(-len(points) // _POINTS)
    points, price = points[::every], price / every
    one = np.full(2, price)
    costs = np.array([fit_closed(points, axis_normals(np.array([angle + fine])), one).cost for fine in _FINE])
    best, angle = float(costs.min()), angle + _between(costs)
    if best <= 6 * price:  # no second direction is cheaper than a few lines
        return axis_normals(np.array([angle])), one * every
    two = np.concatenate([one, one * _SECOND_PRICE])
    pairs = [np.array([angle, angle + second]) for second in _SECOND]
    costs = np.array([fit_closed(points, axis_normals(pair), two).cost for pair in pairs])
    if costs.min() < best - price:
        return axis_normals(pairs[int(costs.argmin())]), two * every
    return axis_normals(np.array([angle])), one * every


def _between(costs: NDArray[np.float64]) -> float:
    """Turn, of those in `_FINE`, at which the cost is lowest: between them by the parabola through three."""
    at = int(costs.argmin())
    if at in (0, len(costs) - 1):
        return float(_FINE[at])
    left, here, right = costs[at - 1 : at + 2]
    bend = left - 2 * here + right
    step = float(_FINE[1] - _FINE[0])
    return float(_FINE[at]) + (step * (left - right) / (2 * bend) if bend > 0 else 0.0)


def _ring(points: NDArray[np.float64], normals: NDArray[np.float64], prices: NDArray[np.float64]) -> Lines:
    lines = fit_closed(points, normals, prices)
    if len(lines.offsets) >= 4:
        return lines
    return _rectangle(points, normals[:2], lines.cost)


def _rectangle(points: NDArray[np.float64], normals: NDArray[np.float64], cost: float) -> Lines:
    """The rectangle with the area inside the points, and the proportions of their extent along both axes."""
    x, y = (points - points[0]).T
    area = float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2  # negative around a hole
    distances = points @ normals.T
    low, high = distances.min(axis=0), distances.max(axis=0)
    shrink = np.sqrt(abs(area) / max(float(np.prod(high - low)), 1e-9))
    middle, half = (low + high) / 2, (high - low) / 2 * shrink
    across, along = (0, 1)
    sides = [(across, -1), (along, -1), (across, 1), (along, 1)]  # a turn to the right at each corner with y south
    turn = normals[0, 0] * normals[1, 1] - normals[0, 1] * normals[1, 0]
    if (turn > 0) != (area > 0):
        sides = sides[::-1]
    axis = np.array([a for a, _ in sides])
    offsets = np.array([middle[a] + sign * half[a] for a, sign in sides])
    return Lines(normals[axis], offsets, np.full(4, len(points) // 4), cost)


def _circle(points: NDArray[np.float64], price: float, cost_of_lines: float) -> shapely.Polygon | None:
    """The circle through the points, if it is one: fitted by least squares (Kasa 1976), of the outline's area."""
    centre = points.mean(axis=0)
    p = points - centre
    solution = np.linalg.lstsq(np.column_stack([2 * p, np.ones(len(p))]), (p**2).sum(axis=1), rcond=None)[0]
    radius = float(np.sqrt(max(solution[2] + solution[:2] @ solution[:2], 0.0)))
    if not _SMALLEST_RADIUS <= radius <= 10 * np.sqrt(len(points)) * 10:
        return None
    off = np.hypot(*(p - solution[:2]).T) - radius
    if float(off @ off) + 3 * price > _ROUND * cost_of_lines:
        return None
    x, y = p.T
    area = abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
    outer = np.sqrt(2 * area / CIRCLE_CORNERS / np.sin(2 * np.pi / CIRCLE_CORNERS))
    turn = np.arange(CIRCLE_CORNERS) * 2 * np.pi / CIRCLE_CORNERS
    return shapely.Polygon(centre + solution[:2] + outer * np.column_stack([np.cos(turn), np.sin(turn)]))
