"""Delivery folders with maps as `geoseg run` writes them, for tests of change."""

import json

import numpy as np
import rasterio
from affine import Affine

NAMES = ("forest", "pasture", "building", "water")
TRANSFORM = Affine(10, 0, 500_000, 0, -10, 9_070_000)
PROFILE = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "tiled": True, "compress": "deflate"}


def deliver(folder, date, classes, confidence=None, *, names=NAMES, transform=TRANSFORM, crs="EPSG:32718", **tags):
    """A folder with both maps, all of confidence 230 unless one is given. `tags` replace those usual; None: without."""
    folder.mkdir(parents=True, exist_ok=True)
    if confidence is None:
        confidence = np.where(classes < 254, 230, 255).astype(np.uint8)
    entries = [[i, name, "#2040" + f"{60 + i}"] for i, name in enumerate(names)]
    said = {
        "GEOSEG_DATE": date,
        "GEOSEG_MODEL": "landsat-forest 1.0",
        "GEOSEG_MODEL_SHA256": "ab" * 32,
        "GEOSEG_CLASSES": json.dumps([*entries, [254, "unobserved", "#808080"]]),
        **tags,
    }
    height, width = classes.shape
    place = {"width": width, "height": height, "crs": crs, "transform": transform}
    for name, pixels in (("landcover.tif", classes), ("confidence.tif", confidence)):
        with rasterio.open(folder / name, "w", **PROFILE, **place) as file:
            file.write(pixels, 1)
            file.update_tags(**{key: text for key, text in said.items() if text is not None})
    return folder
