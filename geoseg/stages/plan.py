"""Planning: area, scenes, grid, model and machine resolved once, checked, and written down."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from pathlib import Path

from geoseg.config import AoiFile, Card, Compute, SceneEntry, Tiling, Views
from geoseg.errors import ConfigError, DataError, ModelError, PartialError
from geoseg.grid.area import AreaGeometry, Footprint, coverage, to_crs, too_thin
from geoseg.grid.lattice import Lattice
from geoseg.grid.patches import PatchPlan
from geoseg.grid.views import ViewPlan, halo_for_views
from geoseg.grid.window import Window
from geoseg.io.aoi_file import expand_scenes, load_aoi
from geoseg.io.areas import read_area
from geoseg.io.bundle import Bundle, read_bundle
from geoseg.io.delivery import keeps_probs, products_of
from geoseg.io.fingerprint import fingerprint, stamp
from geoseg.io.plan_file import Machine, Plan, PlannedScene
from geoseg.io.scenes import Mosaic, Scene, SceneInfo
from geoseg.nn.precision import pick_device, pick_precision
from geoseg.stages.estimate import require_room
from geoseg.stages.fit_check import check_gsd, check_values, fitted_scene, ground_distance
from geoseg.stages.grid_choice import choose_lattice

log = logging.getLogger(__name__)
Files = Sequence[tuple[Path, SceneEntry]]  # top first, each with its entry


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, from an AOI file or from the command line.

    Args:
        aoi, date: names.
        config: the settings.
        folder: what paths in `config` are relative to.
        scenes: files of this date.
        others: files of each other date, which share the grid.
    """

    aoi: str
    date: str
    config: AoiFile
    folder: Path
    scenes: Files
    others: Mapping[str, Files] = field(default_factory=dict)


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
    card = read_bundle(loaded.config.model, loaded.folder).card
    if card.task == "instances":
        raise ConfigError(
            f"{aoi}: model {card.name} finds single objects, not a class for each pixel; "
            "run it with geoseg segment IMAGE, or name a model of land cover"
        )
    scenes = expand_scenes(loaded, day)
    others = {other.isoformat(): expand_scenes(loaded, other) for other in loaded.config.dates if other != day}
    return Request(loaded.name, day.isoformat(), loaded.config, loaded.folder, scenes, others)


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
    lattice = _lattice(asked, bundle.card, [info for _, info in fitted], area)
    check_gsd(lattice.gsd, bundle.card, "the grid")
    check_scales(config.views, lattice.gsd, bundle.card)
    if config.grid.gsd == "auto":
        for scene, info in fitted:  # a scene on the grid is as coarse as the grid
            if not lattice.holds(info.geobox):
                check_gsd(ground_distance(info.geobox), bundle.card, Path(scene.path).name)
    windows, resampled = _windows([scene for scene, _ in fitted], lattice, config.grid.resampling)
    window, wkt = _place(area, lattice, config, windows, simple=not resampled and len(windows) == 1)
    if not any(w.intersect(window) for w in windows):
        raise DataError("no scene covers a pixel of the area; name other scenes, or another area")
    patches = patch_plan(config.tiling, bundle.card, config.views)
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
        views=ViewPlan(config.views.symmetry, tuple(config.views.scales), bundle.card.stride),
        machine=choose_machine(config.compute),
        allow_partial=config.compute.allow_partial,
        max_seams=config.tiling.max_seams,
        probs=keeps_probs(products_of(config, bundle.card.class_names)),
        notes=tuple(_notes(area, asked, footprints, resampled)),
    )
    require_room(planned, bundle.card, out)
    return planned


def _lattice(asked: Request, card: Card, infos: Sequence[SceneInfo], area: AreaGeometry) -> Lattice:
    """One lattice for all dates, whichever of them is planned; only the headers of other dates' scenes are read.

    Args:
        asked: this date and the others.
        card: of the model.
        infos: the scenes of this date.
        area: what this date maps.
    """
    dated = {asked.date: infos, **{date: _infos(date, files, card) for date, files in asked.others.items()}}
    every = [info for date in sorted(dated) for info in dated[date]]
    if asked.config.area.scenes:
        area = read_area(asked.config.area, asked.folder, [_footprint(info) for info in every])
    return choose_lattice(asked.config.grid, card, every, area)


