"""Objects of an image: patches seen one by one, put together, and written as polygons."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from geoseg import __version__
from geoseg.config import AoiFile, Card
from geoseg.errors import ConfigError, PartialError
from geoseg.grid.instance import Instance
from geoseg.grid.patches import PatchPlan
from geoseg.grid.window import Window
from geoseg.io.bundle import Bundle, read_bundle
from geoseg.io.burn import burn
from geoseg.io.commit import sha256, write_json, write_text
from geoseg.io.delivery import class_of, products_of
from geoseg.io.outlines import outlines
from geoseg.io.plan_file import Plan
from geoseg.io.scenes import Mosaic
from geoseg.io.vectors import write_geojson, write_geoparquet
from geoseg.nn.instances import Detector, load_detector
from geoseg.raster.instances import Seen, merge
from geoseg.report.styles import landcover_qml
from geoseg.stages.answer import Context, network_spec, read_patches
from geoseg.stages.map_layers import write_detected
from geoseg.stages.progress import meter
from geoseg.stages.translate import translate
from geoseg.stats.pixel_area import PixelArea
from geoseg.vector.polygonize import place

log = logging.getLogger(__name__)
PRODUCTS = ("instances.parquet", "instances.geojson", "instances.qml")
Detect = Callable[[NDArray[np.float32]], list[Instance]]  # a normalized patch (B, H, W) to objects in its own pixels


def detect(
    detector: Detect, mosaic: Mosaic, card: Card, plan: PatchPlan, target: Window, advance: Callable[[int], None]
) -> tuple[list[Instance], int]:
    """Objects of the patches that touch `target`, and how many of their cores' pixels were observed.

    Objects are in lattice pixels, no two share one, and they come by their first pixel.

    What is found depends on the patches alone: a larger target finds the same objects on the same ground, but for
    those that its further patches see, too. All objects are held in memory, each as its own rectangle.

    Args:
        detector: the network.
        mosaic: imagery.
        card: how it is normalized.
        plan: patches; a halo of at least the size of common objects shows each of them whole to a patch.
        target: where objects are wanted, lattice pixels.
        advance: told the pixels of each patch that is done.
    """
    seen, observed = [], 0
    for core in plan.cores(target, mosaic.extent):
        context = read_patches(mosaic, card, (core,), plan.halo, target)
        if context is not None:
            shown = _shown(context)
            objects = detector(context.image)
            parts = (Instance.of(o.window, o.mask & shown[o.window.slices], o.index, o.score) for o in objects)
            col, row = context.window.col_off, context.window.row_off
            seen.append(Seen(core, [part.shift(col, row) for part in parts if part is not None]))
            observed += int(np.count_nonzero(shown[core.within(context.window).slices]))
        advance(core.width * core.height)
    return merge(seen, plan.halo), observed


def _shown(context: Context) -> NDArray[np.bool_]:
    """Pixels of a patch's imagery that hold data and are not mirrored."""
    real = np.zeros_like(context.valid)
    inside = context.extent.intersect(context.window)
    assert inside is not None  # a patch is cut where imagery is
    real[inside.within(context.window).slices] = True
    return context.valid & real


def open_detector(bundle: Bundle, device: str, precision: str, threads: int) -> Detector:
    """The bundle's network, ready to answer."""
    return load_detector(network_spec(bundle.card), anchors(bundle.card), bundle.weights(), device, precision, threads)


def anchors(card: Card) -> list[float]:
    """Sides of the network's anchors, pixels."""
    found = card.instances["anchors"]
    assert isinstance(found, list)
    return found


def min_score(card: Card) -> float:
    """Score below which instances are not written."""
    found = card.instances["min_score"]
    assert isinstance(found, int | float)
    return float(found)


