"""The command that maps change between dates."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg.cli.group import FILE, geoseg


@geoseg.command()
@click.argument("folders", metavar="FOLDER FOLDER...", type=FILE, nargs=-1, required=True)
@click.argument("out", type=FILE)
@click.option("--settings", default="{}", help="Section change of an AOI file, as JSON.")
def change(folders: tuple[Path, ...], out: Path, settings: str) -> None:
    """Map change over two or more dates, the FOLDERs of their results, earliest first; OUT is a folder."""
    from geoseg.config import Change, from_json
    from geoseg.stages.change import change as stage

    stage(folders, out, from_json(Change, settings))
