"""The picture that the demo leaves: the whole town and its busiest corner, at each date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from geoseg.grid.window import Window
from geoseg.io.label_values import class_entries
from geoseg.io.rasters import Raster, open_raster
from geoseg.report.overview import ClassEntry, Row, overview
from geoseg.stages.demo_files import Files, MappedChange, settled

SMALL = 512  # pixels a side of the whole town in the picture, about
DETAIL = 480  # pixels a side of the detail


def draw(
    dates: Sequence[Files], subtitle: str, entries: Sequence[ClassEntry], change: MappedChange | None = None
) -> bytes:
    """A PNG: the whole town at each date and what changed, then the same of the place where most of it did."""
    detail = busiest(dates[0].truth, dates[-1].truth)
    rows = []
    for place, window, marked in (("whole town", None, detail), ("detail", detail, None)):
        rows += [_row(d, f"{d.date}, {place}", window, marked) for d in dates]
        if change is not None:
            rows.append(_change_row(dates[0], dates[-1], change, f"change, {place}", window, marked))
    return overview("Demo: land cover at two dates", subtitle, rows, entries)


def busiest(first: Path, last: Path) -> Window:
    """The square of `DETAIL` pixels that shows most of all kinds of change between two class maps.

    Roots are added up, so that a little of every kind counts for more than much of one.
    """
    with open_raster(first) as before, open_raster(last) as after:
        whole = before.window
        step = _step(whole)
        old, new = (_reduced(r, whole, step) for r in (before, after))
    side = min(DETAIL, whole.width, whole.height)
    rich = np.zeros(old.shape)
    for kind in np.unique(new[old != new]):
        share = uniform_filter(((old != new) & (new == kind)).astype(np.float64), side // step, mode="constant")
        rich += np.sqrt(share.clip(0))
    row, col = np.unravel_index(rich.argmax(), rich.shape)
    top = min(max(int(row) * step - side // 2, 0), whole.height - side)
    left = min(max(int(col) * step - side // 2, 0), whole.width - side)
    return Window(left, top, side, side)


def _row(files: Files, label: str, window: Window | None, marked: Window | None) -> Row:
    """Panels of `window`, or of everything, reduced."""
    with ExitStack() as opened:
        scene, *maps = (opened.enter_context(open_raster(f)) for f in (files.scene, files.classes, files.truth))
        part = window or scene.window
        step = _step(part)
        classes, truth = (_reduced(r, part, step) for r in maps)
        gsd = abs(scene.geobox.transform.a) * step
        return Row(label, _averaged(scene, part, step), classes, truth, gsd, _frame(marked, step))


def _change_row(
    first: Files, last: Files, change: MappedChange, label: str, window: Window | None, marked: Window | None
) -> Row:
    """The same of what changed, on the image of the later date."""
    with ExitStack() as opened:
        files = (last.scene, first.truth, last.truth, change.path)
        scene, before, after, mapped = (opened.enter_context(open_raster(f)) for f in files)
        part = window or scene.window
        step = _step(part)
        truth = change.codes()[_reduced(before, part, step), _reduced(after, part, step)]
        kinds = [entry for entry in class_entries(mapped) or [] if 0 < entry[0] <= len(change.named)]
        gsd, found = abs(scene.geobox.transform.a) * step, settled(_reduced(mapped, part, step))
        return Row(label, _averaged(scene, part, step), found, truth, gsd, _frame(marked, step), kinds)


def _frame(marked: Window | None, step: int) -> tuple[float, float, float, float] | None:
    if marked is None:
        return None
    left, top, width, height = (v / step for v in (marked.col_off, marked.row_off, marked.width, marked.height))
    return left, top, width, height


def _step(part: Window) -> int:
    return max(1, max(part.width, part.height) // SMALL)


def _reduced(raster: Raster, part: Window, step: int) -> NDArray[np.uint8]:
    """One of `step` x `step` pixels of a class map, (height, width)."""
    middle = slice(step // 2, None, step)
    return np.concatenate([raster.read_classes(strip)[middle, middle] for strip in _strips(part, step)])


def _averaged(raster: Raster, part: Window, step: int) -> NDArray[np.uint8]:
    """Means of `step` x `step` pixels of an image's first three bands, (3, height, width)."""
    pieces = []
    for strip in _strips(part, step):
        pixels, _ = raster.read((1, 2, 3), strip, "none")
        blocks = pixels.reshape(3, strip.height // step, step, strip.width // step, step)
        pieces.append(blocks.mean(axis=(2, 4)).astype(np.uint8))
    return np.concatenate(pieces, axis=1)


def _strips(part: Window, step: int) -> Iterator[Window]:
    """`part` from top to bottom, sides whole multiples of `step`, so that it is never held whole."""
    height, width = (side // step * step for side in part.shape)
    for row in range(0, height, 64 * step):
        yield Window(part.col_off, part.row_off + row, width, min(64 * step, height - row))
