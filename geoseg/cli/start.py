"""Commands that an analyst starts with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli.group import FILE, geoseg


@geoseg.command()
@click.argument("image", type=FILE)
@click.argument("out", type=FILE)
@click.option("--model", help="Name of a model (see geoseg models list) or bundle folder.")
def init(image: Path, out: Path, model: str | None) -> None:
    """Write a commented AOI file OUT for the GeoTIFF IMAGE."""
    from geoseg.stages.init import init as stage

    stage(image, out, model)
    click.echo(f"{out} is written; read it, then: geoseg check {out}")


@geoseg.command()
@click.argument("aoi", type=FILE)
@click.option("--deep", is_flag=True, help="Also decode every block of every scene.")
def check(aoi: Path, deep: bool) -> None:
    """Check the AOI file, its imagery and its model without computing anything."""
    from geoseg.stages.check import check as stage

    for line in stage(aoi, deep):
        click.echo(line)


@geoseg.command()
@click.argument("aoi", type=FILE)
@click.option("--results", type=FILE, default=Path("results"), show_default=True, help="Folder of all results.")
@click.option("--cores", type=click.IntRange(1), help="Processor cores to use; all by default.")
@click.option("--dry-run", is_flag=True, help="Only say which steps would run.")
def run(aoi: Path, results: Path, cores: int | None, dry_run: bool) -> None:
    """Make every product of an AOI file, resuming what was begun."""
    from geoseg.stages.run import run as stage

    stage(aoi, results, cores, dry_run)


@geoseg.command()
@click.argument("image", type=FILE)
@click.option("--model", required=True, help="Name of a model (see geoseg models list) or bundle folder.")
@click.option("--out", type=FILE, required=True, help="Folder of the results.")
@click.option("--bands", help="Names of the file's bands in order, such as red,green,blue.")
@click.option("--band-file", "band_files", type=(str, str), multiple=True, help="NAME FILE of a band in another file.")
@click.option("--nodata", help="Value that means no data, or none; replaces the file's tag.")
@click.option("--assume-crs", help="CRS of an image that carries none, such as EPSG:32640.")
@click.option("--gsd", type=float, help="Pixel side of the map in metres; the image's own by default.")
@click.option("--exact", is_flag=True, help="Take the network's whole field as halo: the untiled answer.")
@click.option("--max-seams", type=float, help="Share of labels that patch borders may change; see README.")
@click.option("--symmetry", type=click.Choice(["none", "mirror", "all"]), help="Average mirrored or turned views.")
@click.option("--scales", help="Average enlarged views, such as 0.75,1,1.5.")
@click.option("--products", help="What is made, such as landcover,roads; by default all that the classes allow.")
@click.option("--formats", help="Files of each layer besides GeoParquet: geojson,gpkg by default; or geojsonl.")
@click.option("--min-area", help="Smaller regions go to a neighbour, m2; by default 9 pixels.")
@click.option("--simplify", type=float, help="Pixels that a simplified boundary may be off; 0: pixel edges.")
@click.option("--smooth", is_flag=True, default=None, help="Round the boundaries of land cover, too.")
@click.option("--workers", type=click.IntRange(1), help="Processes that work on tiles.")
@click.option("--threads", type=click.IntRange(1), help="Processor threads of a worker.")
@click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]), help="Number format.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the network runs.")
@click.option("--allow-partial", is_flag=True, help="Finish although some pixels cannot be read.")
def segment(image: Path, model: str, out: Path, **options: Any) -> None:
    """Map one IMAGE without an AOI file."""
    from geoseg.stages.run import describe_layers
    from geoseg.stages.segment import SegmentOptions
    from geoseg.stages.segment import segment as stage

    figures = stage(image, model, out, SegmentOptions(**options))
    click.echo(f"{out}: {figures['pixels']['observed'] / 1e6:.1f} Mpx mapped; {describe_layers(figures)}")


@geoseg.command()
@click.option("--results", type=FILE, default=Path("results"), show_default=True, help="Folder of all results.")
def demo(results: Path) -> None:
    """Draw a town at two dates, map both, and compare with the truth; offline, in minutes."""
    from geoseg.stages.demo import demo as stage

    for line in stage(results):
        click.echo(line)
