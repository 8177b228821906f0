"""The demo's town at its two dates: a scene as a sensor would deliver it, and the truth that nobody else has."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import date as Date
from pathlib import Path
from typing import Final

from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from geoseg.errors import ConfigError
from geoseg.grid.window import Window
from geoseg.io.cog import write_cog
from geoseg.io.image import write_image
from geoseg.raster.coding import OUTSIDE
from geoseg.town.develop import develop
from geoseg.town.plan import plan_town
from geoseg.town.render import render
from geoseg.town.style import DEMO_STYLE
from geoseg.town.town import Town

log = logging.getLogger(__name__)

DATES: Final = (Date(2019, 5, 1), Date(2024, 5, 1))
SEED: Final = 2024  # training draws its towns from other seeds, and from styles that are never this one
SIDE: Final = 2048  # pixels
GSD: Final = 0.8  # metres
# In the open Adriatic, so that nobody takes the town for a real place; 0.3 m and 0.1 m off the whole pixels of the
# zone, as real scenes are.
CRS_NAME: Final = "EPSG:32633"
LEFT, TOP = 512_000.3, 4_750_000.1
CLASSES: Final = (  # in the order of `geoseg.town`
    ("building", "#d7483d"),
    ("land", "#e0cfa4"),
    ("road", "#5b5f6b"),
    ("vegetation", "#4f9a55"),
    ("water", "#3f7fd0"),
)


def town(date: str, scene: Path, truth: Path) -> None:
    """Draw the town at `date` as two GeoTIFFs on one grid.

    Args:
        date: one of `DATES`, year-month-day.
        scene: red, green and blue, uint8, as seen on that day in that day's light.
        truth: class of each pixel, uint8, with colours and names. Between the two dates it differs by what was
            cleared and built, and by nothing else.

    Raises:
        ConfigError: the town has no such date.
        MachineError: a file cannot be written.
    """
    number = _number(date)
    first = plan_town(SEED, SIDE, GSD, DEMO_STYLE)
    drawn = _later(first) if number else first
    geobox = GeoBox((SIDE, SIDE), Affine(GSD, 0.0, LEFT, 0.0, -GSD, TOP), CRS(CRS_NAME))
    write_image(scene, render(drawn, SEED + number), geobox, ("red", "green", "blue"), {"GEOSEG_TOWN": f"seed {SEED}"})
    entries = [(i, name, colour) for i, (name, colour) in enumerate(CLASSES)]
    write_cog(
        truth,
        [(Window(0, 0, SIDE, SIDE), drawn.classes())],
        geobox,
        nodata=OUTSIDE,
        overviews="mode",
        colours={i: (int(c[1:3], 16), int(c[3:5], 16), int(c[5:7], 16), 255) for i, _, c in entries},
        description="land cover, exact",
        tags={"GEOSEG_TOWN": f"seed {SEED}", "GEOSEG_CLASSES": json.dumps(entries)},
        band_category_names={i: name for i, name, _ in entries},
    )
    log.info("town: %s is drawn", date)


def _number(date: str) -> int:
    known = [d.isoformat() for d in DATES]
    if date not in known:
        raise ConfigError(f"the demo's town has no date {date!r}; it is drawn for {' and '.join(known)}")
    return known.index(date)


def _later(first: Town) -> Town:
    """The town five years on, seen by another sensor at another hour."""
    light = replace(DEMO_STYLE, sun_azimuth=2.2, sun_elevation=0.98, haze=0.02, gain=0.96, blur=0.6, noise=3.2)
    return replace(develop(first, SEED), style=light)
