"""Commands of models: train, evaluate, and what there is to know of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli.group import FILE, geoseg
from geoseg.errors import ConfigError


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
