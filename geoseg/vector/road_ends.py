"""Dead ends: where they point, and the last metres to the end of the road or of the area."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.road_graph import Floats, Ints, RoadGraph
from geoseg.vector.road_junctions import along, fitted_lines

Probe = Callable[[Floats], NDArray[np.uint8]]  # (k, 2) places, metres, to classes; 255 outside the area

OUTSIDE = 255
_CURL = (1.25, 1.0)  # times the half-width, and pixels more: the last of a line may turn into a corner of the road
_BEHIND = 4.0  # times the half-width beyond that: points nearer than this give the direction
_LEAST = 12.0  # pixels of line that give it at least
_ROUNDS = 3  # of looking for the width of the road behind an end
_STEP = 0.5  # pixels
_GAP = 2.0  # pixels that are no road where the road is taken to end
_LIMITS = (1.5, 3.0)  # times the half-width that a line is lengthened: at a dead end, at the edge of the area


def extended(graph: RoadGraph, probe: Probe, road: int, pixel: float) -> RoadGraph:
    """The graph with its free ends lengthened straight on to the end of the road, or to the edge of the area.

    A skeleton ends half a width before its road does.

    Args:
        graph: cleaned.
        probe: the map.
        road: value of the road class.
        pixel: side of a pixel, metres.

    Returns:
        The same nodes and edges; `at_edge` says exactly which free ends lie on the edge of the area.
    """
    graph = _with_road_behind(graph, pixel)
    tips, heading, straight_on = headings(graph, pixel)
    if not len(tips):
        return graph
    limit = np.where(graph.at_edge[tips], _LIMITS[1], _LIMITS[0]) * graph.reach[tips] + 2 * pixel
    steps = np.arange(1, int(limit.max() / (_STEP * pixel)) + 2) * _STEP * pixel
    places = straight_on[:, None] + heading[:, None] * steps[None, :, None]
    classes = probe(places.reshape(-1, 2)).reshape(len(tips), -1)
    length, edge = _way_to_go(classes == road, classes == OUTSIDE, steps, limit, graph.reach[tips], pixel)
    xy, at_edge = graph.xy.copy(), np.zeros(len(graph.xy), bool)
    xy[tips] = straight_on + heading * length[:, None]
    at_edge[tips] = edge
    return _with_tips(replace(_uncurled(graph, pixel), xy=xy, at_edge=at_edge), tips)


def headings(graph: RoadGraph, pixel: float) -> tuple[Ints, Floats, Floats]:
    """Nodes at free ends, (n, 2) unit vectors straight on from there, and the ends put on the line straight on."""
    free = np.flatnonzero(graph.degree == 1)
    heading, straight_on = np.zeros((len(graph.xy), 2)), graph.xy.copy()
    for side, distance in enumerate(along(graph) if len(free) else ()):
        node = graph.ends[graph.edge_of_point, side]
        reach = graph.reach[node]
        curl = _CURL[0] * reach + _CURL[1] * pixel
        behind = curl + np.maximum(_BEHIND * reach, _LEAST * pixel)
        used = (graph.degree[node] == 1) & (distance >= curl) & (distance <= behind)
        edges, middle, normal = fitted_lines(graph, np.flatnonzero(used))
        straight = np.column_stack([normal[:, 1], -normal[:, 0]])
        tip = graph.ends[edges, side]
        outwards = np.sign((straight * (graph.xy[tip] - middle)).sum(axis=1, keepdims=True))
        heading[tip] = straight * outwards
        straight_on[tip] -= normal * (normal * (graph.xy[tip] - middle)).sum(axis=1, keepdims=True)
        short = np.setdiff1d(np.flatnonzero(graph.degree[graph.ends[:, side]] == 1), edges)
        ahead = graph.xy[graph.ends[short, side]] - graph.xy[graph.ends[short, 1 - side]]
        heading[graph.ends[short, side]] = ahead / np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    return free, heading[free], straight_on[free]


def _way_to_go(
    road: NDArray[np.bool_], outside: NDArray[np.bool_], steps: Floats, limit: Floats, reach: Floats, pixel: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Metres to the last road pixel ahead, and whether the area ends there."""
    gap = int(_GAP / _STEP)
    number = np.arange(len(steps))
    last = np.maximum.accumulate(np.where(road, number, -1), axis=1)
    lost = (number - last > gap) | outside
    ended = lost.argmax(axis=1)
    ended = np.where(lost.any(axis=1), ended, len(steps) - 1)
    at = np.take_along_axis(last, ended[:, None], axis=1)[:, 0]
    length = np.where(at >= 0, steps[np.maximum(at, 0)] + _STEP * pixel / 2, 0.0)
    into = np.minimum(at + 1 + gap, len(steps) - 1)
    edge = np.array([outside[k, : into[k] + 1].any() for k in range(len(into))], bool)
    length = np.where(length > limit, np.minimum(reach, limit), length)
    return length, edge


