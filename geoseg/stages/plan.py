"""Planning: area, scenes, grid, model and machine resolved once, checked, and written down."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path

from odc.geo.crs import CRS

from geoseg.config import AoiFile, Card, Compute, GridSection, SceneEntry, Tiling
from geoseg.errors import ConfigError, DataError, PartialError
from geoseg.grid.area import AreaGeometry, Footprint, coverage, move, parse_crs, to_crs, too_thin, utm_or_equal_area
from geoseg.grid.lattice import Lattice
from geoseg.grid.patches import PatchPlan
from geoseg.grid.window import Window
from geoseg.io.aoi_file import expand_scenes, load_aoi
from geoseg.io.areas import read_area
from geoseg.io.bundle import Bundle, read_bundle
from geoseg.io.fingerprint import fingerprint, stamp
from geoseg.io.plan_file import Machine, Plan, PlannedScene
from geoseg.io.scenes import Mosaic, Scene, SceneInfo
from geoseg.nn.precision import pick_device, pick_precision
from geoseg.stages.estimate import require_room
from geoseg.stages.fit_check import check_gsd, check_values, fitted_scene, ground_distance

log = logging.getLogger(__name__)
LONLAT = "EPSG:4326"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, from an AOI file or from the command line.

    Args:
        aoi, date: names.
        config: the settings.
        folder: what paths in `config` are relative to.
        scenes: files of this date, top first, each with its entry.
    """

    aoi: str
    date: str
    config: AoiFile
    folder: Path
    scenes: Sequence[tuple[Path, SceneEntry]]


def plan(aoi: Path, date: str, out: Path) -> Plan:
    """Plans one date of an AOI file and writes the plan to `out`.

    Raises:
        GeosegError: whatever would stop the run, found before it starts.
    """
    planned = make_plan(request(aoi, date), out.parent)
    planned.write(out)
    return planned


def request(aoi: Path, date: str) -> Request:
    """One date of an AOI file. Raises `ConfigError`."""
    loaded = load_aoi(aoi)
    try:
        day = Date.fromisoformat(date)
    except ValueError as error:
        raise ConfigError(f"{date!r} is not a date; write year-month-day, such as 2024-06-01") from error
    return Request(loaded.name, date, loaded.config, loaded.folder, expand_scenes(loaded, day))


def make_plan(asked: Request, out: Path) -> Plan:
    """Everything that decides the results of a run, resolved and checked without computing.

    Args:
        asked: area, scenes, model.
        out: folder the results will go to; its disk must have room.
    """
    config = asked.config
    bundle = read_bundle(config.model, asked.folder)
    bundle.weights()  # hash and format, before anything is computed
    fitted = [fitted_scene(path, entry, bundle.card) for path, entry in asked.scenes]
    for scene, _ in fitted:
        check_values(scene, bundle.card)
    footprints = [_footprint(info) for _, info in fitted]
    area = read_area(config.area, asked.folder, footprints)
    lattice = choose_lattice(config.grid, bundle.card, [info for _, info in fitted], area)
    check_gsd(lattice.gsd, bundle.card, "the grid")
    if config.grid.gsd == "auto":
        for scene, info in fitted:  # a scene on the grid is as coarse as the grid
            if not lattice.holds(info.geobox):
                check_gsd(ground_distance(info.geobox), bundle.card, Path(scene.path).name)
    windows, resampled = _windows([scene for scene, _ in fitted], lattice, config.grid.resampling)
    window, wkt = _place(area, lattice, config, windows, simple=not resampled and len(windows) == 1)
    if not any(w.intersect(window) for w in windows):
        raise DataError("no scene covers a pixel of the area; name other scenes, or another area")
    patches = patch_plan(config.tiling, bundle.card)
    planned = Plan(
        aoi=asked.aoi,
        date=asked.date,
        lattice=lattice,
        window=window,
        area=wkt,
        scenes=tuple(_planned(scene, w) for (scene, _), w in zip(fitted, windows, strict=True)),
        resampling=config.grid.resampling,
        model=str(bundle.folder.absolute()),
        model_sha256=bundle.digest,
        patches=patches,
        tile=patches.size * config.tiling.tile_patches,
        machine=choose_machine(config.compute),
        allow_partial=config.compute.allow_partial,
        notes=tuple(_notes(area, config, footprints, resampled)),
    )
    require_room(planned, bundle.card, out)
    return planned


def choose_lattice(grid: GridSection, card: Card, infos: Sequence[SceneInfo], area: AreaGeometry) -> Lattice:
    """The scenes' own pixels where they agree and fit, so that nothing is resampled; else a chosen CRS and GSD.

    An automatic CRS is UTM by the area's centroid, or equal-area where the area is too wide for it.

    Raises:
        ConfigError: the CRS named is not projected, or unknown.
    """
    own = _common(infos)
    crs = _grid_crs(grid, own, area)
    unit = Lattice(crs, 1.0).metres_per_unit
    low, high = card.gsd_range
    if own is not None and own.crs == crs:
        same = low <= own.gsd <= high if grid.gsd == "auto" else math.isclose(grid.gsd, own.gsd, rel_tol=1e-6)
        if same:
            return own
    return Lattice(crs, (card.gsd if grid.gsd == "auto" else grid.gsd) / unit)


