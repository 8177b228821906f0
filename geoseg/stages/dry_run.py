"""What a training would learn from, without training: counts in words, the split as a map, windows as a sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geoseg.config import Recipe
from geoseg.errors import DataError
from geoseg.grid.area import move, utm_or_equal_area
from geoseg.grid.window import Window
from geoseg.io.aoi_file import LoadedRecipe, load_recipe
from geoseg.io.image import write_picture
from geoseg.io.instance_labels import InstanceLabels
from geoseg.io.labelled import IGNORE, Labelled
from geoseg.nn.instance_fitting import painted_objects
from geoseg.nn.windows import Windows
from geoseg.report.contact_sheet import Sheet, contact_sheet, shown
from geoseg.report.split_map import SIDE_NAMES, MapScene, split_map
from geoseg.stages.data_checks import SIDES, SurveyedSplit, survey_split
from geoseg.stages.fit_setup import window_settings
from geoseg.stages.instance_training import instance_drawer, open_instances
from geoseg.stages.sampling import Survey
from geoseg.stages.split import open_split

SHEET = 12  # windows on the sheet
ROWS = 240  # of a scene, in which the map looks for labels
LONLAT = "EPSG:4326"
Labels = NDArray[np.int64]


def dry_run(recipe: Path, work: Path, fold: int | None) -> Iterator[str]:
    """Checks a recipe's data as training does, tells what is there, and draws `split.png` and `windows.png` in `work`.

    Args:
        recipe: the recipe.
        work: folder of the pictures.
        fold: which fold is held out, from 0; None for none.

    Raises:
        GeosegError: whatever would stop the training before its first step.
    """
    loaded = load_recipe(recipe)
    plan = loaded.config
    yield f"recipe     {plan.name}: {plan.architecture} on {plan.encoder}, windows of {plan.window} px"
    yield f"scale      {plan.network_gsd:g} m"
    if plan.task == "instances":
        yield from _dry_run_of_objects(loaded, work, fold)
        return
    found = survey_split(open_split(plan, loaded.folder, fold), plan)
    yield from _scene_lines(found)
    yield from _class_lines(found, plan)
    yield from (f"warning    {text}" for text in found.warnings)
    title = plan.name if fold is None else f"{plan.name}, fold {fold}"
    write_picture(work / "split.png", draw_split(title, found))
    windows = Windows(found.drawer(plan), window_settings(plan), (0, SHEET))
    write_picture(work / "windows.png", draw_windows(title, windows, plan, lambda labels: labels))
    yield f"drawn      {work / 'split.png'}, {work / 'windows.png'}"


def _dry_run_of_objects(loaded: LoadedRecipe, work: Path, fold: int | None) -> Iterator[str]:
    """The same for a recipe of objects: these are counted in place of pixels."""
    plan = loaded.config
    found = open_instances(loaded, fold)
    titles = {side: len(found[side]) for side in SIDES if found[side]}
    yield f"{'class':<24}" + "".join(f"{SIDE_NAMES[side]:>22}" for side in titles)
    for index, entry in enumerate(plan.classes):
        counts = (sum(o.index == index for labels in found[side] for o in labels.objects) for side in titles)
        yield f"{entry.name:<24}" + "".join(f"{count:>14,} objects" for count in counts)
    scenes = [(side, labels) for side in SIDES for labels in found[side]]
    crs = _common_crs([labels.labelled for _, labels in scenes])
    drawn = [_object_scene(side, labels, crs) for side, labels in scenes]
    write_picture(work / "split.png", split_map(f"Split of {plan.name}", "Objects of each scene", drawn))
    windows = Windows(instance_drawer(found["train"], plan), window_settings(plan), (0, SHEET))
    write_picture(work / "windows.png", draw_windows(plan.name, windows, plan, painted_objects))
    yield f"drawn      {work / 'split.png'}, {work / 'windows.png'}"


def _object_scene(side: str, labels: InstanceLabels, crs: str) -> MapScene:
    """A scene with the rectangles of its objects."""
    scene = labels.labelled
    boxes = [scene.lattice.geobox(o.window).extent.geom for o in labels.objects]
    ground: BaseGeometry = shapely.union_all(boxes).intersection(scene.ground)
    shapes = (_moved(geometry, scene, crs) for geometry in (scene.ground, ground))
    return MapScene(names([scene])[0], side, *shapes, f"{_area_text(scene)}, {len(labels.objects)} objects")


def _scene_lines(found: SurveyedSplit) -> Iterator[str]:
    """Size of each scene, and how much of it is labelled."""
    for side, name, scene, survey in _all(found):
        size = f"{scene.extent.width} x {scene.extent.height} px"
        words = f"{_area_text(scene):>10}  labelled {_share(scene, survey)}"
        yield f"{SIDE_NAMES[side]:<11}{name:<28} {size:>16} {words}"


def _class_lines(found: SurveyedSplit, plan: Recipe) -> Iterator[str]:
    """Labelled pixels of each class on each side."""
    sides = [side for side in SIDES if _scenes(found, side)]
    totals = {side: np.sum([s.pixels for s in found.surveys[side]], axis=0) for side in sides}
    yield f"{'class':<24}" + "".join(f"{SIDE_NAMES[side]:>22}" for side in sides)
    for index, entry in enumerate(plan.classes):
        yield f"{entry.name:<24}" + "".join(_count(totals[s][index], totals[s].sum()) for s in sides)
    yield f"{'all':<24}" + "".join(_count(totals[s].sum(), totals[s].sum()) for s in sides)


def _count(pixels: int, total: int) -> str:
    return f"{pixels:>13,} {100 * pixels / max(total, 1):6.2f} %"


def draw_split(title: str, found: SurveyedSplit) -> bytes:
    """The split as a map in one CRS: that of the scenes where they agree, else one that suits them all."""
    crs = _common_crs([scene for _, _, scene, _ in _all(found)])
    scenes = []
    for side, name, scene, survey in _all(found):
        outline, labelled = (_moved(g, scene, crs) for g in (scene.ground, _labelled(scene)))
        note = f"{_area_text(scene).replace('m2', 'm²')}, {_share(scene, survey)}"
        scenes.append(MapScene(name, side, outline, labelled, note))
    counts = [f"{len(_scenes(found, side))} to {SIDE_NAMES[side]}" for side in SIDES if _scenes(found, side)]
    subtitle = f"Scenes: {', '.join(counts)}; share of each that is labelled"
    return split_map(f"Split of {title}", subtitle, scenes)


def draw_windows(title: str, windows: Windows, plan: Recipe, classes: Callable[[Labels], Labels]) -> bytes:
    """The first windows of the training, varied as they will be; `classes` makes class indices of their labels."""
    pairs = [windows.window(number) for number in range(SHEET)]
    images = np.stack([image.numpy() for image, _ in pairs])
    pictures = shown(images[:, _bands_to_show(plan.bands)])
    sheets = [
        Sheet(_caption(windows.name(number)), picture, classes(labels.numpy()).astype(np.uint8))
        for number, (picture, (_, labels)) in enumerate(zip(pictures, pairs, strict=True))
    ]
    entries = [(index, c.name, c.colour) for index, c in enumerate(plan.classes)]
    metres = plan.window * plan.network_gsd
    across = f"{metres / 1000:.3g} km" if metres >= 1000 else f"{metres:.3g} m"
    subtitle = f"{plan.window} px, about {across} across, as the network gets them, stretched to be seen; labels beside"
    return contact_sheet(f"First windows of {title}", subtitle, sheets, entries)


def names(scenes: Sequence[Labelled]) -> list[str]:
    """File names without their end; with their folder where that is not enough."""
    paths = [Path(scene.scene.path) for scene in scenes]
    short = [path.stem for path in paths]
    return short if len(set(short)) == len(set(paths)) else [f"{path.parent.name}/{path.stem}" for path in paths]


def _bands_to_show(bands: Sequence[str]) -> list[int]:
    """Places of red, green and blue; else the first three bands, or the only one three times."""
    true = [bands.index(name) for name in ("red", "green", "blue") if name in bands]
    return true if len(true) == 3 else [0, 1, 2] if len(bands) >= 3 else [0, 0, 0]


def _caption(name: str) -> str:
    """`tile4_image, 390100 east, 2788000 north` or `town 3` from a window's name."""
    source, _, rest = name.partition(", ")
    if source.startswith("town "):
        return source
    place = (part.split() for part in rest.split(" and "))
    return ", ".join([Path(source).stem, *(f"{float(words[0]):.0f} {words[-1]}" for words in place)])


