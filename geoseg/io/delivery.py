"""What is delivered: products, the files of each, and after the fact, are they still those that were made?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from geoseg.config import AoiFile, Product, resolve
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
FORMATS = ("geojson", "geojsonl", "gpkg")  # of a layer, besides GeoParquet
GRAPH = "roads.graphml"
PROBS = "probs.tif"
CLASSES: dict[Product, tuple[str, ...]] = {"buildings": ("building", "buildings"), "roads": ("road", "roads")}
CHANGE = "change"  # a folder beside those of the dates
CHANGE_FIGURES = "change.json"
SERIES = 3  # dates of which each change has a date of its own
CHANGE_TABLES = ("annual.csv", "sensitivity.csv", "change.html")
ZONES, ZONES_FROM_TO, ZONE_FIGURES = "zones", "zones_from_to", "zones.json"  # two folders, and a file in each
ZONE_FILES = ("zones.csv", "zones.parquet", "zones.geojson", ZONE_FIGURES)
FROM_TO_FILES = ("transitions.csv", *ZONE_FILES)
ASIDE = ".changed"
_STYLES = ".qml"  # made to be edited


def products_of(asked: AoiFile, class_names: Sequence[str]) -> tuple[Product, ...]:
    """The products that are made, in their usual order.

    Args:
        asked: what an AOI file wants; auto: all that its dates and sections and the classes allow, but probabilities.
        class_names: of the model.

    Raises:
        ConfigError: a product that no class of the model can give, change of one date or of classes that there are
            not, zones without their section.
    """
    products: dict[Product, str] = {  # and why not
        **{product: _why_no_layer(product, class_names) for product in LAYERS},
        "zones": "" if asked.zones else "zones need a section zones: with the file of their polygons; add it",
        "probs": "",
        "change": _why_no_change(asked, class_names),
    }
    wanted: list[Product]
    if asked.products == "auto":
        named = asked.change.transitions != "auto" and len(asked.dates) > 1  # by these, change is asked for
        wanted = [p for p, fault in products.items() if p != "probs" and (not fault or (p == "change" and named))]
    else:
        wanted = [p for p in products if p in asked.products]
    for product in wanted:
        if products[product]:
            raise ConfigError(f"products: {products[product]}, or leave {product} out")
    return tuple(wanted)


def _why_no_layer(product: Product, class_names: Sequence[str]) -> str:
    if product not in CLASSES or has_class(product, class_names):
        return ""
    return (
        f"{product} need a class called {CLASSES[product][0]}, and the model has {', '.join(class_names)}; use another "
        "model"
    )


def _why_no_change(asked: AoiFile, class_names: Sequence[str]) -> str:
    if len(asked.dates) == 1:
        return f"change is told from two dates or more, and there is only {next(iter(asked.dates))}; add a date"
    try:
        resolve(asked.change.transitions, class_names)
    except ConfigError as error:
        return f"change: transitions: {error}"
    return ""


def keeps_probs(products: Sequence[Product]) -> bool:
    """Whether the probability of every class is needed, not only that of the mapped one."""
    return "probs" in products or "change" in products


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
    return [layer for product in products for layer in LAYERS.get(product, ())]


def files(products: Sequence[Product], formats: Sequence[str]) -> list[str]:
    """Names of everything that is delivered of a date besides the figures.

    Args:
        products: what is made.
        formats: of the layers, besides GeoParquet.
    """
    made = [f"{layer}.{end}" for layer in layers(products) for end in ("parquet", *formats)]
    styles = [f"{layer}.qml" for layer in layers(products) if layer != "landcover"]
    graph = [GRAPH] if "roads" in products else []
    probs = [PROBS] if "probs" in products else []
    zones = [f"{ZONES}/{name}" for name in ZONE_FILES] if "zones" in products else []
    return [*MAPS, *probs, *made, *styles, *graph, *zones, CHECK]


def change_files(dates: int) -> list[str]:
    """Names of everything that is delivered of change over some dates, besides the figures."""
    maps = ["change", "change_probability", *(["change_date"] if dates >= SERIES else [])]
    rasters = [f"{name}.{end}" for name in maps for end in ("tif", "qml")]
    return [*rasters, *(f"events.{end}" for end in ("parquet", "geojson", "qml")), *CHANGE_TABLES]


def put_aside_changed(figures: Path) -> list[str]:
    """Renames every product that is not the file its `figures` list, so that it is made again.

    Snakemake goes by time alone and would take a product that was cut short or overwritten for a result.
    Damaged figures are removed; they, too, are made again. Styles may be edited.

    Args:
        figures: `run.json` or the like; what it lists under `files` lies beside and below it.

    Returns:
        Names of the files that were put aside, now called `NAME.changed`.
    """
    folder = figures.parent
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
