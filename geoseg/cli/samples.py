"""Commands that sample a map and estimate its areas from interpreted points."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg.cli.group import FILE, geoseg

_SHARE = click.FloatRange(0, 1)


@geoseg.command()
@click.argument("classes", metavar="MAP", type=FILE)
@click.argument("out", type=FILE)
@click.option("--target", multiple=True, metavar="CLASS", help="Class whose area is wanted; may be repeated.")
@click.option(
    "--standard-error",
    type=click.FloatRange(0, min_open=True),
    help="Wanted: of overall accuracy (0.01); with --target, of its area as a share of its mapped area (0.1).",
)
@click.option("--points", type=click.IntRange(1), help="Points in all, in place of --standard-error.")
@click.option(
    "--allocation", type=click.Choice(["neyman", "equal", "proportional"]), default="neyman", show_default=True
)
@click.option("--min-points", type=click.IntRange(2), default=50, show_default=True, help="Of each stratum.")
@click.option("--buffer", type=click.IntRange(0, 200), default=0, show_default=True, help="Around --target, pixels.")
@click.option("--merge", multiple=True, metavar="CLASS=STRATUM", help="Put a small class into another stratum.")
@click.option("--accuracy", type=_SHARE, default=0.85, show_default=True, help="Guess: share of a class that is right.")
@click.option("--expect", multiple=True, metavar="CLASS=SHARE", help="The same guess for one class.")
@click.option("--omissions", type=_SHARE, default=0.005, show_default=True, help="Guess: target share of other strata.")
@click.option("--buffer-omissions", type=_SHARE, default=0.05, show_default=True, help="Guess: the same in the buffer.")
@click.option("--image", "images", multiple=True, type=FILE, help="Imagery for chips; repeat it for a second date.")
@click.option(
    "--bands", metavar="R,G,B", help="Numbers of the image's bands to show; else those named red, green, blue."
)
@click.option("--seed", type=click.IntRange(0, 2**62), default=0, show_default=True)
def sample(
    classes: Path,
    out: Path,
    target: tuple[str, ...],
    standard_error: float | None,
    points: int | None,
    allocation: str,
    min_points: int,
    buffer: int,
    merge: tuple[str, ...],
    accuracy: float,
    expect: tuple[str, ...],
    omissions: float,
    buffer_omissions: float,
    images: tuple[Path, ...],
    bands: str | None,
    seed: int,
) -> None:
    """Draw points of MAP at random within strata, for interpreters to label. OUT is a folder."""
    from geoseg.stages.map_strata import StratumRule
    from geoseg.stages.sample import SampleWish
    from geoseg.stages.sample import sample as stage

    wish = SampleWish(
        rule=StratumRule(target, buffer, tuple(_pairs(merge, "--merge"))),
        standard_error=standard_error or (0.1 if target else 0.01),
        points=points,
        allocation=allocation,  # type: ignore[arg-type]
        least=min_points,
        accuracy=accuracy,
        accuracies=tuple((name, _share(text)) for name, text in _pairs(expect, "--expect")),
        omissions=omissions,
        buffer_omissions=buffer_omissions,
        seed=seed,
    )
    for line in stage(classes, out, wish, images, _numbers(bands)):
        click.echo(line)


@geoseg.command()
@click.argument("sample", type=FILE)
@click.argument("labelled", type=FILE)
@click.argument("out", type=FILE)
@click.option("--map", "classes", type=FILE, help="The map, if it is no longer where it was sampled.")
def areas(sample: Path, labelled: Path, out: Path, classes: Path | None) -> None:
    """Estimate areas and accuracies from the LABELLED points of SAMPLE. OUT is a folder."""
    from geoseg.stages.areas import areas as stage

    for line in stage(sample, labelled, out, classes):
        click.echo(line)


def _pairs(texts: tuple[str, ...], option: str) -> list[tuple[str, str]]:
    pairs = [text.partition("=")[::2] for text in texts]
    if wrong := [text for text, (left, right) in zip(texts, pairs, strict=True) if not (left and right)]:
        raise click.UsageError(f"{option} {wrong[0]!r} must be written with one =, such as {option} CLASS=VALUE")
    return pairs


def _numbers(text: str | None) -> tuple[int, ...]:
    parts = text.split(",") if text else []
    if len(parts) not in (0, 3) or not all(part.strip().isdecimal() for part in parts):
        raise click.UsageError(f"--bands {text!r} must be three numbers of bands, such as 4,3,2")
    return tuple(int(part) for part in parts)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise click.UsageError(f"--expect {text!r} is no share between 0 and 1, such as 0.7")
    return share