def _labelled(scene: Labelled) -> BaseGeometry:
    """The labelled ground in the lattice's CRS, as seen in every so many rows and columns."""
    extent = scene.extent
    step = max(1, max(extent.shape) // ROWS)
    boxes = [
        scene.lattice.geobox(
            Window(col, row, min(width, extent.right - col), min(step, extent.bottom - row))
        ).extent.geom
        for row in range(extent.row_off, extent.bottom, step)
        for col, width in _runs(
            scene.classes(Window(extent.col_off, row, extent.width, 1))[0, ::step] != IGNORE, step, extent
        )
    ]
    ground: BaseGeometry = shapely.union_all(boxes).intersection(scene.ground)
    return ground


def _runs(labelled: NDArray[np.bool_], step: int, extent: Window) -> Iterator[tuple[int, int]]:
    """First column and width of each unbroken run of every `step`th pixel of a row."""
    edges = np.flatnonzero(np.diff(labelled, prepend=False, append=False))
    for start, stop in edges.reshape(-1, 2):
        yield extent.col_off + int(start) * step, int(stop - start) * step


def _moved(geometry: BaseGeometry, scene: Labelled, crs: str) -> BaseGeometry:
    moved = move(geometry, scene.lattice.crs, crs)
    if moved is None:
        raise DataError(f"{scene.scene.path} cannot be shown in one map with the other scenes; check its CRS")
    return moved


def _common_crs(scenes: Sequence[Labelled]) -> str:
    found = {scene.lattice.crs for scene in scenes}
    if len(found) == 1:
        return found.pop()
    return utm_or_equal_area(shapely.union_all([_moved(scene.ground, scene, LONLAT) for scene in scenes]))


def _area_text(scene: Labelled) -> str:
    square = scene.ground.area * scene.lattice.metres_per_unit**2
    return f"{square / 1e6:.3g} km2" if square >= 1e5 else f"{square:.0f} m2"


def _share(scene: Labelled, survey: Survey) -> str:
    pixels = scene.ground.area / scene.lattice.resolution**2
    return f"{min(100.0, 100 * float(survey.pixels.sum()) / pixels):.3g} %"


def _scenes(found: SurveyedSplit, side: str) -> list[Labelled]:
    scenes: list[Labelled] = getattr(found.split, side)
    return scenes


def _all(found: SurveyedSplit) -> Iterator[tuple[str, str, Labelled, Survey]]:
    """Side, name, scene and survey of every scene, side by side."""
    for side in SIDES:
        scenes = _scenes(found, side)
        for name, scene, survey in zip(names(scenes), scenes, found.surveys[side], strict=True):
            yield side, name, scene, survey
