"""The command that accounts for areas by zone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from geoseg.cli.group import FILE, geoseg

_DAY = click.DateTime(["%Y-%m-%d"])


@geoseg.command()
@click.argument("map_", metavar="MAP", type=FILE)
@click.argument("zones_", metavar="ZONES", type=FILE)
@click.argument("out", type=FILE)
@click.option("--name", metavar="FIELD", help="Field of ZONES that names them; `name` or their number by default.")
@click.option("--after", metavar="MAP2", type=FILE, help="A later map of the same pixels, to compare MAP with.")
@click.option("--from", "first", metavar="DATE", type=_DAY, help="Day of MAP, where it does not say so itself.")
@click.option("--to", "last", metavar="DATE", type=_DAY, help="Day of MAP2.")
@click.option("--exact", is_flag=True, help="Split pixels on borders by area; else their centre decides.")
def zones(
    map_: Path,
    zones_: Path,
    out: Path,
    name: str | None,
    after: Path | None,
    first: datetime | None,
    last: datetime | None,
    exact: bool,
) -> None:
    """Area of each class of MAP in each polygon of ZONES, and of each change to a later map. OUT is a folder."""
    from geoseg.stages.zones import ZoneOptions
    from geoseg.stages.zones import zones as stage

    days = [day.date() if day else None for day in (first, last)]
    for line in stage(map_, zones_, out, ZoneOptions(name, after, *days, exact)):
        click.echo(line)
