"""The command line: flags in, one stage call, exit code out. Imports are inside, so that `--help` is quick."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

from geoseg import __version__
from geoseg.errors import ConfigError, GeosegError

FILE = click.Path(path_type=Path)
GROUPS = {
    "Start": ["init", "check", "run", "segment", "demo"],
    "Models": ["models", "train", "evaluate"],
    "Steps of a run": ["plan", "predict", "stitch", "landcover", "report", "town", "schemas"],
}


class Grouped(click.Group):
    """A group whose help lists commands by what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands under their headings, in the order of `GROUPS`."""
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                commands = [(n, self.commands[n].get_short_help_str(70)) for n in names]
                formatter.write_dl(commands)


@click.group(cls=Grouped, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def geoseg() -> None:
    """From satellite and aerial imagery to land-cover maps that can be defended.

    One YAML file names area, imagery, model and products; `geoseg run aoi/x.yaml` makes a folder of results.
    """


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
@click.option("--symmetry", type=click.Choice(["none", "mirror", "all"]), help="Average mirrored or turned views.")
@click.option("--scales", help="Average enlarged views, such as 0.75,1,1.5.")
@click.option("--workers", type=click.IntRange(1), help="Processes that work on tiles.")
@click.option("--threads", type=click.IntRange(1), help="Processor threads of a worker.")
@click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]), help="Number format.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the network runs.")
@click.option("--allow-partial", is_flag=True, help="Finish although some pixels cannot be read.")
def segment(image: Path, model: str, out: Path, **options: Any) -> None:
    """Map one IMAGE without an AOI file."""
    from geoseg.stages.segment import SegmentOptions
    from geoseg.stages.segment import segment as stage

    figures = stage(image, model, out, SegmentOptions(**options))
    click.echo(f"{out}: {figures['polygons']} polygons, {figures['pixels']['observed'] / 1e6:.1f} Mpx mapped")


@geoseg.command()
@click.option("--results", type=FILE, default=Path("results"), show_default=True, help="Folder of all results.")
def demo(results: Path) -> None:
    """Draw a town at two dates, map both, and compare with the truth; offline, in minutes."""
    from geoseg.stages.demo import demo as stage

    for line in stage(results):
        click.echo(line)


@geoseg.command()
@click.argument("recipe", type=FILE)
@click.option("--out", type=FILE, help="Folder of the bundle; needed but for a dry run.")
@click.option("--work", type=FILE, help="Folder of checkpoints and learning curves; runs/<recipe> by default.")
@click.option("--fold", type=click.IntRange(0), help="Fold of RECIPE's folds that is held out, from 0.")
@click.option("--dry-run", is_flag=True, help="Only check and count the data, and draw split and windows in --work.")
def train(recipe: Path, out: Path | None, work: Path | None, fold: int | None, dry_run: bool) -> None:
    """Fit the network of a RECIPE and write it as a bundle; goes on where it was stopped."""
    folder = work or Path("runs") / (recipe.stem if fold is None else f"{recipe.stem}-fold{fold}")
    if dry_run:
        from geoseg.stages.dry_run import dry_run as look

        for line in look(recipe, folder, fold):
            click.echo(line)
        return
    if out is None:
        raise ConfigError("--out is missing; name the folder of the bundle, or add --dry-run to only look at the data")
    from geoseg.stages.train import train as stage

    bundle = stage(recipe, out, folder, fold)
    for score in bundle.card.scores:
        click.echo(f"{score.data}: overall accuracy {score.overall_accuracy:.3f}, mean IoU {score.mean_iou:.3f}")
    for found in bundle.card.instance_scores:
        click.echo(f"{found.data}: AP at IoU 0.5 {found.ap50:.3f}, at 0.5 to 0.95 {found.ap:.3f}")
    click.echo(f"{out} is written")


@geoseg.group()
def evaluate() -> None:
    """Score a model or a map against labels, with intervals, on a page."""


@evaluate.command("model")
@click.argument("model")
@click.argument("recipe", type=FILE)
@click.option("--out", type=FILE, required=True, help="Folder of the scores and the page.")
@click.option(
    "--side",
    type=click.Choice(["test_on", "validate_on", "train"]),
    default="test_on",
    show_default=True,
    help="Which scenes of RECIPE to score on.",
)
@click.option("--fold", type=click.IntRange(0), help="Fold of RECIPE that is held out, from 0.")
@click.option("--symmetry", type=click.Choice(["none", "mirror", "all"]), help="Average mirrored or turned views.")
@click.option("--scales", help="Average enlarged views, such as 0.75,1,1.5.")
@click.option("--block", type=click.IntRange(16), default=256, show_default=True, help="Block of intervals, pixels.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the network runs.")
@click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]), help="Number format.")
@click.option("--threads", type=click.IntRange(1), help="Processor threads; all by default.")
def evaluate_model(model: str, recipe: Path, out: Path, **options: Any) -> None:
    """Score MODEL on the labelled scenes of RECIPE."""
    from geoseg.stages.evaluate import EvaluateOptions
    from geoseg.stages.evaluate import evaluate as stage

    for line in stage(model, recipe, out, EvaluateOptions(**options)):
        click.echo(line)


@evaluate.command("map")
@click.argument("landcover", type=FILE)
@click.argument("labels", type=FILE)
@click.option("--out", type=FILE, required=True, help="Folder of the scores and the page.")
@click.option("--confidence", type=FILE, help="The map's confidence.tif, to judge it, too.")
@click.option("--image", type=FILE, help="Imagery to show beside the worst places.")
@click.option("--attribute", help="Polygons: field that holds the class name.")
@click.option("--class", "classes", multiple=True, help="LABEL=CLASS where labels are called otherwise; repeat it.")
@click.option("--block", type=click.IntRange(16), default=256, show_default=True, help="Block of intervals, pixels.")
def evaluate_map(landcover: Path, labels: Path, out: Path, **options: Any) -> None:
    """Score the map LANDCOVER, a landcover.tif, against LABELS: a raster or polygons."""
    from geoseg.stages.evaluate_map import MapOptions
    from geoseg.stages.evaluate_map import evaluate_map as stage

    for line in stage(landcover, labels, out, MapOptions(**options)):
        click.echo(line)


@geoseg.group()
def models() -> None:
    """List, show, verify, import, convert, export and probe models."""


@models.command("list")
def list_models() -> None:
    """Models that come with geoseg, and those that were imported."""
    from geoseg.stages.models import catalogue as stage

    for line in stage():
        click.echo(line)


@models.command()
def architectures() -> None:
    """Networks that a recipe can name."""
    from geoseg.stages.models import architecture_lines as stage

    for line in stage():
        click.echo(line)


@models.command()
@click.argument("models", nargs=-1)
def verify(models: tuple[str, ...]) -> None:
    """Check cards, weights and networks of MODELS, by default of all that have a name."""
    from geoseg.stages.models import verify as stage

    for line in stage(models):
        click.echo(line)


@models.command("import")
@click.argument("folder", type=FILE)
def import_model(folder: Path) -> None:
    """Keep the bundle FOLDER, so that its name can be used everywhere."""
    from geoseg.stages.models import import_model as stage

    bundle = stage(folder)
    click.echo(f"{bundle.card.name} is in {bundle.folder}; use it as model: {bundle.card.name}")


@models.command()
@click.argument("file", type=FILE)
@click.option("--recipe", type=FILE, required=True, help="What the weights mean, and what to measure them on.")
@click.option("--out", type=FILE, required=True, help="Folder of the bundle.")
def convert(file: Path, recipe: Path, out: Path) -> None:
    """Make a bundle of FILE, a state dict saved by PyTorch (.pt, .pth, .ckpt)."""
    from geoseg.stages.convert import convert as stage

    stage(file, recipe, out)
    click.echo(f"{out} is written; see geoseg models show {out}")


@models.command()
@click.argument("model")
@click.option("--onnx", type=FILE, required=True, help="File to write.")
@click.option("--tile", type=click.IntRange(1), help="Fix the input to one square of this side, as Deepness asks.")
def export(model: str, onnx: Path, tile: int | None) -> None:
    """Write MODEL as ONNX, for other programs such as the QGIS plugin Deepness."""
    from geoseg.stages.export import export as stage

    for line in stage(model, onnx, tile):
        click.echo(line)


@models.command()
@click.argument("model")
def show(model: str) -> None:
    """What MODEL takes, what it answers, and how well."""
    from geoseg.stages.models import show as stage

    for line in stage(model):
        click.echo(line)


@models.command()
@click.argument("model")
@click.argument("image", type=FILE)
@click.option("--bands", help="Names of the file's bands in order, such as red,green,blue.")
def probe(model: str, image: Path, bands: str | None) -> None:
    """Measure MODEL's receptive field, and its labels on IMAGE at rising halos."""
    from geoseg.stages.models import probe as stage

    for line in stage(model, image, bands):
        click.echo(line)


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
@click.argument("classes", type=FILE)
@click.argument("confidence", type=FILE)
@click.argument("figures", type=FILE)
def landcover(classes: Path, confidence: Path, figures: Path) -> None:
    """Draw polygons of a class map beside it; write their FIGURES as JSON."""
    from geoseg.stages.landcover import landcover_of_map as stage

    stage(classes, confidence, figures)


