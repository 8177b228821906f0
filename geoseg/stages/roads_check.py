"""Road edges against the nodes that they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.io.layers.geoparquet import frames_of


def check_roads(edges: Path, nodes: Path) -> tuple[dict[str, Any], list[str]]:
    """Figures, and what does not hold: edges are lines with a length that begin and end exactly at the nodes they
    name, and each node has the degree that it says. Of the nodes, place and degree are held.
    """
    ids, places, degrees = _nodes(nodes)
    met = np.zeros(len(ids), np.int64)
    count = invalid = apart = unknown = 0
    for frame in frames_of(edges, ["from_node", "to_node"]):
        lines = frame.geometry.to_numpy()
        count += len(lines)
        good = shapely.is_valid(lines) & (shapely.length(lines) > 0) & (shapely.get_type_id(lines) == 1)
        invalid += int((~good).sum())
        for name, at in (("from_node", 0), ("to_node", -1)):
            index, known = _lookup(ids, frame[name].to_numpy()[good])
            unknown += int((~known).sum())
            ends = shapely.get_coordinates(shapely.get_point(lines[good], at))
            apart += int((ends[known] != places[index[known]]).any(axis=1).sum())
            met += np.bincount(index[known], minlength=len(ids))
    wrong_degree = int((met != degrees).sum())
    figures = {
        "edges": count,
        "nodes": len(ids),
        "invalid": invalid,
        "ends_without_node": unknown,
        "ends_off_their_node": apart,
        "nodes_of_wrong_degree": wrong_degree,
    }
    return figures, list(_faults(count, figures))


def _faults(count: int, figures: dict[str, int]) -> Iterator[str]:
    if figures["invalid"]:
        yield f"{figures['invalid']} of {count} edges are not lines with a length"
    if figures["ends_without_node"]:
        yield f"{figures['ends_without_node']} ends of edges name a node that is not in road_nodes"
    if figures["ends_off_their_node"]:
        yield f"{figures['ends_off_their_node']} ends of edges are not where their node is"
    if figures["nodes_of_wrong_degree"]:
        yield f"{figures['nodes_of_wrong_degree']} nodes have another degree than edges that meet there"


def _nodes(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Ids, sorted, with x and y and degree of each."""
    frames = [(f["id"].to_numpy(), f.geometry.to_numpy(), f["degree"].to_numpy()) for f in frames_of(path)]
    ids, points, degrees = (np.concatenate(parts) for parts in zip(*frames, strict=True))
    order = np.argsort(ids, kind="stable")
    return ids[order], shapely.get_coordinates(points[order]).reshape(-1, 2), degrees[order]


def _lookup(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Place of each wanted id, and whether it is there."""
    if not len(ids):
        return np.zeros(len(wanted), np.intp), np.zeros(len(wanted), bool)
    index = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return index, ids[index] == wanted