def _with_road_behind(graph: RoadGraph, pixel: float) -> RoadGraph:
    """The graph with the half-width of the road behind it as the reach of each free end, which may be in a corner."""
    free, of, reach = graph.degree == 1, graph.edge_of_point, graph.reach.copy()
    distances = along(graph)
    for _ in range(_ROUNDS):
        seen = reach.copy()
        for side, distance in enumerate(distances):
            node = graph.ends[of, side]
            used = free[node] & (distance <= 2 * seen[node] + _LEAST / 2 * pixel) & ~np.isnan(graph.half)
            np.maximum.at(reach, node[used], graph.half[used])
    return replace(graph, reach=reach)


def _uncurled(graph: RoadGraph, pixel: float) -> RoadGraph:
    """The graph without the points of lines next to their free ends, but for the one farthest from all ends."""
    free, of = graph.degree == 1, graph.edge_of_point
    left = np.full(len(of), np.inf)  # metres beyond the curls
    for side, distance in enumerate(along(graph)):
        node = graph.ends[of, side]
        curl = _CURL[0] * graph.reach[node] + _CURL[1] * pixel
        left = np.where(free[node], np.minimum(left, distance - curl), left)
    outermost = np.zeros(len(of), bool)
    outermost[graph.starts[:-1]] = outermost[graph.starts[1:] - 1] = True
    joined = outermost & ~np.isinf(left) & ~free[_node_of_outermost(graph)]
    kept = (left >= 0) | joined
    none = np.bincount(of[kept], minlength=len(graph.ends)) == 0
    kept[(graph.starts[:-1] + np.diff(graph.starts) // 2)[none]] = True
    return replace(
        graph,
        starts=np.concatenate([[0], np.cumsum(np.bincount(of[kept], minlength=len(graph.ends)))]).astype(np.int64),
        points=graph.points[kept],
        half=graph.half[kept],
        confidence=graph.confidence[kept],
    )


def _node_of_outermost(graph: RoadGraph) -> Ints:
    """Node at the first and last point of each line, 0 elsewhere."""
    node = np.zeros(len(graph.points), np.int64)
    node[graph.starts[:-1]], node[graph.starts[1:] - 1] = graph.ends[:, 0], graph.ends[:, 1]
    return node


def _with_tips(graph: RoadGraph, tips: Ints) -> RoadGraph:
    """The graph with a point more at each free end: where its node is now."""
    is_tip = np.zeros(len(graph.xy), bool)
    is_tip[tips] = True
    before, after = graph.starts[:-1][is_tip[graph.ends[:, 0]]], graph.starts[1:][is_tip[graph.ends[:, 1]]]
    at = np.concatenate([before, after])
    node = np.concatenate([graph.ends[is_tip[graph.ends[:, 0]], 0], graph.ends[is_tip[graph.ends[:, 1]], 1]])
    # a place both after one line and before the next: the end of the first comes first
    order = np.lexsort((np.arange(len(at)) < len(before), at))
    at, node = at[order], node[order]
    sizes = np.diff(graph.starts) + is_tip[graph.ends].sum(axis=1)
    return replace(
        graph,
        starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        points=np.insert(graph.points, at, graph.xy[node], axis=0),
        half=np.insert(graph.half, at, np.nan),
        confidence=np.insert(graph.confidence, at, np.nan),
    )
