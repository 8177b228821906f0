"""A delivery folder: which files it has, and after the fact, are they still those that `run.json` lists?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from geoseg.config import Product
from geoseg.errors import ConfigError, DataError
from geoseg.io.commit import sha256
from geoseg.io.json_file import read_object

FIGURES = "run.json"
CHECK = "vectors_check.json"
MAPS = ("landcover.tif", "confidence.tif", "landcover.qml", "confidence.qml")
LAYERS: dict[Product, tuple[str, ...]] = {
    "landcover": ("landcover",),
    "buildings": ("buildings",),
    "roads": ("roads", "road_nodes"),
}
GEOMETRY = {
    "landcover": "Polygon",
    "buildings": "Polygon",
    "roads": "LineString",
    "road_nodes": "Point",
    "events": "Polygon",
}
CHANGE = "change"  # the folder beside those of the dates
CHANGE_FIGURES = "change.json"
CHANGE_TABLES = ("annual.csv", "sensitivity.csv", "change.html")
FORMATS = ("geojson", "geojsonl", "gpkg")  # of a layer, besides GeoParquet
GRAPH = "roads.graphml"
CLASSES: dict[Product, tuple[str, ...]] = {"buildings": ("building", "buildings"), "roads": ("road", "roads")}
ASIDE = ".changed"
_STYLES = ".qml"  # made to be edited


def products_of(asked: Sequence[Product] | Literal["auto"], class_names: Sequence[str]) -> tuple[Product, ...]:
    """The products that are made, in their usual order.

    Args:
        asked: what an AOI file wants; auto: all that the classes allow.
        class_names: of the model.

    Raises:
        ConfigError: a product that no class of the model can give.
    """
    possible = [p for p in LAYERS if p not in CLASSES or has_class(p, class_names)]
    if asked == "auto":
        return tuple(possible)
    for product in asked:
        if product not in possible:
            raise ConfigError(
                f"products: {product} need a class called {CLASSES[product][0]}, and the model has "
                f"{', '.join(class_names)}; leave {product} out, or use another model"
            )
    return tuple(p for p in LAYERS if p in asked)


def has_class(product: Product, class_names: Sequence[str]) -> bool:
    """Whether there is a class that a product is made from."""
    return any(name in class_names for name in CLASSES[product])


def class_of(product: Product, class_names: Sequence[str]) -> int:
    """Index of the class that a product is made from. Raises `DataError` where there is none."""
    for index, name in enumerate(class_names):
        if name in CLASSES[product]:
            return index
    raise DataError(f"{product} need a class called {CLASSES[product][0]}; the map has {', '.join(class_names)}")


def layers(products: Sequence[Product]) -> list[str]:
    """Names of the vector layers of some products."""
    return [layer for product in products for layer in LAYERS[product]]


def files(products: Sequence[Product], formats: Sequence[str]) -> list[str]:
    """Names of everything that is delivered besides the figures.

    Args:
        products: what is made.
        formats: of the layers, besides GeoParquet.
    """
    made = [f"{layer}.{end}" for layer in layers(products) for end in ("parquet", *formats)]
    styles = [f"{layer}.qml" for layer in layers(products) if layer != "landcover"]
    graph = [GRAPH] if "roads" in products else []
    return [*MAPS, *made, *styles, *graph, CHECK]


def change_files(dates: int) -> list[str]:
    """Names of everything that is delivered of change over some dates, besides the figures."""
    maps = ["change", "change_probability", *(["change_date"] if dates > 2 else [])]
    rasters = [f"{name}.{end}" for name in maps for end in ("tif", "qml")]
    return [*rasters, *(f"events.{end}" for end in ("parquet", "geojson", "qml")), *CHANGE_TABLES]


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