def write_instances(plan: Plan, out: Path, config: AoiFile) -> dict[str, Any]:
    """Finds the objects of a plan and writes them into `out`, with `run.json`, whose figures are returned.

    Objects of a class of buildings also become footprints, `buildings.*`, unless `products` leaves them out.

    Raises:
        ConfigError: views are asked for, which are for class maps.
        PartialError: pixels could not be read, and the plan does not allow holes.
    """
    if not plan.views.plain:
        raise ConfigError("views are averages of class maps; with a model of instances, leave symmetry and scales out")
    bundle = read_bundle(plan.model)
    card, machine, started = bundle.card, plan.machine, time.monotonic()
    detector = open_detector(bundle, machine.device, machine.precision, machine.threads)
    with Mosaic([s.scene for s in plan.scenes], plan.lattice, plan.resampling) as mosaic:
        cores = list(plan.patches.cores(plan.window, mosaic.extent))
        pixels = sum(core.width * core.height for core in cores)
        with meter("detect", len(cores), pixels) as counter:
            found, observed = detect(detector, mosaic, card, plan.patches, plan.window, counter.advance)
        holes = list(mosaic.damage)
    if holes and not plan.allow_partial:
        raise PartialError(
            f"{len(holes)} places could not be read: {'; '.join(holes[:5])}; replace the files, "
            "or use --allow-partial to leave them out"
        )
    kept = _inside([item for item in found if item.score >= min_score(card)], plan)
    frame = instance_frame(kept, plan.lattice.geobox(plan.window), plan.window, card.class_names)
    write_geoparquet(frame, out / "instances.parquet")
    write_geojson(frame, out / "instances.geojson")
    write_text(out / "instances.qml", landcover_qml([(i, c.name, c.colour) for i, c in enumerate(card.classes)]))
    layers = {"instances": {"features": len(frame)}}
    if "buildings" in products_of(config, card.class_names):
        layers["buildings"] = _footprints(kept, plan, card, out, config)
    log.info("%d instances, %d below the score %g left out", len(kept), len(found) - len(kept), min_score(card))
    figures = _figures(plan, card, frame, observed, holes, time.monotonic() - started)
    figures["layers"] = layers
    written = [f"buildings.{end}" for end in ("parquet", "qml", *config.vectors.formats) if "buildings" in layers]
    figures["files"] = {name: sha256(out / name) for name in (*PRODUCTS, *written)}
    write_json(out / "run.json", figures)
    return figures


def _footprints(kept: Sequence[Instance], plan: Plan, card: Card, out: Path, config: AoiFile) -> dict[str, Any]:
    """Writes the layer of buildings in every format; its figures."""
    index, (col, row) = class_of("buildings", card.class_names), (plan.window.col_off, plan.window.row_off)
    objects = [item.shift(-col, -row) for item in kept if item.index == index]
    found = write_detected(objects, plan.lattice.geobox(plan.window), out, config.buildings)
    for end in config.vectors.formats:
        translate(out / "buildings.parquet", out / f"buildings.{end}")
    return found


def instance_frame(
    objects: Sequence[Instance], geobox: GeoBox, window: Window, class_names: Sequence[str]
) -> geopandas.GeoDataFrame:
    """The layer: outline along pixel edges, `class`, `name`, `score`, `area_m2` on the ellipsoid and `pixels`.

    Args:
        objects: in lattice pixels.
        geobox: where the pixels of `window` are.
        window: lattice pixels.
        class_names: in index order.
    """
    here = [item.shift(-window.col_off, -window.row_off) for item in objects]
    area = PixelArea(geobox.crs.proj, geobox.transform, window.shape)
    attributes = {
        "class": np.array([o.index for o in here], dtype=np.int32),
        "name": pandas.array([class_names[o.index] for o in here], dtype="string"),
        "score": np.array([round(o.score, 4) for o in here], dtype=np.float64),
        "area_m2": np.array([float(area(o.window)[o.mask].sum()) for o in here], dtype=np.float64),
        "pixels": np.array([o.pixels for o in here], dtype=np.int64),
    }
    return geopandas.GeoDataFrame(attributes, geometry=place(outlines(here), geobox.transform), crs=geobox.crs.proj)


def _inside(objects: Sequence[Instance], plan: Plan) -> list[Instance]:
    """Objects cut at the edge of the area."""
    out = []
    for item in objects:
        part = item.within(plan.window)
        if part is not None and plan.area is not None:
            mask = part.mask & burn(plan.area, plan.lattice, part.window)
            part = Instance.of(part.window, mask, part.index, part.score)
        if part is not None:
            out.append(part)
    return out


def _figures(
    plan: Plan, card: Card, frame: geopandas.GeoDataFrame, observed: int, holes: list[str], seconds: float
) -> dict[str, Any]:
    grid, machine = plan.lattice, plan.machine
    areas = frame.groupby("name")["area_m2"].sum()
    return {
        "aoi": plan.aoi,
        "date": plan.date,
        "grid": {"crs": grid.crs, "gsd": grid.gsd, "width": plan.window.width, "height": plan.window.height},
        "model": {"name": card.name, "version": card.version, "weights_sha256": card.weights_sha256},
        "scenes": [{"name": Path(s.scene.path).name, "sha256": s.sha256} for s in plan.scenes],
        "notes": list(plan.notes),
        "patches": {"size": plan.patches.size, "halo": plan.patches.halo},
        "machine": {"device": machine.device, "precision": machine.precision, "threads": machine.threads},
        "pixels": {"window": plan.window.width * plan.window.height, "observed": observed},
        "unread": holes,
        "seconds": round(seconds, 2),
        "min_score": min_score(card),
        "area_m2": {name: float(areas.get(name, 0.0)) for name in card.class_names},
        "made_by": {"geoseg": __version__, "torch": version("torch")},
    }
