"""How well a road network agrees with the true one: as a graph that routes (APLS), and as lines (length).

Lines are (n,) arrays of shapely LineStrings in a CRS whose unit is the metre. Two lines are joined where ends are
equal to the millimetre, and nowhere else: a crossing without a node is a bridge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

Lines = NDArray[np.object_]  # (n,) of shapely.LineString, metres
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MILLIMETRES = 1000.0
_CHUNK = 256  # sources whose distances are held at one time


@dataclass(frozen=True, slots=True)
class RoadScoreSettings:
    """How road networks are compared; distances in metres.

    Attributes:
        snap: farthest that a control point may lie from the other network and still be found on it.
        spacing: control points are placed at nodes and, along lines, at most this far apart.
        buffer: farthest that a line may lie from the other network to count as found.
        sources: paths start at no more control points than this, drawn with `seed`; all when there are fewer.
        seed: of the draw.
    """

    snap: float
    spacing: float
    buffer: float
    sources: int
    seed: int


@dataclass(frozen=True, slots=True)
class RoadScores:
    """Scores from 0 to 1, 1 being equal. What is a share of nothing is 1; two empty networks score 1 throughout.

    Attributes:
        apls: harmonic mean of both ways.
        apls_truth: paths of the true network found in the proposal.
        apls_proposal: paths of the proposal found in the true network.
        completeness: share of the true length that lies within the buffer of the proposal.
        correctness: share of the proposal's length that lies within the buffer of the truth.
        quality: correctly found length over found and missed length.
        truth_length, proposal_length: metres.
    """

    apls: float
    apls_truth: float
    apls_proposal: float
    completeness: float
    correctness: float
    quality: float
    truth_length: float
    proposal_length: float


def road_scores(truth: Lines, proposal: Lines, settings: RoadScoreSettings) -> RoadScores:
    """Scores of a road network.

    APLS compares the length of the shortest path between two control points with that between the places nearest
    to them on the other network: 1 - mean(min(1, |difference| / length)), a missing path counting as a difference
    of 1. Control points that are not joined on their own network are left out.

    Args:
        truth: (n,) lines, metres.
        proposal: (m,) lines, same CRS.

    Source: average path length similarity, Van Etten et al. 2018, arXiv:1807.01232, eq. 1 to 4, without the term
        for travel time; completeness, correctness and quality, Wiedemann et al. 1998.
    """
    true, found = _network(truth), _network(proposal)
    forth, back = _one_way(true, found, settings), _one_way(found, true, settings)
    true_length, found_length = float(true.length.sum()), float(found.length.sum())
    matched_truth = _near(true.lines, found.lines, settings.buffer)
    matched_found = _near(found.lines, true.lines, settings.buffer)
    missed = true_length - matched_truth
    return RoadScores(
        apls=2 * forth * back / (forth + back) if forth + back else 0.0,
        apls_truth=forth,
        apls_proposal=back,
        completeness=_share(matched_truth, true_length),
        correctness=_share(matched_found, found_length),
        quality=_share(matched_found, found_length + missed),
        truth_length=true_length,
        proposal_length=found_length,
    )


@dataclass(frozen=True, slots=True)
class _Network:
    """Lines and the nodes at their ends."""

    lines: Lines
    length: Floats
    ends: Ints  # (n, 2) node at the first and last point
    nodes: Floats  # (k, 2) x, y


def _network(lines: Lines) -> _Network:
    """Lines ordered by their points, so that scores do not depend on the order of a file."""
    kept = np.asarray(lines, object)[shapely.length(lines) > 0] if len(lines) else np.empty(0, object)
    kept = kept[np.argsort(shapely.to_wkb(kept), kind="stable")] if len(kept) else kept
    ends = [shapely.get_coordinates(shapely.get_point(kept, at)) for at in (0, -1)]
    keys = np.rint(np.concatenate(ends).reshape(-1, 2) * _MILLIMETRES)
    nodes, index = np.unique(keys, axis=0, return_inverse=True)
    return _Network(
        kept, shapely.length(kept), index.reshape(2, -1).T.astype(np.int64), np.asarray(nodes / _MILLIMETRES)
    )


def _one_way(own: _Network, other: _Network, settings: RoadScoreSettings) -> float:
    """Similarity of the paths of `own` with those between the same places of `other`."""
    if not len(own.lines):
        return float(not len(other.lines))
    if not len(other.lines):
        return 0.0
    line, along = _control_points(own, settings.spacing)
    own_graph, own_node = _split(own, line, along)
    points = shapely.line_interpolate_point(own.lines[line], along)
    other_line, other_along = _snap(points, other, settings.snap)
    found = np.flatnonzero(other_line >= 0)
    other_graph, node = _split(other, other_line[found], other_along[found])
    other_node = np.full(len(line), -1, np.int64)
    other_node[found] = node
    sources = np.arange(len(line))
    if len(sources) > settings.sources:
        draw = np.random.default_rng(settings.seed)
        sources = np.sort(draw.choice(sources, settings.sources, replace=False))
    return _similarity(own_graph, own_node, other_graph, other_node, sources)


def _control_points(network: _Network, spacing: float) -> tuple[Ints, Floats]:
    """Line and metres along it of every node once, and of points between at most `spacing` apart."""
    parts = np.maximum(np.ceil(network.length / spacing), 1).astype(np.int64)
    inner = parts - 1
    line = np.repeat(np.arange(len(parts)), inner)
    nth = np.arange(inner.sum()) - np.repeat(np.cumsum(inner) - inner, inner) + 1
    along = network.length[line] * nth / parts[line]
    _, first = np.unique(network.ends.ravel(), return_index=True)
    at_node, end = first // 2, first % 2
    return np.concatenate([at_node, line]), np.concatenate([network.length[at_node] * end, along])


def _snap(points: NDArray[np.object_], network: _Network, distance: float) -> tuple[Ints, Floats]:
    """Nearest line, -1 for none within `distance`, and metres along it. Of equally near ones the first."""
    line, along = np.full(len(points), -1, np.int64), np.zeros(len(points))
    point, near = shapely.STRtree(network.lines).query_nearest(points, max_distance=distance)
    order = np.lexsort((near, point))
    point, near = point[order], near[order]
    first = np.flatnonzero(np.diff(point, prepend=-1))
    point, near = point[first], near[first]
    line[point] = near
    along[point] = shapely.line_locate_point(network.lines[near], points[point])
    return line, along


def _split(network: _Network, line: Ints, along: Floats) -> tuple[csr_array, Ints]:
    """Graph of the network with further nodes at places along its lines, and the node of each place."""
    count = len(network.nodes)
    at_start, at_end = along <= 0, along >= network.length[line]
    inner = np.flatnonzero(~at_start & ~at_end)
    places, number = np.unique(np.column_stack([line[inner], along[inner]]), axis=0, return_inverse=True)
    node = np.where(at_start, network.ends[line, 0], network.ends[line, 1])
    node[inner] = count + number.ravel()
    all_lines = np.arange(len(network.lines))
    of = np.concatenate([all_lines, places[:, 0].astype(np.int64), all_lines])
    metres = np.concatenate([np.zeros(len(all_lines)), places[:, 1], network.length])
    stop = np.concatenate([network.ends[:, 0], count + np.arange(len(places)), network.ends[:, 1]])
    order = np.lexsort((np.arange(len(of)), metres, of))
    of, metres, stop = of[order], metres[order], stop[order]
    same = np.flatnonzero(np.diff(of) == 0)
    return _graph(stop[same], stop[same + 1], metres[same + 1] - metres[same], count + len(places)), node


def _graph(start: Ints, end: Ints, length: Floats, count: int) -> csr_array:
    """Sparse matrix of lengths, the shortest of parallel ones, loops left out."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    order = np.lexsort((length, high, low))
    low, high, length = low[order], high[order], length[order]
    first = np.flatnonzero(((np.diff(low, prepend=-1) != 0) | (np.diff(high, prepend=-1) != 0)) & (low != high))
    return csr_array((length[first], (low[first], high[first])), shape=(count, count))


