"""The command that maps change between two dates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli.group import FILE, geoseg

if TYPE_CHECKING:
    from geoseg.raster.named_transitions import Transition

_PROBABILITY = click.FloatRange(0, 1, min_open=True)


@geoseg.command()
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
@click.argument("out", type=FILE)
@click.option(
    "--transition",
    "transitions",
    multiple=True,
    help="deforestation, say, or your own: NAME=FROM,FROM:TO,TO. Given several times, the first has precedence.",
)
@click.option("--seed", type=_PROBABILITY, default=0.6, show_default=True, help="An event must reach it somewhere.")
@click.option("--grow", type=_PROBABILITY, default=0.4, show_default=True, help="And have it everywhere.")
@click.option("--min-area", type=click.FloatRange(0), help="m2; smaller events are left out.  [default: 9 pixels]")
@click.option(
    "--registration", type=click.FloatRange(0), help="Pixels the dates may be off.  [default: told from the maps]"
)
@click.option("--plain", is_flag=True, help="Compare the mapped classes and nothing else.")
@click.option("--simplify", type=click.FloatRange(0), default=1.0, show_default=True, help="Outlines, pixels.")
def change(before: Path, after: Path, out: Path, transitions: tuple[str, ...], **options: Any) -> None:
    """Map change from the folder of results BEFORE to AFTER; OUT is a folder."""
    from geoseg.stages.change import change as stage
    from geoseg.stages.change_map import ChangeSettings

    if options["min_area"] is None:
        options["min_area"] = "auto"
    stage(before, after, out, ChangeSettings(tuple(map(_transition, transitions)), matrix=None, **options))


def _transition(text: str) -> str | Transition:
    """A ready-made name, or sets of classes."""
    from geoseg.errors import ConfigError
    from geoseg.raster.named_transitions import Transition

    name, given, sets = text.partition("=")
    if not given:
        return name
    before, colon, after = (part.strip() for part in sets.partition(":"))
    if not name or not before or not after or not colon:
        raise ConfigError(f"--transition {text!r} must be NAME=FROM,FROM:TO,TO, such as clearing=forest:pasture,crops")
    one, two = (tuple(c.strip() for c in part.split(",") if c.strip()) for part in (before, after))
    return Transition(name.strip(), one, two)