@geoseg.command()
@click.argument("plan", type=FILE)
@click.argument("tiles", type=FILE)
@click.argument("landcover", type=FILE)
@click.argument("out", type=FILE)
def report(plan: Path, tiles: Path, landcover: Path, out: Path) -> None:
    """Gather the figures of a run in OUT, beside its products."""
    from geoseg.stages.report import report as stage

    stage(plan, tiles, landcover, out)


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


def main() -> None:
    """Entry point: every error an analyst can cause ends in one message and its exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("geoseg").setLevel(logging.INFO)
    for noisy in ("rasterio", "pyogrio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")  # it sets its own level when it is imported
    try:
        geoseg.main(standalone_mode=False)
    except GeosegError as error:
        _end(str(error), error.exit_code)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.UsageError as error:
        where = f"; see {error.ctx.command_path} --help" if error.ctx else ""
        _end(f"{error.format_message()}{where}", ConfigError.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end("stopped; run the same command again to go on", 130)


def _end(message: str, code: int) -> None:
    """Says what is wrong; a parent that drives this process finds message and code in a file, too."""
    click.echo(f"error: {message}", err=True)
    if path := os.environ.get("GEOSEG_ERROR_FILE"):
        from geoseg.io.commit import write_json

        write_json(Path(path), {"message": message, "exit_code": code})
    sys.exit(code)
