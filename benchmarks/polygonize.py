"""Class maps to shapely polygons: ours against rasterio with shapely, GDAL and xarray-spatial.

    .venv/bin/python benchmarks/polygonize.py CLASSES.tif [--noise 0.01] [--repeats 5] [--xarray-spatial]

It starts from the array in memory and ends with polygons in memory, the same set of them for the first two methods;
each is run once before it is timed, methods take turns, and times are medians; where other work shares the
processors, the time that a method used of them tells more than the wall clock. `landcover.py` tells how time and memory
grow with the map.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
import rasterio.features
import shapely
from numpy.typing import NDArray
from shapely.geometry import shape

from geoseg.vector.polygonize import polygonize

Times = tuple[float, float]  # wall clock and processors, seconds

GDAL = """
import sys, time
from osgeo import gdal, ogr
source = gdal.GetDriverByName("MEM").CreateCopy("", gdal.Open(sys.argv[1]))
for i in range(int(sys.argv[2])):
    kept = ogr.GetDriverByName("Memory").CreateDataSource("")
    layer = kept.CreateLayer("a")
    layer.CreateField(ogr.FieldDefn("v", ogr.OFTInteger))
    started = time.perf_counter(), time.process_time()
    gdal.Polygonize(source.GetRasterBand(1), source.GetRasterBand(1).GetMaskBand(), layer, 0)
    print(time.perf_counter() - started[0], time.process_time() - started[1])
"""


def main() -> None:
    """Prints a table of benchmarks/RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("classes", type=Path)
    parser.add_argument("--noise", type=float, default=0.0, help="share of pixels set to a random class")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--xarray-spatial", action="store_true")
    asked = parser.parse_args()
    speed(noisy(asked.classes, asked.noise), asked.repeats, asked.xarray_spatial)


def noisy(path: Path, share: float) -> NDArray[np.uint8]:
    """The map with some of its pixels set to a random class of it."""
    with rasterio.open(path) as raster:
        classes: NDArray[np.uint8] = raster.read(1)
    rng = np.random.default_rng(0)
    hit = rng.random(classes.shape) < share
    classes[hit] = rng.choice(np.unique(classes[classes < 254]), hit.sum())
    return classes


def speed(classes: NDArray[np.uint8], repeats: int, with_xarray_spatial: bool) -> None:
    """Table 1."""
    methods: dict[str, Callable[[], object]] = {
        "rasterio.features.shapes + shapely": lambda: peer(classes),
        "geoseg, one thread": lambda: polygonize(classes, threads=1),
        "geoseg, two threads": lambda: polygonize(classes, threads=2),
    }
    started = time.perf_counter()
    polygons, values = polygonize(classes, threads=2)
    print(f"{classes.shape[0]} x {classes.shape[1]} px, {len(polygons)} polygons, first call {seconds(started)} s")
    expected, expected_values = peer(classes)
    same = keys(polygons, values) == keys(expected, expected_values)
    print(f"same set as the peer: {'yes' if same else 'NO'}")
    del polygons, expected
    taken: dict[str, list[Times]] = {name: [] for name in methods}
    for _ in range(repeats):
        for name, method in methods.items():
            taken[name].append(timed(method))
    taken["GDAL Polygonize, to its own geometries"] = gdal(classes, 1)
    if with_xarray_spatial:
        taken["xarray-spatial, to geopandas"] = xarray_spatial(classes)
    print("\n| method | wall s | times faster | processor s | times less |\n|---|---:|---:|---:|---:|")
    first: Times | None = None
    for name, times in taken.items():
        wall, processor = (
            (statistics.median(column) for column in zip(*times, strict=True)) if times else (math.nan,) * 2
        )
        first = first or (wall, processor)
        print(f"| {name} | {wall:.2f} | {first[0] / wall:.1f} | {processor:.2f} | {first[1] / processor:.1f} |")


def timed(method: Callable[[], object]) -> Times:
    """Wall clock and time of all processors for one call; what it returns is dropped afterwards."""
    started = time.perf_counter(), time.process_time()
    result = method()
    taken = time.perf_counter() - started[0], time.process_time() - started[1]
    del result
    return taken


def peer(classes: NDArray[np.uint8]) -> tuple[NDArray[np.object_], NDArray[np.uint8]]:
    """What most people write."""
    found = list(rasterio.features.shapes(classes, mask=classes != 255))
    return np.array([shape(geometry) for geometry, _ in found], object), np.array([v for _, v in found], np.uint8)


def keys(polygons: NDArray[np.object_], values: NDArray[np.uint8]) -> list[tuple[bytes, int]]:
    """Polygons and their classes, comparable."""
    return sorted(zip(shapely.to_wkb(shapely.normalize(polygons)), values.tolist(), strict=True))


def gdal(classes: NDArray[np.uint8], repeats: int) -> list[Times]:
    """Times of GDAL on its own, if the system has it with Python bindings."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classes.tif"
        write(path, classes)
        command = ["/usr/bin/python3", "-c", GDAL, str(path), str(repeats)]
        if not shutil.which(command[0]):
            return []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        pairs = (line.split() for line in done.stdout.splitlines())
        return [(float(wall), float(processor)) for wall, processor in pairs]


def xarray_spatial(classes: NDArray[np.uint8]) -> list[Times]:
    """Time of one call after a small one, which compiles."""
    import xarray
    from xrspatial.experimental import polygonize as traced

    def method(part: NDArray[np.uint8]) -> object:
        array, mask = xarray.DataArray(part.astype(np.int32)), xarray.DataArray(part != 255)
        return traced(array, mask=mask, return_type="geopandas")

    method(classes[:64, :64])
    return [timed(lambda: method(classes))]


def write(path: Path, classes: NDArray[np.uint8]) -> None:
    """As geoseg writes maps."""
    kind = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "crs": "EPSG:32640"}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    transform = rasterio.Affine(0.5, 0, 380_000, 0, -0.5, 2_790_000)
    height, width = classes.shape
    with rasterio.open(path, "w", height=height, width=width, transform=transform, **kind, **tiles) as raster:
        raster.write(classes, 1)


def seconds(started: float) -> str:
    """Since then."""
    return f"{time.perf_counter() - started:.2f}"


if __name__ == "__main__":
    main()
