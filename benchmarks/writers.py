"""Time and size of each format for 100,000 polygons: ours, read back and compared, against geopandas, which is not.

    .venv/bin/python benchmarks/writers.py [CLASSES.tif] --polygons 100000

Without a class map the polygons are regions of smoothed noise. Both write GeoJSON in longitude and latitude to 7
decimals by RFC 7946, so both also transform. Runs take turns, after a first one that does not count.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pandas
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from geoseg.io.vectors import write_layer
from geoseg.vector.polygonize import place, polygonize

REPEATS = 5
TRANSFORM = Affine(0.5, 0, 500_000, 0, -0.5, 5_300_000)
Write = Callable[[geopandas.GeoDataFrame, Path], object]


def main() -> None:
    """Prints table 5 of benchmarks/RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("classes", type=Path, nargs="?")
    parser.add_argument("--polygons", type=int, default=100_000)
    asked = parser.parse_args()
    frame = layer(asked.classes, asked.polygons)
    print(f"{len(frame)} polygons, {shapely.get_num_coordinates(frame.geometry.to_numpy()).sum()} corners\n")
    print("| format | geoseg, verified s | geopandas s | ratio | geoseg MB | geopandas MB |")
    print("|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for ending, peer in PEERS.items():
            print(row(frame, Path(folder), ending, peer), flush=True)


def layer(classes: Path | None, count: int) -> geopandas.GeoDataFrame:
    """The first polygons of a class map, with the attributes of land cover."""
    polygons, values = polygonize(noise() if classes is None else rasterio.open(classes).read(1))
    polygons, values = polygons[:count], values[:count]
    rng = np.random.default_rng(0)
    attributes = {
        "class": values.astype(np.int32),
        "name": pandas.array([f"class {value}" for value in values], dtype="string"),
        "area_m2": shapely.area(polygons) * 0.25 * (1 + 4e-4),
        "confidence": np.where(values == 0, np.nan, rng.random(len(values))),
        "pixels": shapely.area(polygons).astype(np.int64),
    }
    return geopandas.GeoDataFrame(attributes, geometry=place(polygons, TRANSFORM), crs="EPSG:32633")


def noise() -> NDArray[np.uint8]:
    """Six classes with about 130,000 regions."""
    smooth = uniform_filter(np.random.default_rng(0).random((4096, 4096)), 5)
    return np.digitize(smooth, np.quantile(smooth, np.arange(1, 6) / 6)).astype(np.uint8)


def ours(frame: geopandas.GeoDataFrame, path: Path) -> object:
    """Our writer of the format that the path ends in."""
    return write_layer(lambda: [frame], path.with_suffix(""), [path.suffix[1:]], None, None)


def parquet(frame: geopandas.GeoDataFrame, path: Path) -> object:
    """GeoParquet 1.1, zstd, with covering."""
    return frame.to_parquet(
        path, index=False, compression="zstd", schema_version="1.1.0", write_covering_bbox=True, row_group_size=50_000
    )


def geojson(frame: geopandas.GeoDataFrame, path: Path) -> object:
    """GDAL, RFC 7946."""
    return frame.to_crs("OGC:CRS84").to_file(path, driver="GeoJSON", RFC7946="YES")


def geojsonl(frame: geopandas.GeoDataFrame, path: Path) -> object:
    """GDAL, one feature a line."""
    return frame.to_crs("OGC:CRS84").to_file(path, driver="GeoJSONSeq", COORDINATE_PRECISION="7")


def gpkg(frame: geopandas.GeoDataFrame, path: Path) -> object:
    """GDAL, through Arrow, with a spatial index."""
    return frame.to_file(path, driver="GPKG", use_arrow=True)


PEERS: dict[str, Write] = {"parquet": parquet, "geojson": geojson, "geojsonl": geojsonl, "gpkg": gpkg}


def row(frame: geopandas.GeoDataFrame, folder: Path, ending: str, peer: Write) -> str:
    """One line of the table."""
    paths = folder / f"ours.{ending}", folder / f"peer.{ending}"
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS + 1):
        for write, path, taken in zip((ours, peer), paths, seconds, strict=True):
            path.unlink(missing_ok=True)
            started = time.perf_counter()
            write(frame, path)
            taken.append(time.perf_counter() - started)
    own, other = (statistics.median(taken[1:]) for taken in seconds)
    sizes = [path.stat().st_size / 1e6 for path in paths]
    return f"| {ending} | {own:.2f} | {other:.2f} | {other / own:.2f} | {sizes[0]:.1f} | {sizes[1]:.1f} |"


if __name__ == "__main__":
    main()
