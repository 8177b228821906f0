"""Gaps in roads closed: between two ends that point at each other, and from an end to the road it points at."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import KDTree

from geoseg.vector.road_ends import Probe, headings
from geoseg.vector.road_graph import Floats, Ints, RoadGraph, add_edges, dissolve

_OFFSET = 0.5  # times the half-width: how far beside its line an end may lie whatever the angle
_LOOP = 4.0  # an edge shorter than this many times the gap is not closed on itself
_STEP = 0.5  # pixels between places where the map is asked
_REACH = 2.0  # times the longest gap to a road: as far is looked, over stubs that are road
_TURN = 30.0  # degrees: a road met at a smaller angle is no junction


@dataclass(frozen=True, slots=True)
class GapSettings:
    """Which gaps are closed.

    Attributes:
        between_ends: longest gap between two ends, metres; 0 closes none.
        to_road: longest way without road from an end to a road, metres; 0 closes none.
        angle: degrees by which an end may point past what it is joined to.
        blocked: classes through which no gap is closed.
    """

    between_ends: float
    to_road: float
    angle: float
    blocked: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Ends:
    """Free ends within the area: nodes, places, unit vectors straight on, half-widths and edges, all (n,)."""

    node: Ints
    xy: Floats
    heading: Floats
    reach: Floats
    edge: Ints


def bridged(graph: RoadGraph, probe: Probe, road: int, settings: GapSettings, pixel: float) -> RoadGraph:
    """The graph with its gaps closed by straight edges marked `inferred`.

    Ends at the edge of the area stay open. No edge is added through a blocked class or across another edge. Of two
    ways to close a gap the shorter and straighter one is taken.

    Args:
        graph: cleaned and extended.
        probe: the map.
        road: value of the road class.
        settings: what a gap is.
        pixel: side of a pixel, metres.
    """
    ends = _free_ends(graph, pixel)
    if len(ends.node):
        pairs = _pairs(graph, ends, probe, settings, pixel)
        graph = add_edges(graph, ends.node[pairs], inferred=True)
    ends = _free_ends(graph, pixel)
    if len(ends.node):
        graph = _joined_to_roads(graph, ends, probe, road, settings, pixel)
    return dissolve(graph)


def _free_ends(graph: RoadGraph, pixel: float) -> _Ends:
    node, heading, _ = headings(graph, pixel)
    inside = ~graph.at_edge[node]
    node, heading = node[inside], heading[inside]
    edge = np.full(len(graph.xy), -1, np.int64)
    edge[graph.ends.ravel()] = np.repeat(np.arange(len(graph.ends)), 2)
    return _Ends(node, graph.xy[node], heading, graph.reach[node], edge[node])


def _pairs(graph: RoadGraph, ends: _Ends, probe: Probe, settings: GapSettings, pixel: float) -> Ints:
    """(k, 2) numbers of ends to be joined."""
    pairs = KDTree(ends.xy).query_pairs(settings.between_ends, output_type="ndarray").astype(np.int64)
    one, two = pairs.T
    way = ends.xy[two] - ends.xy[one]
    length = np.linalg.norm(way, axis=1)
    past_one, on_one = _past(ends, one, way, settings.angle)
    past_two, on_two = _past(ends, two, -way, settings.angle)
    opposed = (ends.heading[one] * ends.heading[two]).sum(axis=1) <= -math.cos(math.radians(2 * settings.angle))
    own = (ends.edge[one] == ends.edge[two]) & (graph.lengths[ends.edge[one]] < _LOOP * length)
    good = np.flatnonzero(on_one & on_two & opposed & ~own)
    good = good[~_blocked(ends.xy[one[good]], ends.xy[two[good]], probe, settings.blocked, pixel)]
    good = good[~_crossing(graph, ends, pairs[good])]
    cost = length[good] + past_one[good] + past_two[good]
    taken, kept = set[int](), []
    for k in good[np.lexsort((two[good], one[good], cost))]:
        if int(one[k]) not in taken and int(two[k]) not in taken:
            taken |= {int(one[k]), int(two[k])}
            kept.append(k)
    return pairs[np.array(kept, np.int64)]


def _past(ends: _Ends, index: Ints, way: Floats, angle: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Metres by which an end points past the far end of `way`, and whether that is near enough."""
    heading, reach = ends.heading[index], ends.reach[index]
    ahead = (heading * way).sum(axis=1)
    beside = np.abs(heading[:, 0] * way[:, 1] - heading[:, 1] * way[:, 0])
    return beside, (ahead > -reach) & (beside <= np.maximum(ahead, 0) * math.tan(math.radians(angle)) + _OFFSET * reach)


