"""A road network as two layers: edges (lines) and nodes (points), in the CRS of the map."""

from __future__ import annotations

import geopandas
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from geoseg.vector.road_network import RoadNetwork

Floats = NDArray[np.float64]


def road_layers(
    network: RoadNetwork, transform: Affine, crs: CRS, step: tuple[float, float]
) -> tuple[geopandas.GeoDataFrame, geopandas.GeoDataFrame]:
    """Edges and nodes of a network; without roads both are empty and have all columns.

    Edges: `id`, `from_node`, `to_node`, `length_m` on the ellipsoid, `width_mean_m`, `width_min_m`, `confidence`
    (mean of p along the middle, 0 to 1; null where `inferred`), `inferred` (closes a gap). Nodes: `id`, `degree`.

    Args:
        network: metres from the map's corner.
        transform: pixel corner (col, row) to the CRS.
        crs: of the map.
        step: (down, across) size of a pixel with which the network was made, metres.
    """
    graph = network.graph
    lines = _placed(network.lines, transform, step)
    edges = geopandas.GeoDataFrame(
        {
            "id": np.arange(len(graph.ends)),
            "from_node": graph.ends[:, 0].astype(np.int64),
            "to_node": graph.ends[:, 1].astype(np.int64),
            "length_m": geodesic_lengths(lines, crs),
            "width_mean_m": network.width_mean,
            "width_min_m": network.width_min,
            "confidence": network.confidence,
            "inferred": graph.inferred,
        },
        geometry=lines,
        crs=crs,
    )
    points = _placed(shapely.points(graph.xy), transform, step)
    nodes = geopandas.GeoDataFrame({"id": np.arange(len(points)), "degree": graph.degree}, geometry=points, crs=crs)
    return edges, nodes


def geodesic_lengths(lines: NDArray[np.object_], crs: CRS) -> Floats:
    """(n,) lengths of lines on the ellipsoid of their CRS, metres."""
    points, of = shapely.get_coordinates(lines, return_index=True)
    geodetic = crs.geodetic_crs
    ellipsoid = crs.get_geod()
    assert geodetic is not None and ellipsoid is not None  # a map has a place on earth
    to_geodetic = Transformer.from_crs(crs, geodetic, always_xy=True)
    to_degrees = np.degrees(geodetic.axis_info[0].unit_conversion_factor)
    lon, lat = (np.asarray(v) * to_degrees for v in to_geodetic.transform(points[:, 0], points[:, 1]))
    same = np.flatnonzero(np.diff(of) == 0)
    steps = ellipsoid.inv(lon[same], lat[same], lon[same + 1], lat[same + 1])[2]
    return np.bincount(of[same], np.asarray(steps, np.float64), minlength=len(lines)).astype(np.float64)  # empty: int


def _placed(geometries: NDArray[np.object_], transform: Affine, step: tuple[float, float]) -> NDArray[np.object_]:
    """Geometries in metres from the map's corner put into its CRS."""
    t, (down, across) = transform, step

    def to_crs(place: Floats) -> Floats:
        col, row = place[:, 0] / across, place[:, 1] / down
        return np.column_stack([t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f])

    placed: NDArray[np.object_] = shapely.transform(geometries, to_crs)
    return placed
