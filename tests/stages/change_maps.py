"""Delivery folders with maps as `geoseg run` writes them, for tests of change."""

import json

import numpy as np
import rasterio
from affine import Affine

NAMES = ("forest", "pasture", "building", "water")
TRANSFORM = Affine(10, 0, 500_000, 0, -10, 9_070_000)
PROFILE = {"driver": "GTiff", "dtype": "uint8", "nodata": 255, "tiled": True, "compress": "deflate"}


def deliver(
    folder, date, classes, confidence=None, *, probs=None, names=NAMES, transform=TRANSFORM, crs="EPSG:32718", **tags
):
    """A folder with its maps, all of confidence 230 unless one is given.

    Args:
        probs: (class, height, width) for a `probs.tif`; None: without.
        tags: replace those usual; None: without.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if confidence is None:
        confidence = np.where(classes < 254, 230, 255).astype(np.uint8)
    entries = [[i, name, "#2040" + f"{60 + i}"] for i, name in enumerate(names)]
    said = {
        "GEOSEG_DATE": date,
        "GEOSEG_MODEL": "landsat-forest 1.0",
        "GEOSEG_MODEL_SHA256": "ab" * 32,
        "GEOSEG_CARD_SHA256": "12" * 32,
        "GEOSEG_CLASSES": json.dumps([*entries, [254, "unobserved", "#808080"]]),
        **tags,
    }
    height, width = classes.shape
    place = {"width": width, "height": height, "crs": crs, "transform": transform}
    maps = {"landcover.tif": classes[None], "confidence.tif": confidence[None]}
    for name, pixels in (maps if probs is None else {**maps, "probs.tif": probs}).items():
        with rasterio.open(folder / name, "w", count=len(pixels), **PROFILE, **place) as file:
            file.write(pixels)
            file.update_tags(**{key: text for key, text in said.items() if text is not None})
    return folder
