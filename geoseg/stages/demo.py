"""The demo: a town drawn at two dates, mapped like any area, and compared with a truth that is exact."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.config import Change, resolve
from geoseg.errors import ConfigError
from geoseg.io.aoi_file import LoadedAoi, expand_scenes, load_aoi
from geoseg.io.delivery import CHANGE
from geoseg.io.image import write_picture
from geoseg.io.rasters import open_raster
from geoseg.raster.coding import UNOBSERVED
from geoseg.raster.scores import Scores, confusion
from geoseg.report.overview import ClassEntry
from geoseg.stages.demo_change import change_lines, score_change
from geoseg.stages.demo_files import Files, MappedChange
from geoseg.stages.demo_picture import draw
from geoseg.stages.run import run

AOI = Path("aoi", "demo.yaml")


def demo(results: Path) -> Iterator[str]:
    """Runs `aoi/demo.yaml`, and says in plain lines how well its maps match the truth; leaves `overview.png`.

    Args:
        results: folder of all results; the demo's go to `demo/` in it.

    Raises:
        ConfigError: it is not called where `aoi/demo.yaml` is, or that file names a model of other classes.
        GeosegError: as the steps of a run do.
    """
    aoi = find_aoi()
    run(aoi, results, None, False)
    loaded = load_aoi(aoi)
    folder = results / loaded.name
    asked, mapped = loaded.config.change, folder / CHANGE / "change.tif"
    yield from compare(files_of(loaded, results), asked, mapped, folder / "overview.png")


def find_aoi() -> Path:
    """The demo's AOI file, which must be in this folder: its scenes are drawn beside it.

    Raises:
        ConfigError: it is not, with the folder to go to where that is known.
    """
    if AOI.is_file():
        return AOI
    checkout = Path(__file__).parents[2]
    there = f"cd {checkout}" if (checkout / AOI).is_file() else "get the repository of geoseg and change to its folder"
    raise ConfigError(
        f"the demo runs in geoseg's own folder, and {AOI} is not here; {there}, then: geoseg demo. "
        "To map an image of your own, start with: geoseg init IMAGE.tif my-area.yaml"
    )


def files_of(loaded: LoadedAoi, results: Path) -> list[Files]:
    """Scene, truth and map of each date; the truth lies beside the scene."""
    out = []
    for date in sorted(loaded.config.dates):
        scene = expand_scenes(loaded, date)[0][0]
        truth = scene.with_name(f"{scene.stem}_truth.tif")
        out.append(Files(date.isoformat(), scene, truth, results / loaded.name / date.isoformat() / "landcover.tif"))
    return out


def compare(dates: Sequence[Files], asked: Change, mapped: Path, picture: Path) -> Iterator[str]:
    """Plain lines that say how well maps match their truth, and a picture of both.

    Args:
        dates: maps and truth of the two dates.
        asked: what counts as change.
        mapped: the map of change, which need not be there.
        picture: where it goes.

    Raises:
        ConfigError: the maps' classes are not those of the truth.
    """
    entries = _entries(dates)
    names = [name for _, name, _ in entries]
    scores = [Scores(_matrix(d, len(entries))) for d in dates]
    yield "How well the maps match the truth, pixel by pixel:"
    yield from score_table([d.date for d in dates], scores, names)
    yield ""
    change = MappedChange(mapped, resolve(asked.transitions, names)) if mapped.is_file() else None
    yield from _change_told(dates, change)
    yield ""
    told = "   ".join(
        f"{d.date}: overall accuracy {s.overall_accuracy:.3f}" for d, s in zip(dates, scores, strict=True)
    )
    subtitle = f"A town that does not exist, so that the truth is exact.   {told}"
    write_picture(picture, draw(dates, subtitle, entries, change))
    last = dates[-1].classes
    yield f"Look at   {picture}: image, map, truth and where they differ"
    yield f"Open      {last} in QGIS: colours and class names come with it"
    yield f"          {last.parent} has the polygons, the confidence and, in run.json, what made them"
    if change is not None:
        yield f"          {mapped.parent} has the change, event by event; change.html tells of it"


def score_table(dates: Sequence[str], scores: Sequence[Scores], names: Sequence[str]) -> Iterator[str]:
    """Overall accuracy, mean IoU and IoU of each class, a column a date."""
    yield " " * 20 + "".join(f"{d:>12}" for d in dates)
    rows = [("overall accuracy", [s.overall_accuracy for s in scores]), ("mean IoU", [s.mean_iou for s in scores])]
    rows += [(f"IoU of {name}", [float(s.iou[i]) for s in scores]) for i, name in enumerate(names)]
    for label, values in rows:
        yield f"  {label:18}" + "".join(f"{v:12.3f}" for v in values)


def _change_told(dates: Sequence[Files], change: MappedChange | None) -> Iterator[str]:
    """The scores of the map of change."""
    if change is None:
        yield "There is no map of change: the AOI file has no change under products:"
        return
    with open_raster(dates[-1].truth) as raster:
        hectare = 1e4 / abs(raster.geobox.transform.a * raster.geobox.transform.e)  # pixels
    yield from change_lines(score_change(dates[0], dates[-1], change), [t.name for t in change.named], hectare)


def _entries(dates: Sequence[Files]) -> list[ClassEntry]:
    """Value, name and colour of each class, which maps and truth must agree on."""
    found = [(path, _classes(path)) for d in dates for path in (d.truth, d.classes)]
    wanted = found[0][1]
    for path, entries in found:
        if [e[:2] for e in entries] != [e[:2] for e in wanted]:
            raise ConfigError(
                f"{path} has the classes {', '.join(e[1] for e in entries)}; the demo's truth has "
                f"{', '.join(e[1] for e in wanted)}. Name a model of these classes in the AOI file, such as vhr-rgb"
            )
    return wanted


def _classes(path: Path) -> list[ClassEntry]:
    with open_raster(path) as raster:
        entries = json.loads(raster.tags().get("GEOSEG_CLASSES", "[]"))
    return [(value, name, colour) for value, name, colour in entries if value < UNOBSERVED]


def _matrix(files: Files, count: int) -> NDArray[np.int64]:
    total = np.zeros((count, count), dtype=np.int64)
    with open_raster(files.truth) as truth, open_raster(files.classes) as classes:
        if truth.geobox != classes.geobox:
            raise ConfigError(
                f"{files.classes} is not on the grid of {files.truth}; leave grid: and area: of the demo's AOI file "
                "as they were, so that map and truth can be compared pixel by pixel"
            )
        for window in truth.blocks():
            total += confusion(truth.read_classes(window), classes.read_classes(window), count)
    return total
