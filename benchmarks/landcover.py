"""From a class map to simplified land-cover GeoParquet: time and peak memory as the map grows.

    .venv/bin/python benchmarks/landcover.py tile8_labels.tif --sides 4096 8192 16384

Each map is the labels, mirrored until they fill it, with a made-up confidence; both are tiled and deflated. Then
`geoseg landcover` runs as a process of its own with the settings that an AOI file has if it says nothing. Compiled
kernels are on disk by then.
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

import numpy as np
import rasterio
from rasterio.windows import Window

STRIP = 512
CLASSES = [[i, name, "#808080"] for i, name in enumerate(("building", "land", "road", "vegetation", "water"))]


def main() -> None:
    """Prints the table of benchmarks/RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 8192, 16384])
    asked = parser.parse_args()
    with rasterio.open(asked.labels) as file:
        labels = file.read(1)
    run_of(labels, 512)  # compiles what is not compiled
    print("| side, px | polygons | time, s | peak memory, GB | parquet, MB |\n| --- | --- | --- | --- | --- |")
    times = []
    for side in asked.sides:
        seconds, peak, polygons, size = run_of(labels, side)
        times.append(seconds)
        print(f"| {side} | {polygons:,} | {seconds:.1f} | {peak / 1e9:.2f} | {size / 1e6:.1f} |", flush=True)
    growth = np.log(times[-1] / times[0]) / (2 * np.log(asked.sides[-1] / asked.sides[0]))
    print(f"\ntime grows as pixels to the power of {growth:.2f}")


def run_of(labels: np.ndarray, side: int) -> tuple[float, int, int, int]:
    """Seconds, peak bytes, polygons and bytes of the file, of one run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(labels, side, folder)
        command = [Path(sys.executable).parent / "geoseg", "landcover"]
        maps = [folder / "landcover.tif", folder / "confidence.tif", folder / "work.json"]
        since = time.perf_counter()
        process = subprocess.Popen([*command, *maps], stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - since
        assert os.waitstatus_to_exitcode(status) == 0
        polygons = json.loads((folder / "work.json").read_text())["features"]
        return seconds, _bytes(used), polygons, (folder / "landcover.parquet").stat().st_size


def _bytes(used: resource.struct_rusage) -> int:
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def write(labels: np.ndarray, side: int, folder: Path) -> None:
    """The two maps, a strip at a time."""
    height, width = labels.shape
    kind = {"driver": "GTiff", "count": 1, "dtype": "uint8", "tiled": True, "compress": "deflate", "nodata": 255}
    place = {"crs": "EPSG:32640", "transform": rasterio.Affine(0.8, 0, 390_000, 0, -0.8, 2_790_000)}
    rng = np.random.default_rng(0)
    cols = mirrored(side, width)
    with (
        rasterio.open(folder / "landcover.tif", "w", width=side, height=side, **kind, **place) as classes,
        rasterio.open(folder / "confidence.tif", "w", width=side, height=side, **kind, **place) as confidence,
    ):
        classes.update_tags(GEOSEG_CLASSES=json.dumps(CLASSES))
        for top in range(0, side, STRIP):
            rows = mirrored(side, height)[top : top + STRIP]
            window = Window(0, top, side, len(rows))
            classes.write(labels[rows[:, None], cols], 1, window=window)
            confidence.write(rng.integers(120, 250, (len(rows), side), dtype=np.uint8), 1, window=window)


def mirrored(length: int, period: int) -> np.ndarray:
    """Places in an array of `period` for a longer one, to and fro."""
    place = np.arange(length) % (2 * period)
    return np.where(place < period, place, 2 * period - 1 - place)


if __name__ == "__main__":
    main()
