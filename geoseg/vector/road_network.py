"""From the graph of a skeleton to the road network that people would have drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.road_bridges import GapSettings, bridged
from geoseg.vector.road_cleaning import merged, pruned, without_crumbs
from geoseg.vector.road_ends import Probe, extended
from geoseg.vector.road_graph import Floats, RoadGraph, canonical, dissolve
from geoseg.vector.road_junctions import straightened
from geoseg.vector.road_lines import simplified, smoothed

_SMOOTHED = 2 / 3  # of the tolerance


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How a skeleton becomes a network; lengths in metres.

    Attributes:
        spur_widths: a side line is a spur when it reaches less than so many road widths out of its road.
        shortest: a side line that reaches out less is a spur whatever the width, and a road on its own that is
            shorter is left out.
        merge_widths: junctions nearer than so many road widths are one where their roads meet in one point.
        gaps: which gaps are closed.
        tolerance: how far a line may lie from the middle of its road, two thirds of it by smoothing and one
            third by leaving out vertices.
    """

    spur_widths: float
    shortest: float
    merge_widths: float
    gaps: GapSettings
    tolerance: float


@dataclass(frozen=True, slots=True)
class RoadNetwork:
    """A cleaned graph, the lines to draw, and what is known of each edge.

    Attributes:
        graph: numbered by place.
        lines: (m,) shapely lines, metres.
        width_mean, width_min: (m,) metres; of a closed gap, those of the roads at its ends.
        confidence: (m,) 0 to 1, NaN where no road was seen.
    """

    graph: RoadGraph
    lines: NDArray[np.object_]
    width_mean: Floats
    width_min: Floats
    confidence: Floats


def road_network(skeleton: RoadGraph, probe: Probe, road: int, settings: NetworkSettings, pixel: float) -> RoadNetwork:
    """The network of a skeleton; it depends on the map alone.

    Args:
        skeleton: from `road_graph.from_pixels`.
        probe: asks the map for classes.
        road: value of the road class.
        settings: of cleaning.
        pixel: side of a pixel, metres.
    """
    graph = pruned(dissolve(skeleton), settings.spur_widths, settings.shortest)
    graph = pruned(merged(graph, settings.merge_widths, pixel), settings.spur_widths, settings.shortest)
    graph = straightened(without_crumbs(graph, settings.shortest), pixel)
    graph = straightened(graph, pixel)  # from where the first has put the junctions
    graph = merged(graph, settings.merge_widths, pixel)  # some have met now
    graph = bridged(extended(graph, probe, road, pixel), probe, road, settings.gaps, pixel)
    graph = canonical(smoothed(graph, settings.tolerance * _SMOOTHED, pixel))
    mean, least = _widths(graph)
    return RoadNetwork(
        graph, simplified(graph, settings.tolerance * (1 - _SMOOTHED)), mean, least, _mean(graph, graph.confidence)
    )


def _widths(graph: RoadGraph) -> tuple[Floats, Floats]:
    """Mean and least width of each edge; where no point knows, those of the narrower road that it joins."""
    mean = 2 * _mean(graph, graph.half)
    least = np.full(len(graph.ends), np.inf)
    known = ~np.isnan(graph.half)
    np.minimum.at(least, graph.edge_of_point[known], 2 * graph.half[known])
    unknown = np.flatnonzero(np.isnan(mean))
    seen = np.flatnonzero(~np.isnan(mean))
    for width in (mean, least):
        at_node = np.zeros(len(graph.xy))
        np.maximum.at(at_node, graph.ends[seen].ravel(), np.repeat(width[seen], 2))
        at_node = np.where(at_node > 0, at_node, 2 * graph.reach)
        width[unknown] = at_node[graph.ends[unknown]].min(axis=1, initial=np.inf)
    return mean, least


def _mean(graph: RoadGraph, values: Floats) -> Floats:
    """(m,) mean of known values at the points of each edge, NaN where there is none."""
    known = ~np.isnan(values)
    count = np.bincount(graph.edge_of_point[known], minlength=len(graph.ends))
    total = np.bincount(graph.edge_of_point[known], values[known], minlength=len(graph.ends))
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
