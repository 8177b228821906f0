"""How well the demo's map of change, and the plain difference of its two maps, match what changed in truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.io.rasters import open_raster
from geoseg.raster.coding import UNOBSERVED
from geoseg.raster.scores import confusion
from geoseg.stages.change_map import WITHIN_ERROR
from geoseg.stages.demo_files import Files, MappedChange, settled

_HEAD = "{:>8}{:>8}{:>11}{:>8}"


@dataclass(frozen=True, slots=True)
class ChangeScores:
    """Pixels by true value and mapped value, (transition + 1, transition + 1), 0 for none of the transitions.

    Args:
        product: of the map of change.
        plain: of the two maps compared pixel by pixel.
        aside: pixels that the map of change leaves open, as within registration error.
    """

    product: NDArray[np.int64]
    plain: NDArray[np.int64]
    aside: int


def score_change(first: Files, last: Files, change: MappedChange) -> ChangeScores:
    """Change between two dates in truth, by its map and between the maps, where that map observes it.

    Memory does not grow with the rasters.
    """
    size, codes, aside = len(change.named) + 1, change.codes(), 0
    product, plain = np.zeros((2, size, size), np.int64)
    with ExitStack() as opened:
        files = (first.truth, last.truth, first.classes, last.classes, change.path)
        rasters = [opened.enter_context(open_raster(f)) for f in files]
        for window in rasters[0].blocks():
            before, after, was, became, mapped = (r.read_classes(window) for r in rasters)
            seen, true = mapped < UNOBSERVED, codes[before, after]
            aside += int((mapped == WITHIN_ERROR).sum())
            product += confusion(true[seen], settled(mapped)[seen], size)
            plain += confusion(true[seen], codes[was, became][seen], size)
    return ChangeScores(product, plain, aside)


def change_lines(scores: ChangeScores, names: Sequence[str], hectare: float) -> Iterator[str]:
    """A row a transition, and what the columns mean; `hectare` in pixels."""
    width = max(len("urbanization"), *map(len, names))
    columns = _HEAD.format("ha", "error", "precision", "recall")
    yield f"{'What changed between the dates:':{width + 13}}{'change.tif':>35}  {'the two maps compared':>35}"
    yield f"  {'':{width}}{'truth, ha':>11}{columns}  {columns}"
    for value, name in enumerate(names, start=1):
        true = scores.product[value].sum() / hectare
        cells = (_cells(matrix, value, hectare) for matrix in (scores.product, scores.plain))
        yield f"  {name:{width}}{true:11.2f}" + "  ".join(cells)
    yield "  Precision is the share of what is mapped that did change so, recall that of what changed that is mapped."
    yield f"  change.tif leaves {scores.aside / hectare:.2f} ha open, no wider than the maps may be off each other."


def _cells(matrix: NDArray[np.int64], value: int, hectare: float) -> str:
    """Hectares, error of the area, precision and recall of one transition."""
    right, true, mapped = int(matrix[value, value]), int(matrix[value].sum()), int(matrix[:, value].sum())
    error = f"{mapped / true - 1:+.0%}" if true else "none"
    shares = (f"{right / n:.2f}" if n else "none" for n in (mapped, true))
    return _HEAD.format(f"{mapped / hectare:.2f}", error, *shares)