def _infos(date: str, files: Files, card: Card) -> list[SceneInfo]:
    """What the scenes of another date are. Raises `GeosegError`, naming the date."""
    try:
        return [fitted_scene(path, entry, card)[1] for path, entry in files]
    except (ConfigError, DataError, ModelError) as error:
        raise type(error)(f"{date}, whose grid this date shares: {error}") from error


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


def patch_plan(tiling: Tiling, card: Card, views: Views) -> PatchPlan:
    """Patches as the card recommends them, or as asked for; `exact` takes the network's whole field, and no blend.

    The card's halo grows with what an image pyramid makes of it; a halo that is asked for is taken as it is.

    Raises:
        ConfigError: sides that are no multiples of the stride, a blend that does not fit, or an exact halo that does
            not exist.
    """
    size, halo = tiling.patch_size or card.patch_size, tiling.halo
    blend = card.blend if tiling.blend is None else tiling.blend
    if tiling.exact:
        halo, blend = _exact_halo(card, views), 0
    if halo is None:
        halo = halo_for_views(size, card.halo, card.stride, views.scales)
    if size % card.stride or halo % card.stride:
        raise ConfigError(
            f"tiling: patch_size {size} and halo {halo} must be multiples of {card.stride}, the stride of {card.name}"
        )
    if blend > min(halo, size // 2):
        raise ConfigError(
            f"tiling: blend {blend} reaches beyond halo {halo} or half of patch_size {size}; "
            f"set it to at most {min(halo, size // 2)}"
        )
    return PatchPlan(size, halo, card.stride, blend)


def _exact_halo(card: Card, views: Views) -> int:
    """The network's whole field, in whole strides."""
    if card.radius is None:
        raise ConfigError(f"tiling: exact: model {card.name} sees everything at once, no halo is exact; leave it out")
    if views.scales != [1]:
        raise ConfigError(
            f"tiling: exact: enlarging a patch looks at its edge, no halo is exact for views: scales: {views.scales}; "
            "leave one of them out"
        )
    return -(-card.radius // card.stride) * card.stride


def check_scales(views: Views, gsd: float, card: Card) -> None:
    """Raises `ConfigError` where a scale shows the ground as coarse or as fine as the model has not seen it."""
    low, high = card.gsd_range
    for scale in views.scales:
        if not low <= gsd / scale <= high and scale != 1:
            raise ConfigError(
                f"views: scales: {scale:g} shows pixels of {gsd / scale:.3g} m; model {card.name} was trained for "
                f"{low:g} to {high:g} m. Use scales from {gsd / high:.3g} to {gsd / low:.3g}"
            )


def choose_machine(compute: Compute) -> Machine:
    """Device, number format, workers and threads; one worker a GPU, else one for four processor cores."""
    device = pick_device(compute.device)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    workers = compute.workers if compute.workers != "auto" else 1 if device == "cuda" else max(1, cores // 4)
    threads = compute.threads if compute.threads != "auto" else max(1, cores // workers)
    return Machine(device, pick_precision(compute.precision, device), threads, workers, compute.scheduler)


def _planned(scene: Scene, window: Window) -> PlannedScene:
    return PlannedScene(scene, window, fingerprint(*scene.paths), stamp(*scene.paths))


def _footprint(info: SceneInfo) -> Footprint:
    left, bottom, right, top = info.geobox.boundingbox.bbox
    return (left, bottom, right, top), str(info.geobox.crs)


def _notes(area: AreaGeometry, asked: Request, footprints: Sequence[Footprint], resampled: Sequence[str]) -> list[str]:
    config, notes = asked.config, [area.note] if area.note else []
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
            f"{', which all dates share' if asked.others else ''}"
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
        f"patches    {planned.patches.size} px + {planned.patches.halo} px halo{_blend(planned)}; "
        f"tiles of {planned.tile} px",
        *([] if planned.views.plain else [f"views      {_views(planned)}"]),
        f"machine    {machine.workers} x {machine.threads} threads on {machine.device}, {machine.precision}",
        *(f"note       {n}" for n in planned.notes),
    ]


def _blend(planned: Plan) -> str:
    return f", blended over {2 * planned.patches.blend} px" if planned.patches.blend else ""


def _views(planned: Plan) -> str:
    views = planned.views
    scales = ", ".join(f"{s:g}" for s in views.scales)
    return f"symmetry {views.symmetry}, scales {scales}: the network runs {views.count} times on each patch"
