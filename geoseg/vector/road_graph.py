"""A road network as a graph: nodes with a place, edges with a line, held in flat arrays.

Places are in metres east (x) and south (y) of the map's first corner: columns and rows times the size of a pixel. The
first and last point of an edge's line are the places of its nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from geoseg.vector.road_pixels import PixelGraph

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RoadGraph:
    """Nodes and edges of a road network.

    Attributes:
        xy: (n, 2) places of the nodes.
        reach: (n,) half-width of the road at a node, metres.
        at_edge: (n,) whether the road there touches the edge of the area.
        ends: (m, 2) nodes at the start and end of an edge.
        inferred: (m,) whether an edge closes a gap, where no road was seen.
        starts: (m + 1,) line i is `points[starts[i]:starts[i + 1]]`.
        points: (k, 2) of all lines.
        half: (k,) half-width at a point, NaN where unknown.
        confidence: (k,) 0 to 1, NaN where unknown.
    """

    xy: Floats
    reach: Floats
    at_edge: Mask
    ends: Ints
    inferred: Mask
    starts: Ints
    points: Floats
    half: Floats
    confidence: Floats

    @property
    def degree(self) -> Ints:
        """(n,) ends of edges at each node; a loop counts twice."""
        return np.bincount(self.ends.ravel(), minlength=len(self.xy)).astype(np.int64)

    @property
    def edge_of_point(self) -> Ints:
        """(k,) number of the edge that a point belongs to."""
        return np.repeat(np.arange(len(self.ends)), np.diff(self.starts))

    @property
    def lengths(self) -> Floats:
        """(m,) metres."""
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        of = self.edge_of_point
        same = of[1:] == of[:-1]
        return np.bincount(of[1:][same], steps[same], minlength=len(self.ends)).astype(np.float64)

    @property
    def lines(self) -> NDArray[np.object_]:
        """(m,) shapely lines."""
        if not len(self.ends):
            return np.empty(0, object)
        lines: NDArray[np.object_] = shapely.linestrings(self.points, indices=self.edge_of_point)
        return lines


def from_pixels(
    graph: PixelGraph,
    place: Floats,
    half: NDArray[np.float32],
    confidence: NDArray[np.float64],
    at_edge: Mask,
) -> RoadGraph:
    """The graph of thin lines of pixels on the ground; nodes without an edge are left out.

    Args:
        graph: of the pixels.
        place: (p, 2) x and y of each pixel's middle, metres.
        half, confidence, at_edge: (p,) of each pixel.
    """
    of = np.flatnonzero(graph.node >= 0)
    node = graph.node[of]
    count = np.bincount(node, minlength=graph.nodes)
    xy = np.column_stack([np.bincount(node, place[of, k], minlength=graph.nodes) for k in (0, 1)]) / count[:, None]
    reach, edge = np.zeros(graph.nodes), np.zeros(graph.nodes, bool)
    np.maximum.at(reach, node, half[of])
    np.logical_or.at(edge, node, at_edge[of])
    # a chain between junctions that touch has no pixel of its own; its nodes' places make the line
    points = place[graph.pixels]
    made = RoadGraph(
        xy,
        reach,
        edge,
        graph.ends,
        np.zeros(len(graph.ends), bool),
        graph.starts,
        points,
        half[graph.pixels].astype(np.float64),
        confidence[graph.pixels],
    )
    return canonical(pinned(made))


def pinned(graph: RoadGraph) -> RoadGraph:
    """The graph with the ends of its lines at their nodes."""
    points = graph.points.copy()
    points[graph.starts[:-1]] = graph.xy[graph.ends[:, 0]]
    points[graph.starts[1:] - 1] = graph.xy[graph.ends[:, 1]]
    return replace(graph, points=points)


def take(graph: RoadGraph, edges: Ints, backwards: Mask | None = None) -> RoadGraph:
    """The graph with these edges, in this order, some of them turned round. Nodes stay."""
    sizes = np.diff(graph.starts)[edges]
    index, starts = _ranges(graph.starts[edges], sizes, backwards)
    ends = graph.ends[edges]
    if backwards is not None:
        ends = np.where(backwards[:, None], ends[:, ::-1], ends)
    return replace(
        graph,
        ends=ends,
        inferred=graph.inferred[edges],
        starts=starts,
        points=graph.points[index],
        half=graph.half[index],
        confidence=graph.confidence[index],
    )


def canonical(graph: RoadGraph) -> RoadGraph:
    """The same network numbered by place: nodes from north to south, edges by their nodes and then their lines.

    An edge runs from its lower node to its higher one. Nodes without an edge are left out.
    """
    used = np.flatnonzero(graph.degree)
    order = used[np.lexsort((graph.xy[used, 0], graph.xy[used, 1]))]
    number = np.full(len(graph.xy), -1, np.int64)
    number[order] = np.arange(len(order))
    graph = replace(
        graph,
        xy=graph.xy[order],
        reach=graph.reach[order],
        at_edge=graph.at_edge[order],
        ends=number[graph.ends],
    )
    backwards = graph.ends[:, 0] > graph.ends[:, 1]
    loops = np.flatnonzero(graph.ends[:, 0] == graph.ends[:, 1])
    second, before_last = graph.points[graph.starts[loops] + 1], graph.points[graph.starts[loops + 1] - 2]
    backwards[loops] = (second[:, 1] > before_last[:, 1]) | (
        (second[:, 1] == before_last[:, 1]) & (second[:, 0] > before_last[:, 0])
    )
    graph = take(graph, np.arange(len(graph.ends)), backwards)
    second = graph.points[graph.starts[:-1] + 1] if len(graph.ends) else np.empty((0, 2))
    return take(graph, np.lexsort((graph.lengths, second[:, 0], second[:, 1], graph.ends[:, 1], graph.ends[:, 0])))


def dissolve(graph: RoadGraph) -> RoadGraph:
    """The graph with its edges joined where two meet and no third, both seen or both inferred; canonical."""
    joinable = graph.degree == 2
    loops = graph.ends[:, 0] == graph.ends[:, 1]
    joinable[graph.ends[loops, 0]] = False
    kinds = np.bincount(graph.ends.ravel(), np.repeat(graph.inferred, 2), minlength=len(graph.xy))
    joinable &= kinds != 1
    if not joinable.any():
        return canonical(graph)
    walk, edge, backwards = _walks(graph.ends, joinable)
    parts = take(graph, edge, backwards)
    first_of_walk = np.diff(walk, prepend=-1) != 0
    last_of_walk = np.append(first_of_walk[1:], True)
    kept = np.ones(len(parts.points), bool)
    kept[parts.starts[:-1][~first_of_walk]] = False  # the node where it joins is the last point of the edge before
    per_walk = np.bincount(walk[parts.edge_of_point[kept]], minlength=int(walk[-1]) + 1)
    return canonical(
        replace(
            parts,
            ends=np.column_stack([parts.ends[first_of_walk, 0], parts.ends[last_of_walk, 1]]),
            inferred=parts.inferred[first_of_walk],
            starts=np.concatenate([[0], np.cumsum(per_walk)]),
            points=parts.points[kept],
            half=parts.half[kept],
            confidence=parts.confidence[kept],
        )
    )


def add_edges(graph: RoadGraph, ends: Ints, inferred: bool) -> RoadGraph:
    """The graph with straight edges between nodes added; their width and confidence are unknown."""
    count = len(ends)
    return replace(
        graph,
        ends=np.concatenate([graph.ends, ends.reshape(-1, 2)]),
        inferred=np.concatenate([graph.inferred, np.full(count, inferred)]),
        starts=np.concatenate([graph.starts, graph.starts[-1] + 2 * np.arange(1, count + 1)]),
        points=np.concatenate([graph.points, graph.xy[ends.ravel()]]),
        half=np.concatenate([graph.half, np.full(2 * count, np.nan)]),
        confidence=np.concatenate([graph.confidence, np.full(2 * count, np.nan)]),
    )


def _ranges(first: Ints, sizes: Ints, backwards: Mask | None) -> tuple[Ints, Ints]:
    """Indices first, first + 1, ... of each range, one range after the other; where each begins."""
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    nth = np.arange(starts[-1]) - np.repeat(starts[:-1], sizes)
    if backwards is not None:
        nth = np.where(np.repeat(backwards, sizes), np.repeat(sizes, sizes) - 1 - nth, nth)
    return np.repeat(first, sizes) + nth, starts


@njit(cache=True, nogil=True)
def _walks(ends, joinable):  # type: ignore[no-untyped-def]
    """Edges in the order in which they follow each other over joinable nodes: walk, edge, whether backwards."""
    count = len(ends)
    at = np.full((len(joinable), 2), -1, np.int64)
    for e in range(count):
        for n in ends[e]:
            if joinable[n]:
                at[n, 0 if at[n, 0] < 0 else 1] = e
    used = np.zeros(count, np.bool_)
    walk, edge, backwards = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.bool_)
    size, walks = 0, 0
    for rings in range(2):  # first walks with two ends, then what is left
        for e in range(count):
            if used[e]:
                continue
            side = 0 if not joinable[ends[e, 0]] else 1
            if rings == 0 and joinable[ends[e, side]]:
                continue
            if rings == 1:
                side = 0
            now = e
            while now >= 0 and not used[now]:
                used[now] = True
                walk[size], edge[size], backwards[size] = walks, now, side == 1
                size += 1
                to = ends[now, 1 - side]
                if not joinable[to]:
                    break
                now = at[to, 1] if at[to, 0] == now else at[to, 0]
                side = 0 if ends[now, 0] == to else 1
            walks += 1
    return walk, edge, backwards