def _similarity(own: csr_array, own_node: Ints, other: csr_array, other_node: Ints, sources: Ints) -> float:
    """1 - mean difference over paths from `sources` to all control points; 1 where there is no path at all."""
    total, paths = 0.0, 0
    for at in range(0, len(sources), _CHUNK):
        chunk = sources[at : at + _CHUNK]
        length = dijkstra(own, directed=False, indices=own_node[chunk])[:, own_node]
        there = np.full(length.shape, np.inf)
        found, targets = np.flatnonzero(other_node[chunk] >= 0), np.flatnonzero(other_node >= 0)
        if len(found):
            reached = dijkstra(other, directed=False, indices=other_node[chunk[found]])[:, other_node[targets]]
            there[np.ix_(found, targets)] = reached
        path = np.isfinite(length) & (length > 0)
        total += np.minimum(1.0, np.abs(there[path] - length[path]) / length[path]).sum()
        paths += int(path.sum())
    return float(1.0 - total / paths) if paths else 1.0


def _near(lines: Lines, others: Lines, distance: float) -> float:
    """Metres of `lines` within `distance` of `others`."""
    if not len(lines) or not len(others):
        return 0.0
    buffers = shapely.buffer(others, distance)
    line, near = shapely.STRtree(buffers).query(lines, predicate="intersects")
    order = np.lexsort((near, line))
    line, near = line[order], near[order]
    starts = np.flatnonzero(np.diff(line, prepend=-1))
    unions = [shapely.union_all(group) for group in np.split(buffers[near], starts[1:])] if len(starts) else []
    covered = shapely.intersection(lines[line[starts]], np.asarray(unions, object))
    return float(shapely.length(covered).sum())


def _share(part: float, whole: float) -> float:
    return min(part / whole, 1.0) if whole else 1.0
