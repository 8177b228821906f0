"""Areas and changes of two maps by 500 zones: rate and peak memory as the maps grow, against masking zone by zone.

    .venv/bin/python benchmarks/zones.py tile8_labels.tif --sides 8192 16384

The earlier map is the labels, mirrored until they fill it; the later one has every ninth square of 64 pixels changed to
land. Zones are 500 cells of a Voronoi diagram with wavy sides (about 100 corners each), in degrees. `geoseg zones` runs
as a process of its own, compiled kernels on disk. The peer does what rasterstats does, one zone after another: read the
zone's window of both maps, burn the zone with GDAL, count pairs by pixel area; its polygons are on the map's CRS before
the clock starts, and it too runs as a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import geopandas
import numpy as np
import rasterio
import rasterio.features
import rasterio.windows
import shapely
from pyproj import CRS

STRIP = 512
ZONES = 500
NAMES = ("building", "land", "road", "vegetation", "water")
CRS_OF_MAP = "EPSG:32640"


def main() -> None:
    """Prints the table of benchmarks/RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--sides", type=int, nargs="+", default=[8192, 16384])
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peer:
        peer(asked.peer)
        return
    with rasterio.open(asked.labels) as file:
        labels = file.read(1)
    with tempfile.TemporaryDirectory() as name:  # compiles what is not compiled
        write(labels, 512, Path(name))
        for options in ([], ["--exact"]):
            measured(geoseg(Path(name), options))
    print(
        "| side, px | way | time, s | processor, s | Mpx/s | peak memory, GB |\n| --- | --- | --- | --- | --- | --- |"
    )
    for side in asked.sides:
        with tempfile.TemporaryDirectory() as name:
            compare(labels, side, Path(name))


def compare(labels: np.ndarray, side: int, folder: Path) -> None:
    """Prints the rows of one size, and checks that both ways find the same areas."""
    write(labels, side, folder)
    ways = {
        "geoseg zones": geoseg(folder, []),
        "geoseg zones --exact": geoseg(folder, ["--exact"]),
        "zone by zone": [sys.executable, __file__, "x", "--peer", folder],
    }
    times = {}
    for way, command in ways.items():
        times[way], busy, peak = measured(command)
        rate = side * side / 1e6 / times[way]
        print(f"| {side} | {way} | {times[way]:.1f} | {busy:.1f} | {rate:.0f} | {peak / 1e9:.2f} |", flush=True)
    ours = np.array([z["observed_m2"] for z in json.loads((folder / "out" / "zones.json").read_text())["zones"]])
    theirs = np.load(folder / "peer.npy").sum(axis=1)
    off = np.abs(ours - theirs).max() / theirs.mean()
    print(
        f"\nzone by zone takes {times['zone by zone'] / times['geoseg zones']:.1f} times as long; most off {off:.1e}\n"
    )


def geoseg(folder: Path, options: list[str]) -> list[str | Path]:
    """The command."""
    program = Path(sys.executable).parent / "geoseg"
    out = folder / ("exact" if options else "out")
    days = ["--from", "2015-01-01", "--to", "2020-01-01"]
    return [
        program,
        "zones",
        folder / "a.tif",
        folder / "zones.gpkg",
        out,
        "--after",
        folder / "b.tif",
        *days,
        *options,
    ]


def measured(command: list[str | Path]) -> tuple[float, float, int]:
    """Seconds, seconds of processors and peak bytes of a process."""
    since = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - since
    assert os.waitstatus_to_exitcode(status) == 0
    return seconds, used.ru_utime + used.ru_stime, _bytes(used)


