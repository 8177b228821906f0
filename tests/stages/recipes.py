"""Recipes over small drawn scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import yaml

from tests.scenes import ORIGIN, small_town, write_scene
from tests.tiffs import write_tif

CLASSES = [
    {"name": n, "colour": c}
    for n, c in {
        "building": "#d7483d",
        "land": "#e0cfa4",
        "road": "#5b5f6b",
        "vegetation": "#4f9a55",
        "water": "#3f7fd0",
    }.items()
]


def place(
    folder: Path, name: str, east: float = 0.0, north: float = 0.0, shape: tuple[int, int] = (96, 128), **scene: Any
) -> dict[str, str]:
    """The small town, mirrored until it fills `shape`, and its labels; the entry of a recipe."""
    height, width = shape
    town, margin = small_town(), ((0, max(0, height - 48)), (0, max(0, width - 64)))
    image = np.pad(town.image(noise=12, seed=len(name)), ((0, 0), *margin), mode="symmetric")[:, :height, :width]
    truth = np.pad(town.classes(), margin, mode="symmetric")[:height, :width]
    origin = (ORIGIN[0] + east, ORIGIN[1] + north)
    path = write_scene(folder / f"{name}.tif", image, origin=origin, **scene)
    with rasterio.open(path) as file:
        write_tif(folder / f"{name}_labels.tif", truth, transform=file.transform, crs=file.crs)
    return {"image": f"{name}.tif", "labels": f"{name}_labels.tif"}


def recipe(folder: Path, train: list[dict[str, Any]], validate_on: list[dict[str, Any]], **changes: Any) -> Path:
    """A recipe file of a network small enough for tests."""
    fields = {
        "name": "small",
        "released": "2026-01-01",
        "description": "for tests",
        "licence": "CC0-1.0",
        "attribution": ["nobody"],
        "bands": ["red", "green", "blue"],
        "dtypes": ["uint8"],
        "value_range": [0, 255],
        "scale": 1 / 255,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "gsd": 0.8,
        "gsd_range": [0.5, 1.2],
        "classes": CLASSES,
        "train": train,
        "validate_on": validate_on,
        "encoder": "tu-mobilenetv2_035",
        "decoder_channels": [32, 24, 16, 12, 8],
        "steps": 4,
        "batch": 2,
        "window": 64,
        "validate_every": 4,
        "ema_decay": 0.5,
        "precision": "float32",
        "patch_size": 64,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**fields, **changes}))
    return path
