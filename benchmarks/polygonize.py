"""Class maps to shapely polygons: ours against rasterio with shapely, GDAL and xarray-spatial; memory and time by size.

    .venv/bin/python benchmarks/polygonize.py speed CLASSES.tif [--noise 0.01] [--repeats 5] [--xarray-spatial]
    .venv/bin/python benchmarks/polygonize.py size CLASSES.tif [--sides 4096 8192 16384]

`speed` starts from the array in memory and ends with polygons in memory, the same set of them for the first two
methods; each is run once before it is timed, methods take turns, and times are medians; where other
work shares the processors, the time that a method used of them tells more than the wall clock. `size` tiles the map by
mirroring it to squares of each side, on disk, and in a new process each streams it through: reads strips, traces,
sums each region's area and confidence, assembles polygons in batches. Peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import math
import resource
import shutil
import statistics
import subprocess
import sys
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

from geoseg.grid.window import Window
from geoseg.io.polygons import CornerFile, class_strips
from geoseg.io.rasters import open_raster
from geoseg.vector.assemble import Assembly
from geoseg.vector.polygonize import polygonize
from geoseg.vector.region_stats import RegionStatistics
from geoseg.vector.trace import trace

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
    parser.add_argument("table", choices=["speed", "size", "one"])
    parser.add_argument("classes", type=Path)
    parser.add_argument("--noise", type=float, default=0.0, help="share of pixels set to a random class")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--xarray-spatial", action="store_true")
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 8192, 16384])
    asked = parser.parse_args()
    if asked.table == "speed":
        speed(noisy(asked.classes, asked.noise), asked.repeats, asked.xarray_spatial)
    elif asked.table == "size":
        size(asked.classes, asked.sides)
    else:
        one(asked.classes)


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


def size(source: Path, sides: list[int]) -> None:
    """Table 2."""
    with rasterio.open(source) as raster:
        whole = raster.read(1)
    print("| side px | polygons | corners | trace s | statistics s | assemble s | all s | peak MB |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    times = []
    for side in sides:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "classes.tif"
            write(path, mirrored(whole, side))
            command = [sys.executable, __file__, "one", str(path)]
            line = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        print(line, flush=True)
        times.append(float(line.split("|")[7]))
    exponent = math.log(times[-1] / times[0]) / math.log((sides[-1] / sides[0]) ** 2)
    print(f"\ntime grows with pixels to the power of {exponent:.2f}")


def mirrored(classes: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A square of the map, mirrored at its edges where it ends."""
    rows, cols = (np.arange(side) % (2 * n) for n in classes.shape)
    rows, cols = (np.minimum(i, 2 * n - 1 - i) for i, n in zip((rows, cols), classes.shape, strict=True))
    return classes[rows][:, cols]


def one(path: Path) -> None:
    """A row of table 2, in a process of its own."""
    warm = np.zeros((9, 9), np.uint8)
    warm[3:5, 3:6] = 1
    for mapped in (False, True):  # compiled code is read from the cache
        run_through(warm, path.parent, mapped)
    started = time.perf_counter()
    with open_raster(path) as raster:
        side = raster.shape[1]
        arcs, regions = trace(class_strips(raster), threads=2, scratch=CornerFile(path.parent))
        traced = time.perf_counter()
        sums = RegionStatistics(arcs, len(regions), side)
        for top in range(0, side, 256):
            classes = raster.read_classes(Window(0, top, side, min(256, side - top)))
            sums.add(np.ones(classes.shape), classes)
        sums.finish()
    summed = time.perf_counter()
    assembly = Assembly(arcs.left, arcs.right, arcs.corners, arcs.starts, len(regions))
    made = sum(len(assembly.polygons(*batch)) for batch in assembly.batches(1_000_000))
    assembled = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"| {side} | {made} | {len(arcs.corners)} | {traced - started:.2f} | {summed - traced:.2f} "
        f"| {assembled - summed:.2f} | {assembled - started:.2f} | {peak:.0f} |"
    )


def run_through(classes: NDArray[np.uint8], folder: Path, mapped: bool) -> None:
    """Everything once."""
    arcs, regions = trace([classes], scratch=CornerFile(folder) if mapped else None)
    sums = RegionStatistics(arcs, len(regions), classes.shape[1])
    sums.add(np.ones(classes.shape), classes)
    sums.finish()
    Assembly(arcs.left, arcs.right, arcs.corners, arcs.starts, len(regions)).polygons()


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
