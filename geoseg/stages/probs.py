"""From tiles to the probability of every class: one cloud-optimized GeoTIFF with a band a class."""

from __future__ import annotations

import json
from pathlib import Path

from geoseg.errors import ConfigError
from geoseg.io.bundle import read_bundle
from geoseg.io.cog import cog_writer
from geoseg.io.delivery import forget_figures
from geoseg.io.plan_file import Plan
from geoseg.raster.coding import MAPS, NO_CONFIDENCE
from geoseg.stages.made_tiles import made_tiles
from geoseg.stages.stitch import class_entries, provenance


def probs(plan_path: Path, tiles: Path, out: Path) -> None:
    """Writes the calibrated probabilities x 250 to `out`. Memory does not grow with the map.

    The band of a pixel's class holds what the map of confidence holds. A tile that is missing or changed since it was
    computed is computed again first.

    Raises:
        ConfigError: the plan was made without probabilities.
        MachineError: the disk is full or failing.
    """
    plan = Plan.read(plan_path)
    if not plan.probs:
        raise ConfigError(
            f"{plan_path} keeps the probability of the mapped class only; name probs under products: in the AOI file "
            "and plan again"
        )
    made = made_tiles(plan, plan_path, tiles, "probs")
    card = read_bundle(plan.model).card
    numbers = range(MAPS + 1, MAPS + 1 + len(card.classes))
    tags = {**provenance(plan, card), "GEOSEG_CLASSES": json.dumps(class_entries(card))}
    forget_figures(out.parent)
    with cog_writer(
        out,
        plan.lattice.geobox(plan.window),
        bands=len(numbers),
        nodata=NO_CONFIDENCE,
        overviews="average",
        descriptions=tuple(card.class_names),
        tags=tags,
    ) as file:
        for window, bands in made.read(numbers):
            file.write(window, bands)