def _blocked(start: Floats, end: Floats, probe: Probe, classes: tuple[int, ...], pixel: float) -> NDArray[np.bool_]:
    """Whether the straight way between two places meets one of these classes."""
    met = _classes_between(start, end, probe, pixel)
    return np.isin(met, np.array(classes, np.uint8)).any(axis=1)


def _classes_between(start: Floats, end: Floats, probe: Probe, pixel: float) -> NDArray[np.uint8]:
    """(n, k) classes at equal steps of half a pixel at most from one place to another."""
    count = int(np.linalg.norm(end - start, axis=1).max(initial=0) / (_STEP * pixel)) + 2
    share = np.linspace(0, 1, count)[None, :, None]
    return probe((start[:, None] + (end - start)[:, None] * share).reshape(-1, 2)).reshape(len(start), count)


def _crossing(graph: RoadGraph, ends: _Ends, pairs: Ints) -> NDArray[np.bool_]:
    """Whether the straight way between two ends crosses an edge that is not theirs."""
    crossing = np.zeros(len(pairs), bool)
    if len(pairs):
        ways = shapely.linestrings(ends.xy[pairs])
        way, edge = shapely.STRtree(graph.lines).query(ways, predicate="intersects")
        other = (edge != ends.edge[pairs[way, 0]]) & (edge != ends.edge[pairs[way, 1]])
        crossing[way[other]] = True
    return crossing


def _joined_to_roads(
    graph: RoadGraph, ends: _Ends, probe: Probe, road: int, settings: GapSettings, pixel: float
) -> RoadGraph:
    """The graph with free ends led on to the first edge straight ahead, which is split there."""
    if not settings.to_road:
        return graph
    widest = np.nanmax(graph.half, initial=0.0)
    reach = _REACH * settings.to_road + widest
    rays = shapely.linestrings(np.stack([ends.xy, ends.xy + ends.heading * reach], axis=1))
    lines = graph.lines
    ray, edge = shapely.STRtree(lines).query(rays, predicate="intersects")
    other = edge != ends.edge[ray]
    ray, edge = ray[other], edge[other]
    meeting = shapely.get_point(shapely.shortest_line(shapely.points(ends.xy[ray]), _cut(rays[ray], lines[edge])), 1)
    distance = shapely.distance(shapely.points(ends.xy[ray]), meeting)
    order = np.lexsort((edge, distance, ray))
    order = order[np.diff(ray[order], prepend=-1) != 0]  # the first that is met
    ray, edge, meeting, distance = ray[order], edge[order], meeting[order], distance[order]
    at = shapely.line_locate_point(lines[edge], meeting)
    half, direction = _there(graph, edge, at, lines, pixel)
    turn = np.abs(ends.heading[ray, 0] * direction[:, 1] - ends.heading[ray, 1] * direction[:, 0])
    xy = shapely.get_coordinates(meeting)
    on_the_way = _classes_between(ends.xy[ray], xy, probe, pixel)
    gap = (on_the_way != road).mean(axis=1) * distance if len(ray) else distance
    blocked = np.isin(on_the_way, np.array(settings.blocked, np.uint8)).any(axis=1)
    good = ~blocked & (gap <= settings.to_road) & (turn >= math.sin(math.radians(_TURN))) & (distance > 0)
    graph, node = _split(graph, edge[good], at[good], half[good])
    return add_edges(graph, np.column_stack([ends.node[ray[good]], node]), inferred=True)