def _bytes(used: resource.struct_rusage) -> int:
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def peer(folder: Path) -> None:
    """Areas of pairs, zone by zone."""
    zones = geopandas.read_parquet(folder / "projected.parquet").geometry
    scale = CRS(CRS_OF_MAP)
    from geoseg.grid.window import Window
    from geoseg.stats.pixel_area import PixelArea

    found = np.zeros((len(zones), len(NAMES) ** 2))
    with rasterio.open(folder / "a.tif") as before, rasterio.open(folder / "b.tif") as after:
        area = PixelArea(scale, before.transform, before.shape)
        for index, zone in enumerate(zones):
            left, bottom, right, top = zone.bounds
            (col, row), (end, last) = ~before.transform @ (left, top), ~before.transform @ (right, bottom)
            col, row = max(int(col), 0), max(int(row), 0)
            end, last = min(int(np.ceil(end)), before.width), min(int(np.ceil(last)), before.height)
            window = rasterio.windows.Window(col, row, end - col, last - row)
            first, second = before.read(1, window=window), after.read(1, window=window)
            inside = rasterio.features.geometry_mask([zone], first.shape, before.window_transform(window), invert=True)
            inside &= (first < len(NAMES)) & (second < len(NAMES))
            pairs = first[inside].astype(np.int64) * len(NAMES) + second[inside]
            areas = area(Window(col, row, end - col, last - row))[inside]
            found[index] = np.bincount(pairs, areas, len(NAMES) ** 2)
    np.save(folder / "peer.npy", found)


def write(labels: np.ndarray, side: int, folder: Path) -> None:
    """Two maps, a strip at a time, and their zones."""
    height, width = labels.shape
    kind = {"driver": "GTiff", "count": 1, "dtype": "uint8", "tiled": True, "compress": "deflate", "nodata": 255}
    kind |= {"blockxsize": STRIP, "blockysize": STRIP}
    place = {"crs": CRS_OF_MAP, "transform": rasterio.Affine(0.8, 0, 390_000, 0, -0.8, 2_790_000)}
    cols = mirrored(side, width)
    with (
        rasterio.open(folder / "a.tif", "w", width=side, height=side, **kind, **place) as before,
        rasterio.open(folder / "b.tif", "w", width=side, height=side, **kind, **place) as after,
    ):
        for file in (before, after):
            file.update_tags(GEOSEG_CLASSES=json.dumps([[i, name, "#808080"] for i, name in enumerate(NAMES)]))
        for top in range(0, side, STRIP):
            rows = mirrored(side, height)[top : top + STRIP]
            window = rasterio.windows.Window(0, top, side, len(rows))
            first = labels[rows[:, None], cols]
            squares = ((np.arange(top, top + len(rows)) // 64)[:, None] + np.arange(side) // 64) % 9 == 0
            before.write(first, 1, window=window)
            after.write(np.where(squares, np.uint8(1), first), 1, window=window)
    frame = geopandas.GeoDataFrame({"name": [f"zone {i}" for i in range(ZONES)]}, geometry=cells(side), crs=CRS_OF_MAP)
    frame.to_parquet(folder / "projected.parquet")
    frame.to_crs(4326).to_file(folder / "zones.gpkg")


def cells(side: int) -> np.ndarray:
    """Polygons that fill the map, with wavy sides that neighbours share."""
    rng = np.random.default_rng(0)
    extent = shapely.box(0, 0, side, side)
    seeds = shapely.MultiPoint(rng.uniform(0, side, (ZONES, 2)))
    diagram = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=extent))
    sharp = shapely.segmentize(shapely.intersection(diagram, extent), side / 450)

    def waved(xy: np.ndarray) -> np.ndarray:
        turn = xy * (2 * np.pi * 30 / side)
        moved = xy + side / 1500 * np.sin(turn[:, ::-1])
        placed = np.clip(moved, 0, side)
        return np.column_stack([390_000 + 0.8 * placed[:, 0], 2_790_000 - 0.8 * placed[:, 1]])

    return np.asarray(shapely.make_valid(shapely.transform(sharp, waved), method="structure", keep_collapsed=False))


def mirrored(length: int, period: int) -> np.ndarray:
    """Places in an array of `period` for a longer one, to and fro."""
    place = np.arange(length) % (2 * period)
    return np.where(place < period, place, 2 * period - 1 - place)


if __name__ == "__main__":
    main()
