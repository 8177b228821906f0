"""A delivery folder after the fact: are its files still those that `run.json` lists?"""

from __future__ import annotations

from pathlib import Path

from geoseg.errors import ConfigError
from geoseg.io.commit import sha256
from geoseg.io.plan_file import read_object

FIGURES = "run.json"
PRODUCTS = (
    "landcover.tif",
    "confidence.tif",
    "landcover.parquet",
    "landcover.geojson",
    "landcover.qml",
    "confidence.qml",
)
ASIDE = ".changed"
_STYLES = ".qml"  # made to be edited


def put_aside_changed(folder: Path) -> list[str]:
    """Renames every product of `folder` that is not the file its `run.json` lists, so that it is made again.

    Snakemake goes by time alone and would take a product that was cut short or overwritten for a result.
    A damaged `run.json` is removed; it, too, is made again. Styles may be edited.

    Returns:
        Names of the files that were put aside, now called `NAME.changed`.
    """
    figures = folder / FIGURES
    if not figures.exists():
        return []
    try:
        listed = dict(read_object(figures)["files"])
    except (ConfigError, KeyError, TypeError, ValueError):
        figures.unlink()
        return []
    changed = [
        name
        for name, expected in listed.items()
        if not name.endswith(_STYLES) and (folder / name).is_file() and sha256(folder / name) != expected
    ]
    for name in changed:
        (folder / name).replace(folder / f"{name}{ASIDE}")
    return changed


def forget_figures(folder: Path) -> None:
    """Removes the `run.json` of maps that are about to be replaced: it would call the new ones changed."""
    (folder / FIGURES).unlink(missing_ok=True)
