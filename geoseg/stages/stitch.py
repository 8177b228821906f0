"""From tiles to two maps: classes and confidence, each one cloud-optimized GeoTIFF."""

from __future__ import annotations

import json
from pathlib import Path

from geoseg.config import Card
from geoseg.io.bundle import read_bundle
from geoseg.io.cog import Colour, write_cog
from geoseg.io.commit import write_text
from geoseg.io.delivery import forget_figures
from geoseg.io.map_pair import CARD_SHA256, MODEL, MODEL_SHA256
from geoseg.io.plan_file import Plan
from geoseg.raster.coding import NO_CONFIDENCE, OUTSIDE, UNOBSERVED
from geoseg.report.styles import confidence_qml, landcover_qml
from geoseg.stages.made_tiles import made_tiles

UNOBSERVED_COLOUR: Colour = (128, 128, 128, 255)


def stitch(plan_path: Path, tiles: Path, out: Path) -> None:
    """Writes `landcover.tif`, `confidence.tif` and their styles into `out`. Memory does not grow with the map.

    A tile that is missing or changed since it was computed is computed again first.

    Raises:
        MachineError: the disk is full or failing.
    """
    plan = Plan.read(plan_path)
    made = made_tiles(plan, plan_path, tiles, "stitch")
    card = read_bundle(plan.model).card
    forget_figures(out)
    geobox = plan.lattice.geobox(plan.window)
    tags = provenance(plan, card)
    write_cog(
        out / "landcover.tif",
        ((window, bands[0]) for window, bands in made.read((1,))),
        geobox,
        nodata=OUTSIDE,
        overviews="mode",
        colours=colours(card),
        description="land cover",
        tags={**tags, "GEOSEG_CLASSES": json.dumps(class_entries(card))},
        band_category_names={v: name for v, name, _ in class_entries(card)},
    )
    write_cog(
        out / "confidence.tif",
        ((window, bands[0]) for window, bands in made.read((2,))),
        geobox,
        nodata=NO_CONFIDENCE,
        overviews="average",
        description="probability of the mapped class x 250",
        tags=tags,
    )
    write_text(out / "landcover.qml", landcover_qml(class_entries(card)))
    write_text(out / "confidence.qml", confidence_qml())


def class_entries(card: Card) -> list[tuple[int, str, str]]:
    """Value, name and colour of each value of a class map, unobserved included."""
    entries = [(i, c.name, c.colour) for i, c in enumerate(card.classes)]
    return [*entries, (UNOBSERVED, "unobserved", "#{:02x}{:02x}{:02x}".format(*UNOBSERVED_COLOUR[:3]))]


def colours(card: Card) -> dict[int, Colour]:
    """Colour table of a class map; outside is transparent."""
    table = {v: (int(c[1:3], 16), int(c[3:5], 16), int(c[5:7], 16), 255) for v, _, c in class_entries(card)}
    return {**table, OUTSIDE: (0, 0, 0, 0)}


def provenance(plan: Plan, card: Card) -> dict[str, str]:
    """What made the map, as tags of its files."""
    return {
        "GEOSEG_AOI": plan.aoi,
        "GEOSEG_DATE": plan.date,
        MODEL: f"{card.name} {card.version}",
        MODEL_SHA256: card.weights_sha256,
        CARD_SHA256: plan.model_sha256,
    }
