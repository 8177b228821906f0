"""What a skeleton has and a road network has not: spurs, crumbs, and crossings in two halves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.road_graph import Floats, Ints, RoadGraph, canonical, dissolve, pinned, take
from geoseg.vector.road_junctions import ways_out

_ROUNDS = 20  # of pruning; each takes a layer of twigs off
_SLACK = 3.0  # pixels: what widths and places of a skeleton may be off by
_OFF = 0.8  # times the half-width: how far past their meeting point the roads of one junction may run


def pruned(graph: RoadGraph, widths: float, shortest: float) -> RoadGraph:
    """The graph without spurs, which noise at a road's edge and corners make.

    A spur is an edge with one free end that reaches less than `widths` times the road's width, or `shortest`, out of
    the road it leaves. At the edge of the area, where roads are cut, half of that. In the first round all spurs of a
    junction go: those into the two corners at a road's end do. Later only the shortest one does, so that a road's
    end is not eaten up piece by piece.

    Args:
        graph: dissolved.
        widths: times the width at the junction.
        shortest: metres.
    """
    for turn in range(_ROUNDS):
        spurs, out = _spurs(graph, widths, shortest)
        if turn and len(spurs):
            junction = _junction_of(graph, spurs)
            order = np.lexsort((spurs, out, junction))
            spurs = spurs[order][np.diff(junction[order], prepend=-1) != 0]
        if not len(spurs):
            break
        graph = dissolve(take(graph, np.setdiff1d(np.arange(len(graph.ends)), spurs)))
    return graph


def without_crumbs(graph: RoadGraph, shortest: float) -> RoadGraph:
    """The graph without parts of one edge that, their ends' half-widths included, are under `shortest` metres long."""
    degree = graph.degree
    loop = graph.ends[:, 0] == graph.ends[:, 1]
    alone = (degree[graph.ends] == np.where(loop, 2, 1)[:, None]).all(axis=1)
    size = graph.lengths + np.where(loop, 0.0, graph.reach[graph.ends].sum(axis=1))
    return canonical(take(graph, np.flatnonzero(~alone | (size >= shortest))))


def merged(graph: RoadGraph, widths: float, pixel: float) -> RoadGraph:
    """The graph with junctions made one that are one crossing.

    Where two roads cross at a slant the skeleton has two junctions and a short edge between them. Junctions joined
    by an edge shorter than `widths` times the road's width there become one, at their mean, where the lines of all
    the roads that leave them meet in one point: staggered side roads and the two carriageways of a road do not.

    Args:
        graph: dissolved.
        widths: times the lesser width at the edge's ends.
        pixel: side of a pixel, metres.
    """
    lengths = graph.lengths
    limit = 2 * widths * graph.reach[graph.ends].min(axis=1, initial=np.inf) + _SLACK * pixel
    apart = graph.ends[:, 0] != graph.ends[:, 1]
    junctions = (graph.degree[graph.ends] > 2).all(axis=1)
    short = np.flatnonzero(apart & junctions & (lengths < limit) & ~graph.inferred)
    if not len(short):
        return graph
    short = short[np.lexsort((short, lengths[short]))]
    cluster = _clusters(graph, short, limit, pixel)
    count = np.bincount(cluster, minlength=len(graph.xy))
    xy = np.column_stack([np.bincount(cluster, graph.xy[:, k], minlength=len(count)) for k in (0, 1)])
    reach, edge = np.zeros(len(count)), np.zeros(len(count), bool)
    np.maximum.at(reach, cluster, graph.reach)
    np.logical_or.at(edge, cluster, graph.at_edge)
    ends = cluster[graph.ends]
    inside = apart & (ends[:, 0] == ends[:, 1]) & (lengths < limit)
    joined = replace(graph, xy=xy / np.maximum(count, 1)[:, None], reach=reach, at_edge=edge, ends=ends)
    return dissolve(pinned(take(joined, np.flatnonzero(~inside))))


def _clusters(graph: RoadGraph, short: Ints, limit: Floats, pixel: float) -> Ints:
    """(n,) the lowest node of each node's cluster; short edges are tried in the order given."""
    ways: dict[int, list[tuple[int, Floats, Floats]]] = {}
    for edge, side, middle, normal in zip(*ways_out(graph, graph.degree > 2, pixel), strict=True):
        ways.setdefault(int(graph.ends[edge, side]), []).append((int(edge), middle, normal))
    cluster = np.arange(len(graph.xy))
    members = {int(n): [int(n)] for n in np.unique(graph.ends[short])}
    for edge in short:
        low, high = sorted(int(cluster[n]) for n in graph.ends[edge])
        if low == high:
            continue
        both = members[low] + members[high]
        reach = graph.reach[both].min()
        known = [(middle, normal) for n in both for e, middle, normal in ways.get(n, []) if not _joins(graph, e, both)]
        farthest = limit[edge] if len(known) > 2 else min(limit[edge], reach + pixel)
        if np.hypot(*np.ptp(graph.xy[both], axis=0)) >= farthest:
            continue
        if not _meet(known, graph.xy[both].mean(axis=0), reach, pixel):
            continue
        members[low] = both
        cluster[members.pop(high)] = low
        cluster[both] = low
    return cluster


def _joins(graph: RoadGraph, edge: int, nodes: list[int]) -> bool:
    """Whether an edge runs between two of these nodes."""
    start, end = graph.ends[edge].tolist()
    return start in nodes and end in nodes


def _meet(ways: list[tuple[Floats, Floats]], middle: Floats, reach: float, pixel: float) -> bool:
    """Whether lines, each a point and a normal, pass one point near `middle`."""
    weight, target = 1e-3 * np.eye(2), 1e-3 * middle
    for place, normal in ways:
        weight = weight + np.outer(normal, normal)
        target = target + normal * (normal @ place)
    point = np.linalg.solve(weight, target)
    off = max((abs(float(normal @ (point - place))) for place, normal in ways), default=0.0)
    return off <= max(_OFF * reach, _SLACK * pixel)


def _spurs(graph: RoadGraph, widths: float, shortest: float) -> tuple[Ints, Floats]:
    """Edges that are spurs, and how far they reach out of the road."""
    degree = graph.degree
    free = degree[graph.ends] == 1
    loose = np.flatnonzero((free.sum(axis=1) == 1) & ~graph.inferred)
    tip = graph.ends[loose, free[loose].argmax(axis=1)]
    root = _junction_of(graph, loose)
    out = graph.lengths[loose] + graph.reach[tip] - graph.reach[root]
    limit = np.maximum(2 * widths * graph.reach[root], shortest)
    limit = np.where(graph.at_edge[tip], limit / 2, limit)
    spur = (degree[root] > 2) & (out < limit)
    return loose[spur], out[spur]


def _junction_of(graph: RoadGraph, edges: Ints) -> NDArray[np.int64]:
    """The end of each of these edges that is not free."""
    free = graph.degree[graph.ends[edges]] == 1
    junction: NDArray[np.int64] = graph.ends[edges, 1 - free.argmax(axis=1)]
    return junction