def _cut(rays: NDArray[np.object_], lines: NDArray[np.object_]) -> NDArray[np.object_]:
    """Where rays and lines meet."""
    met: NDArray[np.object_] = shapely.intersection(rays, lines)
    return met


def _there(graph: RoadGraph, edge: Ints, at: Floats, lines: NDArray[np.object_], pixel: float) -> tuple[Floats, Floats]:
    """Half-width and direction of edges at places along them; the half-width of the nearest node where unknown."""
    before = shapely.get_coordinates(shapely.line_interpolate_point(lines[edge], np.maximum(at - 3 * pixel, 0)))
    after = shapely.get_coordinates(shapely.line_interpolate_point(lines[edge], at + 3 * pixel))
    direction = after - before
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
    known = ~np.isnan(graph.half)
    count = np.bincount(graph.edge_of_point[known], minlength=len(graph.ends))
    total = np.bincount(graph.edge_of_point[known], graph.half[known], minlength=len(graph.ends))
    mean = np.where(count > 0, total / np.maximum(count, 1), graph.reach[graph.ends].min(axis=1))
    return mean[edge], direction


def _split(graph: RoadGraph, edge: Ints, at: Floats, reach: Floats) -> tuple[RoadGraph, Ints]:
    """The graph with edges split at places along them, metres, and the node made for each place."""
    if not len(edge):
        return graph, np.empty(0, np.int64)
    steps = np.linalg.norm(np.diff(graph.points, axis=0, prepend=graph.points[:1]), axis=1)
    total = np.cumsum(steps)
    first = total[graph.starts[:-1]]
    # all points in one order: those of an edge by metres along it, offset by the edge's own start
    position = first[edge] + at
    order = np.lexsort((position, edge))
    edge, position, reach = edge[order], position[order], reach[order]
    slot = np.searchsorted(total, position, side="left")
    slot = np.clip(slot, graph.starts[edge] + 1, graph.starts[edge + 1] - 1)
    share = (position - total[slot - 1]) / np.maximum(total[slot] - total[slot - 1], 1e-9)
    place = graph.points[slot - 1] + (graph.points[slot] - graph.points[slot - 1]) * np.clip(share, 0, 1)[:, None]
    made = len(graph.xy) + np.arange(len(edge))
    where = np.repeat(slot, 2)  # the end of one part and the start of the next
    pieces = np.bincount(edge, minlength=len(graph.ends)) + 1
    breaks = slot + 2 * np.arange(len(edge)) + 1
    starts = np.sort(np.concatenate([graph.starts + 2 * np.searchsorted(edge, np.arange(len(graph.starts))), breaks]))
    node_from, node_to = np.repeat(graph.ends[:, 0], pieces), np.repeat(graph.ends[:, 1], pieces)
    part_of = np.repeat(np.arange(len(graph.ends)), pieces)
    later = np.flatnonzero(np.diff(part_of, prepend=-1) == 0)  # parts that begin at a new node
    node_from[later], node_to[later - 1] = made, made
    node = np.empty(len(order), np.int64)
    node[order] = made
    return replace(
        graph,
        xy=np.concatenate([graph.xy, place]),
        reach=np.concatenate([graph.reach, reach]),
        at_edge=np.concatenate([graph.at_edge, np.zeros(len(edge), bool)]),
        ends=np.column_stack([node_from, node_to]),
        inferred=np.repeat(graph.inferred, pieces),
        starts=starts,
        points=np.insert(graph.points, where, np.repeat(place, 2, axis=0), axis=0),
        half=np.insert(graph.half, where, np.repeat(reach, 2)),
        confidence=np.insert(graph.confidence, where, np.nan),
    ), node
