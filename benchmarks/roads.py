"""Road graphs from noisy masks: ours against graphs as sknw and skan make them. Table 4b.

    .venv/bin/python benchmarks/roads.py [LABELS ROAD_VALUE]

Networks are drawn from known lines at 1 m a pixel: streets with a diagonal, curves, a roundabout, a road with two
carriageways. Noise: a share of the pixels within two pixels of a road's edge is turned over (`edge`), and of the
pixels in it (`salt`); `gaps` cuts roads by hedges of some metres. The peers get the same mask with its holes up to
the same area filled, skeletonized by scikit-image; `pruned` drops their branches with a free end that are shorter than
the road is wide, in rounds, as practice has it. With a label raster: time for all of it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import networkx
import numpy as np
import rasterio
import rasterio.features
import shapely
import skan
import sknw
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import remove_small_holes, skeletonize

from geoseg.stages.roads import RoadSettings, roads
from geoseg.vector.road_scores import RoadScoreSettings, road_scores

SHAPE = (600, 800)
SCORES = RoadScoreSettings(snap=4.0, spacing=50.0, buffer=4.0, sources=10_000, seed=0)
SETTINGS = RoadSettings(
    road=2,
    blocked=(0,),
    max_width=60.0,
    max_hole=30.0,
    evenness=2,
    spur_widths=0.75,
    shortest=8.0,
    merge_widths=2.0,
    gap=20.0,
    gap_to_road=15.0,
    gap_angle=30.0,
    tolerance=1.6,
    tile=2048,
)
Mask = NDArray[np.bool_]
Lines = NDArray[np.object_]
REPEATS = 2


def network(width: float) -> Lines:
    """The true lines, cut where they meet: pixels, x to the east and y to the south."""
    apart = width + 6  # of the two carriageways
    paths = [[(x, 60), (x, 540)] for x in (60, 160, 280, 380)]
    paths += [[(60, y), (380, y)] for y in (60, 180, 300, 420, 540)]
    paths += [[(160, 180), (280, 300)], [(0, 300), (60, 300)], [(280, 420), (280, 600)]]
    ring = list(shapely.Point(560, 300).buffer(30 + width, quad_segs=32).exterior.coords)
    paths += [ring, [(380, 300), (530 - width, 300)], [(590 + width, 300), (760, 300)]]
    paths += [[(560, 330 + width), (560, 420), (620, 480), (700, 480)], [(560, 270 - width), (560, 180)]]
    bend = np.linspace(0, 3 * np.pi, 120)
    paths += [list(zip(380 + 40 * bend, 120 + 40 * np.sin(bend), strict=True))]
    paths += [
        [(640, 0), (640, 240), (760, 300)],
        [(640 + apart, 0), (640 + apart, 240)],
        [(640, 100), (640 + apart, 100)],
    ]
    cut = shapely.get_parts(shapely.line_merge(shapely.unary_union([shapely.LineString(p) for p in paths])))
    return np.asarray(cut, object)


def drawn(lines: Lines, width: float) -> Mask:
    surface = shapely.union_all(shapely.buffer(lines, width / 2, quad_segs=16))
    return rasterio.features.rasterize([(surface, 1)], SHAPE, transform=Affine.identity()).astype(bool)


def spoilt(mask: Mask, edge: float, salt: float, gaps: int, seed: int) -> Mask:
    rng = np.random.default_rng(seed)
    out = mask.copy()
    band = ndimage.binary_dilation(mask, iterations=2) & ~ndimage.binary_erosion(mask, iterations=1)
    out ^= band & (rng.random(mask.shape) < edge)
    out &= rng.random(mask.shape) >= salt
    row, col = np.nonzero(mask)
    for k in rng.choice(len(row), gaps, replace=False):
        down, across = np.ogrid[: mask.shape[0], : mask.shape[1]]
        out &= (np.abs(down - row[k]) > 5) | (np.abs(across - col[k]) > 5) if gaps else True
    return out


def ours(mask: Mask, folder: Path) -> Lines:
    kind = {"driver": "GTiff", "count": 1, "dtype": "uint8", "tiled": True, "crs": "EPSG:32631"}
    place = Affine(1, 0, 500_000 - SHAPE[1] / 2, 0, -1, 600)  # at the equator: a metre is a metre but for 0.04 %
    for name, pixels in (("c", np.where(mask, 2, 1)), ("p", np.full(mask.shape, 200))):
        with rasterio.open(
            folder / f"{name}.tif", "w", width=SHAPE[1], height=SHAPE[0], transform=place, **kind
        ) as file:
            file.write(pixels.astype(np.uint8), 1)
    found = roads(folder / "c.tif", folder / "p.tif", SETTINGS)
    back = ~place
    return shapely.transform(
        found.edges.geometry.to_numpy(),
        lambda xy: np.column_stack([back.a * xy[:, 0] + back.c, back.e * xy[:, 1] + back.f]),
    )


def skeleton(mask: Mask) -> Mask:
    return skeletonize(remove_small_holes(mask, max_size=int(SETTINGS.max_hole), connectivity=1))


def with_sknw(mask: Mask, prune: float) -> Lines:
    """Edges of sknw between its nodes' centroids."""
    graph = sknw.build_sknw(skeleton(mask).astype(np.uint16), multi=True, ring=True, full=True)
    place = {n: data["o"][::-1] + 0.5 for n, data in graph.nodes(data=True)}
    edges = [(a, b, data["pts"][:, ::-1] + 0.5) for a, b, data in graph.edges(data=True)]
    paths = [(a, b, np.vstack([place[a], xy, place[b]])) for a, b, xy in edges]
    paths = [(a, b, xy if len(xy) < 3 or np.hypot(*(xy[1] - xy[0])) <= np.hypot(*(xy[-2] - xy[0])) else
              np.vstack([xy[0], xy[-2:0:-1], xy[-1]])) for a, b, xy in paths]  # fmt: skip
    return _pruned(paths, prune)