def _common(infos: Sequence[SceneInfo]) -> Lattice | None:
    """The lattice all scenes lie on, or None."""
    first = infos[0].geobox
    if not first.crs.projected:
        return None
    try:
        lattice = Lattice.from_geobox(first)
    except DataError:
        return None
    return lattice if all(lattice.holds(i.geobox) for i in infos) else None


def _grid_crs(grid: GridSection, own: Lattice | None, area: AreaGeometry) -> str:
    if grid.crs != "auto":
        crs = parse_crs(grid.crs, "grid: crs")
        if not crs.is_projected:
            raise ConfigError(
                f"grid: crs: {grid.crs} counts in degrees, whose length on the ground varies; "
                "name a projected CRS, or auto"
            )
        return f"EPSG:{code}" if (code := CRS(crs).epsg) else str(crs.to_wkt())
    if own is not None:
        return own.crs
    lonlat = move(area.geometry, area.crs, LONLAT)
    if lonlat is None:
        raise DataError(f"the area has points that {area.crs} does not place on the Earth; check its CRS")
    return utm_or_equal_area(lonlat)


def _windows(scenes: Sequence[Scene], lattice: Lattice, resampling: str) -> tuple[list[Window], list[str]]:
    """Where each scene lies on the lattice, and the names of those that do not lie on its pixels."""
    windows, resampled = [], []
    for scene in scenes:
        with Mosaic([scene], lattice, resampling) as mosaic:
            windows.append(mosaic.extent)
            resampled += [Path(path).name for path in mosaic.resampled]
    return windows, resampled


def _place(
    area: AreaGeometry, lattice: Lattice, config: AoiFile, windows: Sequence[Window], *, simple: bool
) -> tuple[Window, str | None]:
    """The area's pixels, and its outline in the grid's CRS; no outline where it is all of one unwarped scene."""
    if config.area.scenes and simple:
        return windows[0], None
    outline = to_crs(area, lattice.crs)
    thin = too_thin(outline, lattice.resolution)
    if thin:
        raise DataError(thin)
    return lattice.window(outline.bounds), str(outline.wkt)


def patch_plan(tiling: Tiling, card: Card) -> PatchPlan:
    """Patches as the card recommends them, or as asked for; `exact` takes the network's whole field.

    Raises:
        ConfigError: sides that are no multiples of the stride, or an exact halo that does not exist.
    """
    size, halo = tiling.patch_size or card.patch_size, card.halo if tiling.halo is None else tiling.halo
    if tiling.exact:
        if card.radius is None:
            raise ConfigError(
                f"tiling: exact: model {card.name} sees everything at once, no halo is exact; leave it out"
            )
        halo = -(-card.radius // card.stride) * card.stride
    if size % card.stride or halo % card.stride:
        raise ConfigError(
            f"tiling: patch_size {size} and halo {halo} must be multiples of {card.stride}, the stride of {card.name}"
        )
    return PatchPlan(size, halo, card.stride)


def choose_machine(compute: Compute) -> Machine:
    """Device, number format, workers and threads; one worker a GPU, else one for four processor cores."""
    device = pick_device(compute.device)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    workers = compute.workers if compute.workers != "auto" else 1 if device == "cuda" else max(1, cores // 4)
    threads = compute.threads if compute.threads != "auto" else max(1, cores // workers)
    return Machine(device, pick_precision(compute.precision, device), threads, workers, compute.scheduler)


def _planned(scene: Scene, window: Window) -> PlannedScene:
    path = Path(scene.path)
    return PlannedScene(scene, window, fingerprint(path), stamp(path))


def _footprint(info: SceneInfo) -> Footprint:
    left, bottom, right, top = info.geobox.boundingbox.bbox
    return (left, bottom, right, top), str(info.geobox.crs)


def _notes(area: AreaGeometry, config: AoiFile, footprints: Sequence[Footprint], resampled: Sequence[str]) -> list[str]:
    notes = [area.note] if area.note else []
    share = coverage(area, footprints)
    if share < config.area.min_coverage:
        raise PartialError(
            f"scenes cover {100 * share:.1f} % of the area, less than min_coverage "
            f"{100 * config.area.min_coverage:g} %; add scenes, or lower it"
        )
    if share < 0.9995:
        notes.append(f"scenes cover {100 * share:.1f} % of the area; the rest is mapped as unobserved")
    if resampled:
        notes.append(
            f"{len(resampled)} of {len(footprints)} scenes were resampled ({config.grid.resampling}) onto the grid"
        )
    return notes


def describe_plan(planned: Plan, bundle: Bundle) -> list[str]:
    """The plan in plain lines, as `geoseg check` prints them."""
    height, width = planned.window.shape
    machine, crs = planned.machine, planned.lattice.crs
    return [
        f"area       {planned.aoi} {planned.date}: {width} x {height} px, {width * height / 1e6:.1f} Mpx",
        f"grid       {crs if len(crs) < 40 else 'equal-area'}, {planned.lattice.gsd:g} m",
        f"scenes     {len(planned.scenes)}",
        f"model      {bundle.card.name} {bundle.card.version}: {', '.join(bundle.card.class_names)}",
        f"patches    {planned.patches.size} px + {planned.patches.halo} px halo; tiles of {planned.tile} px",
        f"machine    {machine.workers} x {machine.threads} threads on {machine.device}, {machine.precision}",
        *(f"note       {n}" for n in planned.notes),
    ]
