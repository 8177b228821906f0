"""GeoTIFFs for tests."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

ORIGIN = Affine(2.0, 0.0, 400_000.0, 0.0, -2.0, 2_800_000.0)  # 2 m pixels in UTM zone 40 N


def write_tif(path: Path, image: np.ndarray, *, transform: Affine | None = ORIGIN, crs="EPSG:32640", **profile) -> Path:
    """Write (band, height, width) or (height, width) pixels; `names` describes the bands, `mask` goes inside."""
    image = image[None] if image.ndim == 2 else image
    names, mask, colours = (profile.pop(key, None) for key in ("names", "mask", "colours"))
    count, height, width = image.shape
    options = {"count": count, "height": height, "width": width, "dtype": image.dtype.name, "crs": crs} | profile
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", transform=transform, **options) as file,
    ):
        file.write(image)
        if names:
            file.descriptions = names
        if mask is not None:
            file.write_mask(mask)
        if colours:
            file.write_colormap(1, colours)
    return path


def numbered(count: int, height: int, width: int, dtype: str = "uint16") -> np.ndarray:
    """Pixels that all differ, as far as the type allows, so that no swap can hide."""
    values = np.arange(1, count * height * width + 1).reshape(count, height, width)
    return values.astype(dtype)
