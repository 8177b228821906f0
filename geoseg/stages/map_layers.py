"""The layers of buildings and roads, written beside the maps that they are drawn from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from odc.geo.geobox import GeoBox

from geoseg.config import Buildings, Roads
from geoseg.errors import DataError
from geoseg.grid.instance import Instance
from geoseg.io.commit import write_json
from geoseg.io.delivery import GEOMETRY, GRAPH, class_of, has_class
from geoseg.io.graphml import write_graphml
from geoseg.io.label_values import class_entries
from geoseg.io.rasters import open_raster
from geoseg.io.vectors import write_layer
from geoseg.report.styles import buildings_qml, road_nodes_qml, roads_qml
from geoseg.stages.buildings import BuildingSettings, buildings, detected_buildings
from geoseg.stages.roads import RoadSettings, ground_step, roads
from geoseg.vector.footprints import FootprintRules

_TILE = 2048  # side of the tiles in which roads are thinned, pixels


def buildings_of_map(classes: Path, confidence: Path, figures: Path, asked: Buildings) -> None:
    """Writes `buildings.parquet` and its style beside a class map, and figures as JSON.

    Raises:
        DataError: the map cannot be used, or has no class of buildings.
    """
    names = _class_names(classes)
    road = class_of("roads", names) if has_class("roads", names) else None
    layer, found = buildings(classes, confidence, class_of("buildings", names), road, _settings(asked))
    write_layer(lambda: [layer], classes.parent / "buildings", ["parquet"], buildings_qml(), None)
    write_json(figures, {"features": len(layer), **found})


def write_detected(objects: Sequence[Instance], geobox: GeoBox, out: Path, asked: Buildings) -> dict[str, object]:
    """Writes `buildings.parquet` and its style into `out`, from objects that a detector found; its figures.

    Args:
        objects: in pixels of `geobox`, no two with a pixel in common.
        geobox: where they are.
        out: the folder.
        asked: how footprints are drawn.
    """
    layer, found = detected_buildings(objects, geobox, _settings(asked))
    write_layer(lambda: [layer], out / "buildings", ["parquet"], buildings_qml(), None)
    return {"features": len(layer), **found}


def _settings(asked: Buildings) -> BuildingSettings:
    rules = FootprintRules(
        asked.tolerance, asked.min_iou, asked.max_area_change, asked.radius, asked.trust, asked.outline_tolerance
    )
    return BuildingSettings(asked.min_area, asked.max_hole, asked.neck, rules)


def roads_of_map(classes: Path, confidence: Path, figures: Path, asked: Roads) -> None:
    """Writes `roads.parquet`, `road_nodes.parquet`, their styles and `roads.graphml` beside a class map, and figures.

    Raises:
        DataError: the map cannot be used, or has no class of roads.
    """
    names, folder = _class_names(classes), classes.parent
    blocked = (class_of("buildings", names),) if has_class("buildings", names) else ()
    with open_raster(classes) as raster:
        pixel = math.sqrt(math.prod(ground_step(raster)))
    values = {**asked.model_dump(), "tolerance": asked.tolerance * pixel}
    settings = RoadSettings(class_of("roads", names), blocked, **values, tile=_TILE)
    made = roads(classes, confidence, settings)
    for stem, frame, style in (
        ("roads", made.edges, roads_qml("width_mean_m")),
        ("road_nodes", made.nodes, road_nodes_qml()),
    ):
        write_layer(lambda frame=frame: [frame], folder / stem, ["parquet"], style, None, GEOMETRY[stem])
    write_graphml(made.edges, made.nodes, folder / GRAPH)
    write_json(figures, {"features": len(made.edges), **made.figures})


def _class_names(classes: Path) -> list[str]:
    """Of a map's classes, by value."""
    with open_raster(classes) as raster:
        entries = class_entries(raster)
    if entries is None:
        raise DataError(f"{classes} does not name its classes; name a landcover.tif that geoseg made")
    return [name for _, name, _ in sorted(entries)]
