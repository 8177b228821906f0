"""Junctions where the roads' middles meet, not where the skeleton's discs did.

A skeleton sags towards a side road and joins slanting roads early. Within the disc of a junction its points say
nothing about the roads; beyond it they do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geoseg.vector.road_graph import Floats, Ints, Mask, RoadGraph, pinned

_FIT = (1.25, 2.75)  # times the half-width at the junction: points between are fitted
_LEAST = 8.0  # pixels of line that are fitted at least
_TRIM = 1.25  # times the half-width: points nearer are dropped
_NEAR = 3.0  # times the half-width: points this far along that lie within `_TRIM` of the moved junction go too
_LOOP = 0.3  # of an edge's length: no more is dropped at either end
_PAST = 0.4  # times the way to the next junction: no junction moves farther
_STAY = 0.05  # weight of the place that the skeleton gave


def straightened(graph: RoadGraph, pixel: float) -> RoadGraph:
    """The graph with each junction moved to where the lines of its edges meet best, and with straight ways into it.

    A junction moves by at most the half-width of its road, and not past the next one. Source: least squares point of
    lines.
    """
    junction = graph.degree > 2
    if not junction.any():
        return graph
    at_start, at_end = along(graph)
    moved = _meeting_points(graph, ways_out(graph, junction, pixel))
    step = moved - graph.xy
    far = np.maximum(np.linalg.norm(step, axis=1) / np.maximum(_freedom(graph, junction), 1e-9), 1.0)
    graph = replace(graph, xy=np.where(junction[:, None], graph.xy + step / far[:, None], graph.xy))
    return pinned(_trimmed(graph, junction, at_start, at_end))


def _freedom(graph: RoadGraph, junction: Mask) -> Floats:
    """(n,) how far each node may move, metres."""
    room = graph.reach.copy()
    between = np.flatnonzero(junction[graph.ends].all(axis=1) & (graph.ends[:, 0] != graph.ends[:, 1]))
    np.minimum.at(room, graph.ends[between].ravel(), np.repeat(_PAST * graph.lengths[between], 2))
    return room


def along(graph: RoadGraph) -> tuple[Floats, Floats]:
    """(k,) metres along its line from the start, and from the end, of each point."""
    steps = np.linalg.norm(np.diff(graph.points, axis=0, prepend=graph.points[:1]), axis=1)
    total = np.cumsum(steps)
    first = np.repeat(total[graph.starts[:-1]], np.diff(graph.starts))
    last = np.repeat(total[graph.starts[1:] - 1], np.diff(graph.starts))
    return total - first, last - total


def ways_out(graph: RoadGraph, junction: Mask, pixel: float) -> tuple[Ints, Ints, Floats, Floats]:
    """Lines fitted to edges beyond the discs of their junctions: edge, side (0 start, 1 end), middle and normal."""
    parts = []
    for side, distance in enumerate(along(graph)):
        node = graph.ends[graph.edge_of_point, side]
        reach = graph.reach[node]
        farthest = np.maximum(_FIT[1] * reach, _FIT[0] * reach + _LEAST * pixel)
        used = junction[node] & (distance >= _FIT[0] * reach) & (distance <= farthest)
        edges, middle, normal = fitted_lines(graph, np.flatnonzero(used))
        parts.append((edges, np.full(len(edges), side), middle, normal))
    edges, sides, middle, normal = (np.concatenate(part) for part in zip(*parts, strict=True))
    return edges, sides, middle, normal


def _meeting_points(graph: RoadGraph, ways: tuple[Ints, Ints, Floats, Floats]) -> Floats:
    """(n, 2) point nearest to the lines fitted to the edges of each node."""
    edges, sides, middle, normal = ways
    weight = np.zeros((len(graph.xy), 2, 2)) + _STAY * np.eye(2)
    target = _STAY * graph.xy
    outer = normal[:, :, None] * normal[:, None, :]
    of = graph.ends[edges, sides]
    np.add.at(weight, of, outer)
    np.add.at(target, of, np.einsum("eij,ej->ei", outer, middle))
    return np.linalg.solve(weight, target[:, :, None])[:, :, 0]


def fitted_lines(graph: RoadGraph, points: Ints) -> tuple[Ints, Floats, Floats]:
    """Edges with three or more of these points, the points' middle and the normal of the line through them."""
    edge = graph.edge_of_point[points]
    size = len(graph.ends)
    number = np.bincount(edge, minlength=size)
    edges = np.flatnonzero(number > 2)
    xy = graph.points[points]
    mean = np.column_stack([np.bincount(edge, xy[:, k], minlength=size) for k in (0, 1)])
    mean = mean / np.maximum(number, 1)[:, None]
    x, y = (xy - mean[edge]).T
    xx, yy, xy_ = (np.bincount(edge, values, minlength=size)[edges] for values in (x * x, y * y, x * y))
    angle = 0.5 * np.arctan2(2 * xy_, xx - yy)  # of the main axis
    return edges, mean[edges], np.column_stack([-np.sin(angle), np.cos(angle)])


def _trimmed(graph: RoadGraph, junction: Mask, at_start: Floats, at_end: Floats) -> RoadGraph:
    """The graph without the points of lines near their junctions; the outermost ones stay."""
    of = graph.edge_of_point
    most = _LOOP * (at_start + at_end)
    dropped = np.zeros(len(of), bool)
    for side, distance in enumerate((at_start, at_end)):
        node = graph.ends[of, side]
        reach = graph.reach[node]
        close = np.linalg.norm(graph.points - graph.xy[node], axis=1) < _TRIM * reach
        near = (distance < _TRIM * reach) | (close & (distance < _NEAR * reach))
        dropped |= junction[node] & near & (distance < most)
    outermost = np.zeros(len(of), bool)
    outermost[graph.starts[:-1]] = outermost[graph.starts[1:] - 1] = True
    kept = ~dropped | outermost
    unknown = outermost & dropped  # a junction's disc is wider than its roads
    return replace(
        graph,
        starts=np.concatenate([[0], np.cumsum(np.bincount(of[kept], minlength=len(graph.ends)))]).astype(np.int64),
        points=graph.points[kept],
        half=np.where(unknown, np.nan, graph.half)[kept],
        confidence=graph.confidence[kept],
    )
