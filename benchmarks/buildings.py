"""Footprints against true ones: ours, buildingregulariser, and outlines as they are and simplified.

    .venv/bin/python benchmarks/buildings.py ../shared/data/massachusetts [--instances out/instances.parquet]

First table: the 405 true polygons, burned at 1 m (a pixel is of a building if its centre is) and degraded. The signed
distance to the outline in pixels is smoothed by a Gaussian (sigma `smooth`), which rounds corners and merges what is
close; a Gaussian random field (sigma `grain`, standard deviation `noise` pixels) is added; what stays over 0 is
building; and crosses of five pixels, centred on 0.3 % of all pixels, are taken out as holes. Three seeds each.

Second table: a network's objects (`instances.parquet` of `geoseg segment` with a model of instances), on the ground
that its training did not see (y below 894 250).

Every method is given the same objects. Quality is over the true polygons that each method's outcome matches with an
IoU of at least 0.3, so that it is a mean over the same buildings; F1 is at IoU 0.5. Seconds are of one core: for the
peer its own call, for ours the whole stage, reading and splitting too. Figures are means over the seeds.
Right angles: share of corners within 2 degrees of 90 (outlines along pixel edges have no others, which makes them no
more regular).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import buildingregulariser
import geopandas
import numpy as np
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from scipy import ndimage

from geoseg.grid.instance import Instance
from geoseg.grid.window import Window
from geoseg.stages.buildings import BuildingSettings, buildings, detected_buildings
from geoseg.vector.footprint_scores import match, polis, score_footprints
from geoseg.vector.footprints import FootprintRules

OURS = BuildingSettings(20.0, 10.0, 0.5, FootprintRules(2.0, 0.6, 0.05, 80.0, 4.0, 1.0))
OUTLINES = BuildingSettings(20.0, 10.0, 0.5, FootprintRules(2.0, 2.0, 0.05, 80.0, 4.0, 0.0))  # nothing passes
UNSEEN_BELOW = 894_250
LEVELS = {"light": (0.7, 1.5, 0.4), "medium": (1.0, 1.5, 0.8), "smooth": (2.0, 3.0, 0.3)}  # smooth, grain, noise
SEEDS = (0, 1, 2)
Layer = geopandas.GeoDataFrame


@dataclass(frozen=True)
class Ground:
    """True polygons and the grid that they are burned into."""

    truth: Layer
    transform: Affine
    shape: tuple[int, int]

    @classmethod
    def of(cls, folder: Path) -> Ground:
        with rasterio.open(folder / "22978945_15.tif") as image:
            return cls(geopandas.read_file(folder / "22978945_15_buildings.gpkg"), image.transform, image.shape)

    def degraded(self, seed: int, smooth: float, grain: float, noise: float) -> np.ndarray:
        """Where buildings are, (height, width)."""
        rng = np.random.default_rng(seed)
        mask = rasterize(list(self.truth.geometry), self.shape, transform=self.transform).astype(bool)
        inside, outside = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
        distance = ndimage.gaussian_filter(inside - outside - np.where(mask, 0.5, -0.5), smooth)
        field = ndimage.gaussian_filter(rng.standard_normal(self.shape), grain)
        holes = ndimage.binary_dilation(rng.random(self.shape) < 0.003)
        return (distance + noise * field / field.std() > 0) & ~holes

    def layer(self, mask: np.ndarray, settings: BuildingSettings) -> Layer:
        """What the stage makes of it."""
        profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": mask.shape[0], "width": mask.shape[1]}
        profile |= {"crs": self.truth.crs, "transform": self.transform}
        with tempfile.TemporaryDirectory() as folder:
            classes, confidence = Path(folder) / "classes.tif", Path(folder) / "confidence.tif"
            for path, values in ((classes, np.where(mask, 0, 1)), (confidence, np.full(mask.shape, 250))):
                with rasterio.open(path, "w", **profile) as file:
                    file.write(values.astype(np.uint8), 1)
            return buildings(classes, confidence, 0, None, settings)[0]


def peer(tolerance: float, align: bool) -> Callable[[Layer], Layer]:
    """buildingregulariser on outlines."""

    def regularize(outlines: Layer) -> Layer:
        return buildingregulariser.regularize_geodataframe(
            outlines[["geometry"]], simplify_tolerance=tolerance, num_cores=1, neighbor_alignment=align
        )

    return regularize


METHODS: dict[str, Callable[[Layer], Layer]] = {
    "outline along pixel edges": lambda outlines: outlines,
    "outline simplified by 1 m": lambda outlines: outlines.set_geometry(outlines.geometry.simplify(1.0)),
    "buildingregulariser, its defaults": peer(0.5, False),
    "buildingregulariser, simplify 1 m": peer(1.0, False),
    "buildingregulariser, 1 m, neighbours aligned": peer(1.0, True),
}


def timed(make: Callable[[], Layer]) -> tuple[Layer, float]:
    """The outcome and its time."""
    started = time.perf_counter()
    out = make()
    return out, time.perf_counter() - started


def right_angles(polygons: np.ndarray) -> float:
    """Share of corners within 2 degrees of a right angle."""
    right = total = 0
    for ring in shapely.get_rings(polygons):
        edges = np.diff(shapely.get_coordinates(ring), axis=0)
        angle = np.arctan2(edges[:, 1], edges[:, 0])
        turn = np.rad2deg(np.roll(angle, -1) - angle) % 180
        right += int((abs(turn - 90) < 2).sum())
        total += len(turn)
    return right / total


def compare(truth: np.ndarray, layers: dict[str, tuple[Layer, float]], rows: dict[str, list[list[float]]]) -> None:
    """One run's figures of each method."""
    found = {name: np.asarray(layer.geometry) for name, (layer, _) in layers.items()}
    pairs = {name: match(truth, shapes, 0.3) for name, shapes in found.items()}
    common = set.intersection(*(set(p.truth.tolist()) for p in pairs.values()))
    for name, shapes in found.items():
        own = np.isin(pairs[name].truth, list(common))
        t, f = pairs[name].truth[own], pairs[name].found[own]
        corners = np.mean([len(shapely.get_coordinates(s)) - len(shapely.get_rings(s)) for s in shapes[f]])
        f1 = score_footprints(truth, shapes, 0.5, (0, np.inf))[0].f1
        distance = polis(truth[t], shapes[f]).mean()
        values = [len(common), pairs[name].iou[own].mean(), distance, f1, right_angles(shapes[f]), corners]
        rows.setdefault(name, []).append([*values, layers[name][1]])


