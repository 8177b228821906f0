"""The page of an evaluation: protocol, scores with intervals, confusion, reliability and the worst places.

One file that opens anywhere: pictures are inside, nothing is fetched, nothing runs, and all text is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.report.html_page import filled

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Measure:
    """A score and the ends of its 95 % interval; None where it has none."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """Such as `0.643`."""
        return "–" if self.value is None else f"{self.value:.3f}"

    @property
    def between(self) -> str:
        """Such as `0.612 to 0.671`; empty where there is no interval."""
        return "" if self.low is None or self.high is None else f"{self.low:.3f} to {self.high:.3f}"


@dataclass(frozen=True, slots=True)
class Headline:
    """One of the figures at the top of the page."""

    name: str
    measure: Measure
    meaning: str


@dataclass(frozen=True, slots=True)
class ClassLine:
    """One class of the table.

    Args:
        name, colour: as on maps.
        of_labels, of_map: its share of the compared pixels, 0 to 1.
        measures: in the order of the page's columns.
    """

    name: str
    colour: str
    of_labels: float
    of_map: float
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Ground that is mapped badly: what it is, and pictures of it as (heading, (height, width, 3) uint8)."""

    title: str
    note: str
    pictures: tuple[tuple[str, NDArray[np.uint8]], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page shows.

    Args:
        title, subtitle: text above.
        headlines: the figures at the top.
        protocol: what was compared, and how.
        columns: names of the measures of a class.
        classes: the table.
        grounds: name, pixels and headline measures of each scene, where there are several.
        matrix: (true class, mapped class) pixels.
        bins: (bin, 3) pixels, summed probability, hits; all 0 where probabilities are not known.
        places: the worst first.
    """

    title: str
    subtitle: str
    headlines: Sequence[Headline]
    protocol: Mapping[str, str]
    columns: Sequence[str]
    classes: Sequence[ClassLine]
    grounds: Sequence[tuple[str, int, Sequence[Measure]]]
    matrix: NDArray[np.int64]
    bins: NDArray[np.float64]
    places: Sequence[Place]


def page(shown: Page) -> str:
    """The page as HTML."""
    content = {"page": shown, "confusion": row_shares(shown.matrix), "reliability": bars(shown.bins)}
    return filled("evaluation.html", {"count": count_text}, **content)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin of the reliability diagram: mean probability, share of hits, share of all pixels."""

    left: float
    right: float
    confidence: float
    accuracy: float
    share: float


def bars(bins: NDArray[np.float64]) -> list[Bar]:
    """Bins that have pixels."""
    total, width = bins[:, 0].sum(), 1 / len(bins)
    return [
        Bar(i * width, (i + 1) * width, confidence / pixels, hits / pixels, pixels / total)
        for i, (pixels, confidence, hits) in enumerate(bins.tolist())
        if pixels
    ]


def row_shares(matrix: NDArray[np.int64]) -> list[list[float]]:
    """Of the pixels of each true class, the share mapped as each class; 0 in an empty row."""
    rows = matrix.sum(axis=1, keepdims=True)
    shares: list[list[float]] = np.divide(matrix, rows, out=np.zeros(matrix.shape), where=rows > 0).tolist()
    return shares


def framed(pixels: NDArray[np.uint8], top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
    """A copy of (height, width, 3) with a white and black line around a rectangle of it, drawn inside it."""
    out = pixels.copy()
    for inset, colour in ((0, _BLACK), (1, _WHITE), (2, _WHITE)):
        if 2 * inset >= min(height, width):
            break
        rows, cols = (top + inset, top + height - 1 - inset), (left + inset, left + width - 1 - inset)
        for row in rows:
            out[row, cols[0] : cols[1] + 1] = colour
        for col in cols:
            out[rows[0] : rows[1] + 1, col] = colour
    return out


def picture(
    image: NDArray[np.float32], valid: NDArray[np.bool_], limits: tuple[float, float] | None
) -> NDArray[np.uint8]:
    """Imagery (1 or 3, height, width) for the eye, (height, width, 3); black where it is not valid.

    Args:
        image: pixel values.
        valid: (height, width).
        limits: values shown as black and white; None takes the 2nd and 98th percentile.
    """
    out = np.zeros((3, *valid.shape), np.uint8)
    if valid.any():
        low, high = np.percentile(image[:, valid], (2, 98)) if limits is None else limits
        out[:] = np.clip((image - low) / max(high - low, 1e-9) * 255, 0, 255) * valid
    return np.ascontiguousarray(out.transpose(1, 2, 0))


def count_text(pixels: float) -> str:
    """Pixels as people read them: `812`, `45.3 kpx` or `12.6 Mpx`."""
    if pixels < 1e4:
        return f"{pixels:.0f} px"
    return f"{pixels / 1e3:.1f} kpx" if pixels < 1e6 else f"{pixels / 1e6:.1f} Mpx"
