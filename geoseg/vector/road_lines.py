"""Lines of edges as people draw them: without the stairs of pixels, and with few vertices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from geoseg.vector.road_graph import RoadGraph


def smoothed(graph: RoadGraph, tolerance: float, pixel: float) -> RoadGraph:
    """The graph with smooth lines, no point farther than `tolerance` metres from where it was; nodes stay.

    Lines are cut into steps of a pixel and averaged with a bell-shaped window, which is turned about a line's ends
    so that they stay. A ring that nothing else meets is averaged round, and its node goes along.

    Args:
        graph: any.
        tolerance: metres; 0 leaves the lines.
        pixel: side of a pixel, metres.
    """
    if not tolerance or not len(graph.ends):
        return graph
    sigma = 2.0 + tolerance / pixel  # steps: stairs of a slope of 1 in 4 are gone
    ring = (graph.ends[:, 0] == graph.ends[:, 1]) & (graph.degree[graph.ends[:, 0]] == 2)
    fine = _stepped(graph, pixel)
    points = _averaged(fine.points, fine.starts, ring, sigma, tolerance)
    xy = graph.xy.copy()
    xy[graph.ends[ring, 0]] = points[fine.starts[:-1][ring]]
    return replace(fine, points=points, xy=xy)


def simplified(graph: RoadGraph, tolerance: float) -> NDArray[np.object_]:
    """(m,) lines with as few points as `tolerance`, metres, allows; ends stay. Source: Douglas and Peucker 1973."""
    lines: NDArray[np.object_] = shapely.simplify(graph.lines, tolerance, preserve_topology=True)
    return lines


def _stepped(graph: RoadGraph, pixel: float) -> RoadGraph:
    """The graph with lines of equal steps of about a pixel."""
    counts = np.maximum(np.ceil(graph.lengths / pixel), 2).astype(np.int64) + 1
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    values = np.column_stack([graph.points, graph.half, graph.confidence])
    made = _resampled(values, graph.starts, starts)
    return replace(graph, starts=starts, points=made[:, :2].copy(), half=made[:, 2], confidence=made[:, 3])


@njit(cache=True, nogil=True)
def _resampled(values, starts, new_starts):  # type: ignore[no-untyped-def]
    """Values between points of a line, at equal steps along it; unknown ones take the nearer point's."""
    made = np.empty((new_starts[-1], values.shape[1]))
    for line in range(len(starts) - 1):
        first, last = starts[line], starts[line + 1] - 1
        total = 0.0
        for k in range(first, last):
            total += np.hypot(values[k + 1, 0] - values[k, 0], values[k + 1, 1] - values[k, 1])
        count = new_starts[line + 1] - new_starts[line]
        at, passed = first, 0.0
        for k in range(count):
            wanted = total * k / (count - 1)
            step = np.hypot(values[at + 1, 0] - values[at, 0], values[at + 1, 1] - values[at, 1])
            while passed + step < wanted and at + 1 < last:
                passed += step
                at += 1
                step = np.hypot(values[at + 1, 0] - values[at, 0], values[at + 1, 1] - values[at, 1])
            share = min((wanted - passed) / step, 1.0) if step > 0 else 0.0
            for c in range(values.shape[1]):
                low, high = values[at, c], values[at + 1, c]
                if np.isnan(low) or np.isnan(high):
                    made[new_starts[line] + k, c] = low if share < 0.5 else high
                else:
                    made[new_starts[line] + k, c] = low + (high - low) * share
        made[new_starts[line], :2] = values[first, :2]
        made[new_starts[line + 1] - 1, :2] = values[last, :2]
    return made


@njit(cache=True, nogil=True)
def _averaged(points, starts, ring, sigma, tolerance):  # type: ignore[no-untyped-def]
    """Points averaged along their line, moved by at most `tolerance`."""
    reach = int(3 * sigma)
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weight /= weight.sum()
    made = points.copy()
    for line in range(len(starts) - 1):
        first, count = starts[line], starts[line + 1] - starts[line] - 1  # steps
        for k in range(0 if ring[line] else 1, count):
            x, y = 0.0, 0.0
            for w in range(2 * reach + 1):
                j = k + w - reach
                fx, fy, sign = 0.0, 0.0, 1.0
                if ring[line]:
                    j = j % count
                elif j < 0 or j > count:  # turned about the end; a line shorter than the window stops at the other
                    end = first if j < 0 else first + count
                    fx, fy, sign = 2 * points[end, 0], 2 * points[end, 1], -1.0
                    j = min(-j, count) if j < 0 else max(2 * count - j, 0)
                x += weight[w] * (fx + sign * points[first + j, 0])
                y += weight[w] * (fy + sign * points[first + j, 1])
            dx, dy = x - points[first + k, 0], y - points[first + k, 1]
            far = max(np.hypot(dx, dy) / tolerance, 1.0)
            made[first + k, 0] += dx / far
            made[first + k, 1] += dy / far
        if ring[line]:
            made[first + count] = made[first]
    return made
