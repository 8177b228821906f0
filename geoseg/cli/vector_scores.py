"""Commands that score layers of footprints and roads against true ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli.group import FILE
from geoseg.cli.models import evaluate


@evaluate.command("buildings")
@click.argument("layer", type=FILE)
@click.argument("truth", type=FILE)
@click.argument("out", type=FILE)
@click.option(
    "--min-iou", type=click.FloatRange(0, 1, min_open=True), default=0.5, show_default=True, help="Of a match."
)
@click.option("--sizes", default="50,200,1000", show_default=True, help="Areas, m2, that divide classes of size.")
@click.option(
    "--distance", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="Boundary F1, metres."
)
def evaluate_buildings(layer: Path, truth: Path, out: Path, **options: Any) -> None:
    """Score footprints, LAYER, against TRUTH: found by size, and how far outlines are off. OUT is a folder."""
    from geoseg.stages.evaluate_vectors import BuildingOptions
    from geoseg.stages.evaluate_vectors import evaluate_buildings as stage

    for line in stage(layer, truth, out, BuildingOptions(**options)):
        click.echo(line)


@evaluate.command("roads")
@click.argument("layer", type=FILE)
@click.argument("truth", type=FILE)
@click.argument("out", type=FILE)
@click.option(
    "--buffer", type=click.FloatRange(0, min_open=True), default=3.0, show_default=True, help="A line is found, metres."
)
@click.option(
    "--snap", type=click.FloatRange(0, min_open=True), default=4.0, show_default=True, help="A place is found, metres."
)
@click.option(
    "--spacing", type=click.FloatRange(1), default=50.0, show_default=True, help="Between places on a line, metres."
)
@click.option("--sources", type=click.IntRange(1), default=1000, show_default=True, help="Places that paths start at.")
def evaluate_roads(layer: Path, truth: Path, out: Path, **options: Any) -> None:
    """Score centre lines, LAYER, against TRUTH: APLS, completeness and correctness. OUT is a folder."""
    from geoseg.stages.evaluate_vectors import evaluate_roads as stage
    from geoseg.vector.road_scores import RoadScoreSettings

    for line in stage(layer, truth, out, RoadScoreSettings(seed=0, **options)):
        click.echo(line)
