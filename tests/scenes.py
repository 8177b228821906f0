"""Towns drawn from rectangles on whole pixels, so that areas, lengths and IoU have exact answers; and their files.

`small_town` is twelve numbers; its areas can be checked by hand. GeoTIFFs are written by rasterio alone, so that
nothing of geoseg's own writers is needed to test its readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from affine import Affine

from tests.tiffs import write_tif

BUILDING, LAND, ROAD, VEGETATION, WATER = range(5)
COLOURS = {
    BUILDING: (190, 90, 70),
    LAND: (200, 190, 165),
    ROAD: (90, 90, 95),
    VEGETATION: (70, 100, 60),
    WATER: (30, 50, 70),
}
ORIGIN = (400_000.0, 2_800_000.0)  # left, top in UTM zone 40 N


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels of one class; later ones lie on earlier ones."""

    kind: int
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Scene:
    """A map of rectangles on land."""

    width: int
    height: int
    boxes: tuple[Box, ...]

    def classes(self) -> np.ndarray:
        """Truth, (height, width) uint8."""
        out = np.full((self.height, self.width), LAND, np.uint8)
        for b in self.boxes:
            out[b.top : b.top + b.height, b.left : b.left + b.width] = b.kind
        return out

    def image(self, dtype: str = "uint8", noise: float = 0.0, seed: int = 0) -> np.ndarray:
        """Red, green, blue, (3, height, width): the classes' colours, scaled to the type, with noise in its units."""
        top = 1.0 if dtype.startswith("float") else np.iinfo(dtype).max
        table = np.array([COLOURS[k] for k in sorted(COLOURS)]) / 255 * top
        pixels = table[self.classes()].transpose(2, 0, 1)
        pixels = pixels + np.random.default_rng(seed).normal(0, noise, pixels.shape) if noise else pixels
        return np.clip(pixels, 0, top).astype(dtype)

    def later(self, *boxes: Box) -> Scene:
        """The same ground after something was built or cleared."""
        return replace(self, boxes=(*self.boxes, *boxes))


def small_town() -> Scene:
    """64 x 48 px: 384 of road, 200 of building, 144 of water, 240 of vegetation, and 2104 of land."""
    return Scene(
        64,
        48,
        (
            Box(ROAD, 0, 20, 64, 6),
            Box(BUILDING, 4, 4, 10, 10),
            Box(BUILDING, 24, 6, 20, 5),
            Box(WATER, 50, 30, 12, 12),
            Box(VEGETATION, 4, 30, 20, 12),
        ),
    )


def write_scene(
    path: Path,
    image: np.ndarray,
    *,
    gsd: float = 0.8,
    crs: str | None = "EPSG:32640",
    origin: tuple[float, float] = ORIGIN,
    south_up: bool = False,
    names: Sequence[str] = (),
    nodata: float | None = None,
) -> Path:
    """A GeoTIFF of (band, height, width) or (height, width) pixels given north-up; `south_up` stores rows upwards."""
    left, top = origin
    height = image.shape[-2]
    transform = Affine(gsd, 0.0, left, 0.0, -gsd, top)
    if south_up:
        image, transform = image[..., ::-1, :], Affine(gsd, 0.0, left, 0.0, gsd, top - height * gsd)
    return write_tif(path, image, transform=transform, crs=crs, nodata=nodata, names=names)
