"""Change between two dates and its statistics by 500 zones: rate and peak memory as the maps grow.

    .venv/bin/python benchmarks/change_speed.py --sides 4096 8192 16384

Both dates have `probs.tif` of five classes, made from a field of classes of 2,048 x 2,048 pixels that fills the map by
being mirrored and turned, with patches of change on about 4 % of it, edges that are doubtful, and noise that differs
from date to date. Each step runs as a process of its own, after the compiled kernels are on disk: reading all bands of
both dates in strips as they are; maps of change (`ChangeMap`, two cloud-optimized GeoTIFFs); `geoseg change`; `geoseg
zones` of both dates by the cells of a Voronoi diagram. Peak memory is what the process itself holds at most (its
anonymous pages), without the pages of files that the system caches.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy import ndimage

from geoseg.config import Change
from geoseg.grid.window import Window
from geoseg.io.cog import cog_writer, finish
from geoseg.io.rasters import open_raster
from geoseg.stages.change_guard import guarded
from geoseg.stages.change_map import ChangeMap
from geoseg.stages.change_rules import rules_for

TILE, BLOCK = 2048, 512
CLASSES = ("forest", "pasture", "building", "water", "road")
DATES = ("2019-05-01", "2024-05-01")
CRS_OF_MAP = "EPSG:32718"


def main() -> None:
    """Prints the table of benchmarks/RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 8192, 16384])
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        STEPS[asked.step](asked.folder)
        return
    tiles = [tile(0), tile(1)]
    print(
        "| side, px | step | time, s | processor, s | Mpx/s | of reading | peak memory, GB |\n"
        "| --- | --- | --- | --- | --- | --- | --- |"
    )
    for side in [BLOCK, *asked.sides]:
        with tempfile.TemporaryDirectory(dir=asked.scratch) as name:
            folder = Path(name)
            for date, probs in zip(DATES, tiles, strict=True):
                deliver(folder / date, date, probs, side)
            zones(folder, side)
            compare(folder, side)


def compare(folder: Path, side: int) -> None:
    """Prints the rows of one size; the first, small, compiles what is not compiled."""
    base = 0.0
    for step in (*STEPS, "geoseg change", "geoseg zones"):
        seconds, busy, peak = measured(command(step, folder))
        base = base or seconds
        if side > BLOCK:
            row = f"| {side} | {step} | {seconds:.1f} | {busy:.1f} | {side * side / 1e6 / seconds:.1f} "
            print(f"{row}| {base / seconds:.2f} | {peak / 1e9:.2f} |", flush=True)


def command(step: str, folder: Path) -> list[str | Path]:
    """What runs a step."""
    program, dates = Path(sys.executable).parent / "geoseg", [folder / date for date in DATES]
    if step == "geoseg change":
        return [program, "change", *dates, folder / "out"]
    if step == "geoseg zones":
        maps = [date / "landcover.tif" for date in dates]
        return [program, "zones", maps[0], folder / "zones.gpkg", folder / "zones", "--after", maps[1]]
    return [sys.executable, __file__, "--step", step, "--folder", folder]


def read(folder: Path) -> None:
    """All that change reads, once."""
    for date in DATES:
        with open_raster(folder / date / "probs.tif") as probs, open_raster(folder / date / "landcover.tif") as classes:
            for top in range(0, classes.shape[0], BLOCK):
                window = Window(0, top, classes.shape[1], min(BLOCK, classes.shape[0] - top))
                probs.read_probs(window)
                classes.read_classes(window)


def maps(folder: Path) -> None:
    """Maps of change."""
    since = time.perf_counter()
    with guarded([folder / date for date in DATES]) as series:
        made = ChangeMap(series, rules_for(series, Change()), scratch=folder)
        look = {"nodata": 255}
        print(f"events {time.perf_counter() - since:.1f} s", file=sys.stderr)
        with (
            cog_writer(folder / "change.tif", series.geobox, overviews="mode", **look) as code,
            cog_writer(folder / "probability.tif", series.geobox, overviews="average", **look) as probability,
        ):
            for strip in made.strips():
                code.write(strip.window, strip.code)
                probability.write(strip.window, strip.probability)
            print(f"strips {time.perf_counter() - since:.1f} s", file=sys.stderr)
            finish(code, probability)
    share = made.sums.events.sum() / made.sums.observed
    print(f"files {time.perf_counter() - since:.1f} s; {share:.2%} changed", file=sys.stderr)