def with_skan(mask: Mask, prune: float) -> Lines:
    """Branches of skan between its junctions' pixels."""
    graph = skan.Skeleton(skeleton(mask))
    paths = [graph.path_coordinates(k)[:, ::-1] + 0.5 for k in range(graph.n_paths)]
    return _pruned([(tuple(xy[0]), tuple(xy[-1]), xy) for xy in paths], prune)


def _pruned(paths: list[tuple[object, object, NDArray[np.float64]]], prune: float) -> Lines:
    """Lines of (start, end, points) without those shorter than `prune` with a free end, in rounds."""
    graph = networkx.MultiGraph()
    for number, (a, b, xy) in enumerate(paths):
        graph.add_edge(a, b, key=number, length=float(np.hypot(*np.diff(xy, axis=0).T).sum()))
    while prune:
        short = [
            (a, b, key)
            for a, b, key, length in graph.edges(keys=True, data="length")
            if length < prune and 1 in (graph.degree[a], graph.degree[b]) and graph.degree[a] + graph.degree[b] > 2
        ]
        if not short:
            break
        graph.remove_edges_from(short)
    kept = [paths[key][2] for *_, key in graph.edges(keys=True) if len(paths[key][2]) > 1]
    lines = np.empty(len(kept), object)
    lines[:] = [shapely.LineString(xy) for xy in kept]
    return lines


CASES = {
    "clean": (0.0, 0.0, 0),
    "edge 15 %": (0.15, 0.0, 0),
    "edge 30 %": (0.3, 0.0, 0),
    "edge 30 %, salt 3 %": (0.3, 0.03, 0),
    "gaps": (0.0, 0.0, 12),
    "edge 30 %, salt 3 %, gaps": (0.3, 0.03, 12),
}


def timed(make: Callable[[], Lines]) -> tuple[Lines, float]:
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        lines = make()
        times.append(time.perf_counter() - begin)
    return lines, float(np.median(times))


def synthetic(folder: Path) -> None:
    print("| width | case | ours | sknw | sknw pruned | skan | skan pruned | edges: true, ours, sknw pruned | s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for width in (3, 5, 8, 15):
        truth = network(width)
        mask = drawn(truth, width)
        for name, how in CASES.items():
            noisy = spoilt(mask, *how, seed=1)
            methods = {
                "ours": lambda noisy=noisy: ours(noisy, folder),
                "sknw": lambda noisy=noisy: with_sknw(noisy, 0),
                "sknw pruned": lambda noisy=noisy, width=width: with_sknw(noisy, 1.5 * width),
                "skan": lambda noisy=noisy: with_skan(noisy, 0),
                "skan pruned": lambda noisy=noisy, width=width: with_skan(noisy, 1.5 * width),
            }
            made = {key: timed(make) for key, make in methods.items()}
            scores = {key: road_scores(truth, lines, SCORES) for key, (lines, _) in made.items()}
            apls = " | ".join(f"{scores[key].apls:.3f}" for key in methods)
            counts = ", ".join(str(n) for n in (len(truth), len(made["ours"][0]), len(made["sknw pruned"][0])))
            seconds = f"{made['ours'][1]:.2f}, {made['sknw'][1]:.2f}"
            print(f"| {width} | {name} | {apls} | {counts} | {seconds} |", flush=True)


def real(labels: Path, value: int, folder: Path) -> None:
    with rasterio.open(labels) as source:
        mask, profile = source.read(1) == value, source.profile
    with rasterio.open(folder / "q.tif", "w", **{**profile, "nodata": None}) as file:
        file.write(np.full(mask.shape, 200, np.uint8), 1)
    settings = RoadSettings(**{**{n: getattr(SETTINGS, n) for n in SETTINGS.__slots__}, "road": value})
    begin = time.perf_counter()
    found = roads(labels, folder / "q.tif", settings)
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    peer = with_sknw(mask, 8 / 0.8)
    print(
        f"\n{labels.name}, {mask.size / 1e6:.1f} Mpx: ours {seconds:.1f} s, {found.figures}; "
        f"sknw pruned {time.perf_counter() - begin:.1f} s, {len(peer)} edges"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        ours(drawn(network(5), 5), Path(place))  # compiles
        synthetic(Path(place))
        if len(sys.argv) > 1:
            real(Path(sys.argv[1]), int(sys.argv[2]), Path(place))
