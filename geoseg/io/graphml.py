"""A road network as GraphML, which NetworkX, igraph, Gephi and others read and route on."""

from __future__ import annotations

from pathlib import Path

import geopandas
import networkx
import numpy as np
import shapely

from geoseg.io.commit import commit

_EDGE_FIELDS = ("id", "length_m", "width_mean_m", "width_min_m", "confidence", "inferred")


def road_graph(edges: geopandas.GeoDataFrame, nodes: geopandas.GeoDataFrame) -> networkx.MultiGraph:
    """The network as an undirected graph; it keeps loops and several edges between the same two nodes.

    Nodes are the numbers in `nodes.id`, with `x` and `y` in the CRS of the frame. Edges have `length` (metres, what
    routes are weighed by), the attributes of the layer, and `wkt`, their line. What is null is left out.

    Args:
        edges, nodes: as `geoseg.vector.road_layers` makes them.
    """
    graph = networkx.MultiGraph(crs=nodes.crs.to_string() if nodes.crs else "")
    places = shapely.get_coordinates(nodes.geometry.to_numpy())
    for node, degree, (x, y) in zip(nodes["id"].tolist(), nodes["degree"].tolist(), places.tolist(), strict=True):
        graph.add_node(node, x=x, y=y, degree=degree)
    lines = shapely.to_wkt(edges.geometry.to_numpy(), rounding_precision=-1)
    rows = zip(*(edges[name].tolist() for name in ("from_node", "to_node", *_EDGE_FIELDS)), lines, strict=True)
    for start, end, *values, line in rows:
        known = {name: value for name, value in zip(_EDGE_FIELDS, values, strict=True) if not _is_null(value)}
        graph.add_edge(start, end, key=known["id"], length=known["length_m"], wkt=str(line), **known)
    return graph


def write_graphml(edges: geopandas.GeoDataFrame, nodes: geopandas.GeoDataFrame, path: Path) -> None:
    """`road_graph` as a GraphML file.

    Raises:
        MachineError: the file cannot be written.
    """
    graph = road_graph(edges, nodes)
    with commit(path) as part:
        networkx.write_graphml_xml(graph, part)


def read_graphml(path: Path) -> networkx.MultiGraph:
    """The graph in a file that `write_graphml` wrote, equal to the one written."""
    graph = networkx.read_graphml(path, node_type=int, edge_key_type=int, force_multigraph=True)
    assert isinstance(graph, networkx.MultiGraph)
    for default in ("node_default", "edge_default"):  # empty, of the reader
        graph.graph.pop(default, None)
    return graph


def _is_null(value: object) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))