STEPS = {"reading": read, "maps": maps}


def measured(command: list[str | Path]) -> tuple[float, float, int]:
    """Seconds, seconds of processors, and peak bytes of anonymous memory of a process."""
    since = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], anonymous(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    import os

    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - since
    done.set()
    watcher.join()
    assert os.waitstatus_to_exitcode(status) == 0, command
    return seconds, used.ru_utime + used.ru_stime, peak[0]


def anonymous(pid: int) -> int:
    """Bytes of a process that no file backs."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssShmem"))) * 1024


def tile(date: int) -> np.ndarray:
    """Probabilities x 250 of a date, (class, 2048, 2048): the same ground, changed in patches on the second date."""
    rng = np.random.default_rng(7)
    evidence = np.stack([smooth(rng, 24) + 0.5 * smooth(rng, 6) for _ in CLASSES])
    later = np.roll(evidence, 1, axis=0)
    patches = (smooth(rng, 10) > 2.0) & (smooth(rng, 60) > -0.5)
    own = np.random.default_rng(date)
    if date:
        evidence = np.where(patches, later, evidence)
    evidence = 8 * evidence + 0.6 * np.stack([smooth(own, 1.5) for _ in CLASSES])
    parts = np.exp(evidence - evidence.max(axis=0))
    return np.rint(parts / parts.sum(axis=0) * 250).astype(np.uint8)


def smooth(rng: np.random.Generator, width: float) -> np.ndarray:
    """Noise of unit spread."""
    noise = ndimage.gaussian_filter(rng.normal(size=(TILE, TILE)).astype(np.float32), width, mode="wrap")
    return noise / noise.std()


def deliver(folder: Path, date: str, probs: np.ndarray, side: int) -> None:
    """A folder of results."""
    entries = [[i, name, "#808080"] for i, name in enumerate(CLASSES)]
    made = {"GEOSEG_DATE": date, "GEOSEG_MODEL": "synthetic", "GEOSEG_MODEL_SHA256": "0" * 64}
    look = {"nodata": 255, "tags": {**made, "GEOSEG_CLASSES": json.dumps(entries)}}
    place = GeoBox((side, side), Affine(10, 0, 400_000, 0, -10, 9_070_000), CRS_OF_MAP)
    with (
        cog_writer(folder / "landcover.tif", place, overviews="mode", **look) as classes,
        cog_writer(folder / "confidence.tif", place, overviews="average", **look) as confidence,
        cog_writer(
            folder / "probs.tif", place, bands=len(CLASSES), overviews="average", descriptions=CLASSES, **look
        ) as every,
    ):
        for top in range(0, side, BLOCK):
            strip = np.concatenate([turned(probs, top, left) for left in range(0, side, TILE)], axis=2)[:, :, :side]
            window = Window(0, top, side, BLOCK)
            classes.write(window, strip.argmax(axis=0).astype(np.uint8))
            confidence.write(window, strip.max(axis=0))
            every.write(window, strip)
        finish(classes, confidence, every)


def turned(probs: np.ndarray, top: int, left: int) -> np.ndarray:
    """Rows of a tile that differs from its neighbours and joins them: mirrored where its column or row is odd."""
    rows = np.arange(top, top + BLOCK)
    folded = np.where(rows // TILE % 2, TILE - 1 - rows % TILE, rows % TILE)
    strip = probs[:, folded]
    return strip[:, :, ::-1] if left // TILE % 2 else strip


def zones(folder: Path, side: int) -> None:
    """500 cells of a Voronoi diagram, in degrees."""
    import geopandas
    import shapely

    rng = np.random.default_rng(3)
    west, north = 400_000, 9_070_000
    box = shapely.box(west, north - 10 * side, west + 10 * side, north)
    points = shapely.MultiPoint(rng.uniform(0, 10 * side, (500, 2)) * [1, -1] + [west, north])
    cells = shapely.intersection(shapely.get_parts(shapely.voronoi_polygons(points, extend_to=box)), box)
    named = geopandas.GeoDataFrame({"name": [str(i) for i in range(len(cells))]}, geometry=cells, crs=CRS_OF_MAP)
    named.to_crs(4326).to_file(folder / "zones.gpkg")


if __name__ == "__main__":
    main()