def table(rows: dict[str, list[list[float]]]) -> None:
    """Means over runs."""
    print("| footprints | compared | mean IoU | PoLiS, m | F1 | right angles | corners | seconds |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, runs in rows.items():
        count, iou, distance, f1, right, corners, seconds = np.mean(runs, axis=0)
        print(
            f"| {name} | {count:.0f} | {iou:.4f} | {distance:.3f} | {f1:.3f} | {right:.0%} | {corners:.1f} "
            f"| {seconds:.2f} |"
        )
    print()


def all_methods(outlines: Layer, ours: Callable[[], Layer]) -> dict[str, tuple[Layer, float]]:
    """Footprints and seconds of each method."""
    made = {name: timed(lambda method=method: method(outlines)) for name, method in METHODS.items()}
    return made | {"ours": timed(ours)}


def degraded_tables(ground: Ground) -> None:
    """Table 4a."""
    for level, numbers in LEVELS.items():
        rows: dict[str, list[list[float]]] = {}
        for seed in SEEDS:
            mask = ground.degraded(seed, *numbers)
            outlines = ground.layer(mask, OUTLINES)
            made = all_methods(outlines, lambda mask=mask: ground.layer(mask, OURS))
            compare(np.asarray(ground.truth.geometry), made, rows)
        smooth, grain, noise = numbers
        print(f"Degraded, {level}: smooth {smooth:g} px, grain {grain:g} px, noise {noise:g} px\n")
        table(rows)


def network_table(ground: Ground, instances: Path) -> None:
    """Table of a network's objects where it was not trained."""
    layer = geopandas.read_parquet(instances)
    places = shapely.transform(np.asarray(layer.geometry), lambda xy: np.column_stack(~ground.transform * xy.T))
    whole = Window(0, 0, ground.shape[1], ground.shape[0])
    objects = []
    for polygon, score in zip(places, layer.score, strict=True):
        mask = rasterize([polygon], ground.shape, transform=Affine.identity()).astype(bool)
        item = Instance.of(whole, mask, 0, float(score))
        objects += [item] if item is not None else []
    box = GeoBox(ground.shape, ground.transform, ground.truth.crs.to_wkt())
    unseen = np.asarray(ground.truth.geometry)[(ground.truth.bounds["maxy"] < UNSEEN_BELOW).to_numpy()]
    outlines = detected_buildings(objects, box, OUTLINES)[0]
    made = all_methods(outlines, lambda: detected_buildings(objects, box, OURS)[0])
    low = {name: (m[m.centroid.y < UNSEEN_BELOW], seconds) for name, (m, seconds) in made.items()}
    rows: dict[str, list[list[float]]] = {}
    compare(unseen, low, rows)
    print(f"Objects of a network, {len(unseen)} true buildings that its training did not see\n")
    table(rows)


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--instances", type=Path)
    given = parser.parse_args()
    ground = Ground.of(given.folder)
    ground.layer(ground.degraded(0, *LEVELS["light"]), OURS)  # compiles
    degraded_tables(ground)
    if given.instances is not None:
        network_table(ground, given.instances)


if __name__ == "__main__":
    main()
