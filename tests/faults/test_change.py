"""FAULTS G05, G06: areas of change in degrees and in Web Mercator."""

import json
import math

import geopandas
import numpy as np
import pytest
from affine import Affine
from pyproj import CRS, Transformer

from geoseg.config import Change
from geoseg.stages.change import change
from tests.stages.change_maps import deliver


@pytest.mark.parametrize("latitude", [0.0, 60.0, 80.0])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_G05_G06_change_in_degrees_or_mercator_has_the_areas_of_an_equal_area_twin(tmp_path, latitude, crs):
    """A clearing that is a disc of 6 km about a point, drawn on either grid."""
    twin = CRS(f"+proj=laea +lat_0={latitude} +lon_0=20 +ellps=WGS84 +units=m")
    asked = Change(transitions=["deforestation"], registration=0, min_area=0)
    areas = []
    for name, its in (("twin", twin), ("map", CRS(crs))):
        to_map = Transformer.from_crs(twin, its, always_xy=True)
        left, bottom, right, top = to_map.transform_bounds(-8_000, -8_000, 8_000, 8_000)
        step = min(right - left, top - bottom) / 300  # pixels are square in the CRS, not on the ground
        cols, rows = math.ceil((right - left) / step), math.ceil((top - bottom) / step)
        transform = Affine(step, 0, left, 0, -step, top)
        middles = transform @ np.meshgrid(np.arange(cols) + 0.5, np.arange(rows) + 0.5)
        x, y = Transformer.from_crs(its, twin, always_xy=True).transform(*middles)
        disc = np.hypot(x - 37, y - 91) < 6_000
        maps = np.zeros(disc.shape, np.uint8), np.where(disc, 1, 0).astype(np.uint8)
        days = ("2019-05-01", "2024-05-01")
        folders = [
            deliver(tmp_path / name / day, day, pixels, crs=its.to_wkt(), transform=transform)
            for day, pixels in zip(days, maps, strict=True)
        ]
        change(folders, tmp_path / name / "out", asked)
        figures = json.loads((tmp_path / name / "out/change.json").read_text())
        events = geopandas.read_parquet(tmp_path / name / "out/events.parquet")
        mapped = figures["transitions"]["deforestation"]["mapped_m2"]
        assert events["area_m2"].sum() == pytest.approx(mapped, rel=1e-6)
        areas.append(mapped)
    assert areas[0] == pytest.approx(np.pi * 6_000**2, rel=1e-3)
    assert areas[1] == pytest.approx(areas[0], rel=1e-3)
