"""One picture of what was mapped: image, map, truth and where they differ, side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

ClassEntry = tuple[int, str, str]  # value, name, colour as #rrggbb

COLUMNS = ("Image", "Map", "Truth", "Where map and truth differ")
WIDTH = 1600  # pixels of the picture
_DPI = 100
_EDGE, _GAP, _SIDE = 14, 8, 34  # pixels: margin, between panels, for the label of a row
_HEAD, _FOOT = 104, 52  # pixels: titles above, legend below
_INK, _FAINT = "#22262b", "#6a7178"
_WRONG = np.array((176, 20, 132), dtype=np.uint8)  # no class has this colour
_NOTHING = np.array((232, 232, 232), dtype=np.uint8)
_STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Row:
    """One row of panels: the same ground seen, mapped and known.

    Args:
        label: at the left of the row.
        image: (3, height, width) uint8, red, green, blue.
        classes: (height, width) uint8, the map.
        truth: (height, width) uint8.
        gsd: metres a pixel of these arrays.
        frame: a rectangle to mark, (left, top, width, height) in pixels of these arrays; None for none.
        kinds: value, name and colour of what this row maps, where it is not the classes; drawn on the image in pale
            grey, which stays where the value is 0.
    """

    label: str
    image: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    gsd: float
    frame: tuple[float, float, float, float] | None = None
    kinds: Sequence[ClassEntry] = ()


def overview(title: str, subtitle: str, rows: Sequence[Row], entries: Sequence[ClassEntry]) -> bytes:
    """A PNG, 1600 pixels wide; the same arrays give the same bytes with the same matplotlib.

    Args:
        title, subtitle: text above.
        rows: panels, top to bottom, each of its own scale.
        entries: value, name and colour of each class; other values are drawn light grey.
    """
    panel = (WIDTH - 2 * _EDGE - _SIDE - 3 * _GAP) / len(COLUMNS)
    heights = [panel * row.image.shape[1] / row.image.shape[2] for row in rows]
    height = round(_HEAD + sum(heights) + _GAP * (len(rows) - 1) + _FOOT)
    figure = Figure((WIDTH / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    _write(figure, title, subtitle, height)
    top = float(_HEAD)
    for number, (row, high) in enumerate(zip(rows, heights, strict=True)):
        _label(figure, row.label, top + high / 2, height)
        for column, pixels in enumerate(_panels(row, entries)):
            left = _EDGE + _SIDE + column * (panel + _GAP)
            place = (left / WIDTH, 1 - (top + high) / height, panel / WIDTH, high / height)
            _draw(figure, place, pixels, row, COLUMNS[column] if number == 0 else "", with_scale=column == 0)
        top += high + _GAP
    _legend(figure, list(dict.fromkeys([*entries, *(kind for row in rows for kind in row.kinds)])), height)
    png = io.BytesIO()
    FigureCanvasAgg(figure).print_png(png, metadata={"Software": None})
    return png.getvalue()


def painted(classes: NDArray[np.uint8], entries: Sequence[ClassEntry]) -> NDArray[np.uint8]:
    """Colours of a class map, (height, width, 3); light grey where the value is no class."""
    table = np.tile(_NOTHING, (256, 1))
    for value, _, colour in entries:
        table[value] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return table[classes]


def differing(row: Row, entries: Sequence[ClassEntry]) -> NDArray[np.uint8]:
    """The image in pale grey, (height, width, 3), strongly coloured where what is mapped is not what is true."""
    values = [0, *(value for value, _, _ in row.kinds)] if row.kinds else [value for value, _, _ in entries]
    mapped = np.isin(row.classes, values)
    return np.where((mapped & (row.classes != row.truth))[..., None], _WRONG, _pale(row.image))


def _pale(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = image.mean(axis=0, dtype=np.float32)
    return (150 + 0.4 * grey).astype(np.uint8)[..., None].repeat(3, axis=2)


def scale_length(metres: float) -> float:
    """The longest of 1, 2, 5, 10, ... metres that fits into `metres`."""
    power = 10.0 ** np.floor(np.log10(metres))
    return float(max(step * power for step in _STEPS if step * power <= metres * (1 + 1e-9)))


def _panels(row: Row, entries: Sequence[ClassEntry]) -> list[NDArray[np.uint8]]:
    classes, truth = (_shown(values, row, entries) for values in (row.classes, row.truth))
    return [row.image.transpose(1, 2, 0), classes, truth, differing(row, entries)]


def _shown(values: NDArray[np.uint8], row: Row, entries: Sequence[ClassEntry]) -> NDArray[np.uint8]:
    if not row.kinds:
        return painted(values, entries)
    return np.where((values == 0)[..., None], _pale(row.image), painted(values, row.kinds))


def _draw(
    figure: Figure,
    place: tuple[float, float, float, float],
    pixels: NDArray[np.uint8],
    row: Row,
    heading: str,
    with_scale: bool,
) -> None:
    axes = figure.add_axes(place, xticks=[], yticks=[])
    axes.imshow(pixels, interpolation="antialiased", interpolation_stage="rgba", aspect="auto")
    for spine in axes.spines.values():
        spine.set(color="#b9bec4", linewidth=0.8)
    if heading:
        axes.set_title(heading, fontsize=12, color=_INK, pad=7)
    if row.frame is not None:
        left, top, width, height = row.frame
        axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor="white", linewidth=2.6))
        axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor="black", linewidth=1.2))
    if with_scale:
        _scale_bar(axes, row)


def _scale_bar(axes: Axes, row: Row) -> None:
    """A round length at the lower left, on a dark plate, so that it is seen on any ground."""
    height, width = row.image.shape[1:]
    metres = scale_length(width * row.gsd / 3)
    length, x, y = metres / row.gsd, 0.045 * width, height - 0.05 * width
    text = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    plate = (x - 0.02 * width, y - 0.065 * width)
    axes.add_patch(Rectangle(plate, length + 0.04 * width, 0.09 * width, color="black", alpha=0.55, linewidth=0))
    axes.plot([x, x + length], [y, y], color="white", linewidth=2.5, solid_capstyle="butt")
    axes.text(x + length / 2, y - 0.018 * width, text, color="white", fontsize=10, ha="center", va="bottom")


def _write(figure: Figure, title: str, subtitle: str, height: int) -> None:
    left = (_EDGE + _SIDE) / WIDTH
    figure.text(left, 1 - 16 / height, title, fontsize=18, color=_INK, va="top", weight="bold")
    figure.text(left, 1 - 48 / height, subtitle, fontsize=12, color=_FAINT, va="top")


def _label(figure: Figure, text: str, middle: float, height: int) -> None:
    x = (_EDGE + _SIDE / 2 - 4) / WIDTH
    figure.text(x, 1 - middle / height, text, rotation=90, fontsize=12, color=_INK, ha="center", va="center")


def _legend(figure: Figure, entries: Sequence[ClassEntry], height: int) -> None:
    patches = [Patch(facecolor=colour, edgecolor="#00000040", label=name) for _, name, colour in entries]
    patches.append(Patch(facecolor=tuple(_WRONG / 255), label="map differs from truth"))
    figure.legend(
        handles=patches,
        loc="center",
        bbox_to_anchor=(0.5, _FOOT / 2 / height),
        ncols=len(patches),
        frameon=False,
        fontsize=12,
        labelcolor=_INK,
        handlelength=1.4,
        handleheight=1.0,
    )
