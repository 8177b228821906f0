"""The demo: a town drawn at two dates, mapped like any area, and compared with a truth that is exact."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError
from geoseg.io.aoi_file import LoadedAoi, expand_scenes, load_aoi
from geoseg.io.image import write_picture
from geoseg.io.rasters import open_raster
from geoseg.raster.coding import UNOBSERVED
from geoseg.raster.scores import Scores, confusion
from geoseg.report.overview import ClassEntry
from geoseg.stages.demo_picture import Files, draw
from geoseg.stages.run import run

AOI = Path("aoi", "demo.yaml")


@dataclass(frozen=True, slots=True)
class Change:
    """Pixels that changed between the first and the last date, by (class before, class after)."""

    known: NDArray[np.int64]
    mapped: NDArray[np.int64]
    agreement: NDArray[np.int64]  # (2, 2): changed in truth, changed between the maps


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
    yield from compare(files_of(loaded, results), results / loaded.name / "overview.png")


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


def compare(dates: Sequence[Files], picture: Path) -> Iterator[str]:
    """Plain lines that say how well maps match their truth, and a picture of both.

    Raises:
        ConfigError: the maps' classes are not those of the truth.
    """
    entries = _entries(dates)
    names = [name for _, name, _ in entries]
    scores = [Scores(_matrix(d, len(entries))) for d in dates]
    yield "How well the maps match the truth, pixel by pixel:"
    yield from score_table([d.date for d in dates], scores, names)
    yield ""
    first, last = dates[0], dates[-1]
    with open_raster(last.truth) as raster:
        hectare = 1e4 / abs(raster.geobox.transform.a * raster.geobox.transform.e)  # pixels
    yield from change_lines(measure_change(first, last, len(entries)), names, hectare)
    yield ""
    told = "   ".join(
        f"{d.date}: overall accuracy {s.overall_accuracy:.3f}" for d, s in zip(dates, scores, strict=True)
    )
    write_picture(picture, draw(dates, f"A town that does not exist, so that the truth is exact.   {told}", entries))
    yield f"Look at   {picture}: image, map, truth and where they differ"
    yield f"Open      {last.classes} in QGIS: colours and class names come with it"
    yield f"          {last.classes.parent} has the polygons, the confidence and, in run.json, what made them"


def score_table(dates: Sequence[str], scores: Sequence[Scores], names: Sequence[str]) -> Iterator[str]:
    """Overall accuracy, mean IoU and IoU of each class, a column a date."""
    yield " " * 20 + "".join(f"{d:>12}" for d in dates)
    rows = [("overall accuracy", [s.overall_accuracy for s in scores]), ("mean IoU", [s.mean_iou for s in scores])]
    rows += [(f"IoU of {name}", [float(s.iou[i]) for s in scores]) for i, name in enumerate(names)]
    for label, values in rows:
        yield f"  {label:18}" + "".join(f"{v:12.3f}" for v in values)


def change_lines(change: Change, names: Sequence[str], hectare: float) -> Iterator[str]:
    """What changed, and what the plain difference of the two maps says of it; `hectare` in pixels."""
    known, mapped = (_cleared_built(m, names) for m in (change.known, change.mapped))
    (_, false), (missed, hit) = change.agreement
    yield "What changed between the dates:"
    yield f"  in truth             {known[0] / hectare:6.1f} ha cleared, {known[1] / hectare:6.1f} ha built on"
    yield f"  between the maps     {mapped[0] / hectare:6.1f} ha cleared, {mapped[1] / hectare:6.1f} ha built on"
    found, right = hit / max(hit + missed, 1), hit / max(hit + false, 1)
    yield f"  The maps show {found:.0%} of the changed ground; {right:.0%} of what they show did change."
    yield "  This is a plain difference: each error of either map counts as change. A change product is still to come."


def measure_change(first: Files, last: Files, count: int) -> Change:
    """Change between two dates in truth and between the maps. Memory does not grow with the rasters."""
    known, mapped = np.zeros((2, count, count), dtype=np.int64)
    agreement = np.zeros((2, 2), dtype=np.int64)
    with ExitStack() as opened:
        files = (first.truth, last.truth, first.classes, last.classes)
        rasters = [opened.enter_context(open_raster(f)) for f in files]
        for window in rasters[0].blocks():
            before, after, was, became = (r.read_classes(window) for r in rasters)
            known += confusion(before, after, count)
            mapped += confusion(was, became, count)
            seen = (was < UNOBSERVED) & (became < UNOBSERVED)
            agreement += confusion(_flags((before != after)[seen]), _flags((was != became)[seen]), 2)
    np.fill_diagonal(known, 0)
    np.fill_diagonal(mapped, 0)
    return Change(known, mapped, agreement)


def _flags(changed: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return changed.astype(np.uint8)


def _cleared_built(matrix: NDArray[np.int64], names: Sequence[str]) -> tuple[int, int]:
    """Pixels that lost their vegetation to bare land, and that became building or road."""
    green, land = names.index("vegetation"), names.index("land")
    built = [names.index("building"), names.index("road")]
    others = [i for i in range(len(names)) if i not in built]
    return int(matrix[green, land]), int(matrix[np.ix_(others, built)].sum())


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
