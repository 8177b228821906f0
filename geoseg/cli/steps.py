"""Commands of the steps that a run is made of."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg.cli.group import FILE, geoseg


@geoseg.command()
@click.argument("aoi", type=FILE)
@click.argument("date")
@click.argument("out", type=FILE)
def plan(aoi: Path, date: str, out: Path) -> None:
    """Resolve and check one DATE of an AOI file; write the plan OUT."""
    from geoseg.stages.plan import plan as stage

    stage(aoi, date, out)


@geoseg.command()
@click.argument("plan", type=FILE)
@click.argument("out", type=FILE)
def predict(plan: Path, out: Path) -> None:
    """Compute the tiles of PLAN that are not there yet; write the manifest OUT."""
    from geoseg.stages.predict import predict as stage

    stage(plan, out)


@geoseg.command()
@click.argument("plan", type=FILE)
@click.argument("tiles", type=FILE)
@click.argument("out", type=FILE)
def stitch(plan: Path, tiles: Path, out: Path) -> None:
    """Put the TILES of PLAN together as landcover.tif and confidence.tif in OUT."""
    from geoseg.stages.stitch import stitch as stage

    stage(plan, tiles, out)


@geoseg.command()
@click.argument("plan", type=FILE)
@click.argument("tiles", type=FILE)
@click.argument("out", type=FILE)
def probs(plan: Path, tiles: Path, out: Path) -> None:
    """Put the TILES of PLAN together as OUT, the probability of every class x 250."""
    from geoseg.stages.probs import probs as stage

    stage(plan, tiles, out)


@geoseg.command()
@click.argument("classes", type=FILE)
@click.argument("confidence", type=FILE)
@click.argument("figures", type=FILE)
@click.option("--settings", default="{}", help="Section vectors of an AOI file, as JSON.")
def landcover(classes: Path, confidence: Path, figures: Path, settings: str) -> None:
    """Draw polygons of a class map beside it; write their FIGURES as JSON."""
    from geoseg.config import Vectors, from_json
    from geoseg.stages.landcover import landcover_of_map as stage

    stage(classes, confidence, figures, from_json(Vectors, settings))


@geoseg.command()
@click.argument("classes", type=FILE)
@click.argument("confidence", type=FILE)
@click.argument("figures", type=FILE)
@click.option("--settings", default="{}", help="Section buildings of an AOI file, as JSON.")
def buildings(classes: Path, confidence: Path, figures: Path, settings: str) -> None:
    """Draw footprints of a class map's buildings beside it; write their FIGURES as JSON."""
    from geoseg.config import Buildings, from_json
    from geoseg.stages.map_layers import buildings_of_map as stage

    stage(classes, confidence, figures, from_json(Buildings, settings))


@geoseg.command()
@click.argument("classes", type=FILE)
@click.argument("confidence", type=FILE)
@click.argument("figures", type=FILE)
@click.option("--settings", default="{}", help="Section roads of an AOI file, as JSON.")
def roads(classes: Path, confidence: Path, figures: Path, settings: str) -> None:
    """Draw the network of a class map's roads beside it; write its FIGURES as JSON."""
    from geoseg.config import Roads, from_json
    from geoseg.stages.map_layers import roads_of_map as stage

    stage(classes, confidence, figures, from_json(Roads, settings))


@geoseg.command()
@click.argument("layer", type=FILE)
@click.argument("target", type=FILE)
def translate(layer: Path, target: Path) -> None:
    """Write the GeoParquet LAYER as TARGET: GeoJSON, one feature a line (.geojsonl), or GeoPackage."""
    from geoseg.stages.translate import translate as stage

    stage(layer, target)


@geoseg.command("vectors_check")
@click.argument("classes", type=FILE)
@click.argument("out", type=FILE)
def vectors_check(classes: Path, out: Path) -> None:
    """Prove that the layers beside a class map hold; write what was found as OUT."""
    from geoseg.stages.vectors_check import vectors_check as stage

    stage(classes, out)


@geoseg.command()
@click.argument("plan", type=FILE)
@click.argument("tiles", type=FILE)
@click.argument("out", type=FILE)
@click.argument("files", type=FILE, nargs=-1, required=True)
def report(plan: Path, tiles: Path, out: Path, files: tuple[Path, ...]) -> None:
    """Gather in OUT the figures of a run, whose FILES are delivered beside it or hold figures."""
    from geoseg.stages.report import report as stage

    stage(plan, tiles, out, files)


@geoseg.command()
@click.argument("date")
@click.argument("scene", type=FILE)
@click.argument("truth", type=FILE)
def town(date: str, scene: Path, truth: Path) -> None:
    """Draw the demo's town at DATE as the GeoTIFFs SCENE and TRUTH."""
    from geoseg.stages.town import town as stage

    stage(date, scene, truth)


@geoseg.command()
@click.argument("folder", type=FILE)
def schemas(folder: Path) -> None:
    """Write the JSON schemas of AOI files, recipes and cards into FOLDER."""
    from geoseg.stages.schemas import write_schemas

    write_schemas(folder)
