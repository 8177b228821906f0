"""Polygons of a class map with fewer vertices: ours against shapely and topojson, on the same generalized map.

    .venv/bin/python benchmarks/simplify.py CLASSES.tif --window 2000 2000 1500 --min-pixels 16 --tolerance 1 2

Displacement is measured from every corner of a polygon to the boundary of the same polygon simplified. Gap and
overlap are areas in pixels. Ours starts from arcs and includes assembling the polygons; the peers start from the
polygons. Tolerances are distances in pixels, but that of `coverage_simplify` is the root of a triangle's area.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
import shapely
import topojson
from numpy.typing import NDArray

from geoseg.vector.arcs import Arcs
from geoseg.vector.assemble import assemble
from geoseg.vector.coverage import coverage
from geoseg.vector.generalize import merge_small
from geoseg.vector.polygonize import Polygons
from geoseg.vector.simplify import simplify
from geoseg.vector.trace import trace

REPEATS = 3


def main() -> None:
    """Prints table 3 of benchmarks/RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("classes", type=Path)
    parser.add_argument("--window", type=int, nargs=3, default=(2000, 2000, 1500), metavar=("ROW", "COL", "SIDE"))
    parser.add_argument("--min-pixels", type=int, default=16)
    parser.add_argument("--tolerance", type=float, nargs="+", default=[1.0, 2.0])
    asked = parser.parse_args()
    row, col, side = asked.window
    with rasterio.open(asked.classes) as raster:
        classes = raster.read(1)[row : row + side, col : col + side]
    arcs, regions = trace([classes])
    started = time.perf_counter()
    arcs, regions, _ = merge_small(arcs, regions, regions.pixels.astype(float), asked.min_pixels)
    merging = time.perf_counter() - started
    simplify(arcs, 1.0)  # compiled
    before = assemble(arcs.left, arcs.right, arcs.corners.astype(float), arcs.starts, len(regions))
    print(f"{classes.shape[0]} x {classes.shape[1]} px, {len(before)} polygons, {len(arcs.corners)} corners of arcs,")
    print(f"{shapely.get_num_coordinates(before).sum()} of polygons; regions merged in {merging:.2f} s\n")
    print("| tolerance | method | vertices | mean displacement px | largest | gap px2 | overlap px2 | valid | time s |")
    print("|---|---|---:|---:|---:|---:|---:|---|---:|")
    for tolerance in asked.tolerance:
        for name, method in _methods(arcs, before, tolerance).items():
            after, seconds = _timed(method)
            print(f"| {tolerance:g} | {name} | {_row(before, after)} | {seconds:.2f} |", flush=True)


def _methods(arcs: Arcs, before: Polygons, tolerance: float) -> dict[str, Callable[[], Polygons]]:
    return {
        "geoseg": lambda: assemble(arcs.left, arcs.right, *simplify(arcs, tolerance), len(before)),
        "shapely simplify, each polygon": lambda: shapely.simplify(before, tolerance),
        "shapely coverage_simplify": lambda: shapely.coverage_simplify(before, tolerance, simplify_boundary=False),
        "topojson": lambda: _topojson(before, tolerance),
    }


def _topojson(before: Polygons, tolerance: float) -> Polygons:
    """Douglas-Peucker on the arcs of a topology of exactly these polygons."""
    topology = topojson.Topology(list(before), prequantize=False, toposimplify=tolerance, prevent_oversimplify=False)
    return np.asarray(topology.to_gdf(validate=False).geometry)


def _timed(method: Callable[[], Polygons]) -> tuple[Polygons, float]:
    """Result and median time, after a first run; what takes over ten seconds runs once."""
    started = time.perf_counter()
    after = method()
    seconds = [time.perf_counter() - started]
    if seconds[0] < 10 or len(after) == 0:
        seconds = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            after = method()
            seconds.append(time.perf_counter() - started)
    return after, statistics.median(seconds)


def _row(before: Polygons, after: Polygons) -> str:
    moved = _displacements(before, after)
    whole, union = shapely.union_all(before), shapely.union_all(shapely.make_valid(after))
    gap = shapely.area(shapely.difference(whole, union))
    overlap = max(shapely.area(after).sum() - shapely.area(union), 0.0)
    count = shapely.get_num_coordinates(after).sum()
    return (
        f"{count} | {moved.mean():.3f} | {moved.max():.2f} | {gap:.1f} | {overlap:.1f} | "
        f"{'yes' if coverage([after]).valid else 'no'}"
    )


def _displacements(before: Polygons, after: Polygons) -> NDArray[np.float64]:
    """Distance of each corner from the boundary of its polygon, where that has one left."""
    corners, of = shapely.get_coordinates(before, return_index=True)
    boundary = shapely.boundary(after)
    shapely.prepare(boundary)
    distance = shapely.distance(shapely.points(corners), boundary[of])
    return np.asarray(distance[~np.isnan(distance)])


if __name__ == "__main__":
    main()
