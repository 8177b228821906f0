"""Writes the AOI file that an analyst starts from: what the image says is filled in, what it does not say is asked."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from datetime import date as Date
from pathlib import Path

from geoseg.errors import ConfigError
from geoseg.grid.area import crs_name, extent_text
from geoseg.io.aoi_file import aoi_name
from geoseg.io.bundle import shipped
from geoseg.io.commit import write_text
from geoseg.io.rasters import Raster, open_raster

log = logging.getLogger(__name__)

FALLBACK_MODEL = "vhr-rgb"
UNKNOWN_DAY = "2000-01-01"
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.:]?)(\d\d)\2(\d\d)(?!\d)")
_USUAL_ORDER = ("red", "green", "blue", "nir")


def init(image: Path, out: Path, model: str | None) -> None:
    """Write the commented AOI file `out` for the GeoTIFF `image`.

    Args:
        image: one scene, with a CRS.
        out: `<name>.yaml`; the name becomes that of the results.
        model: name of a shipped model or path of a bundle folder; None takes `vhr-rgb`.

    Raises:
        ConfigError: `out` exists, or its name cannot name results, or the path of `image` has control characters.
        DataError: `image` cannot be used as a scene.
    """
    name = aoi_name(out)
    if out.exists() or out.is_symlink():
        raise ConfigError(f"{out} exists and is left as it is; name another file, or remove it first")
    if not str(image).isprintable():
        raise ConfigError(f"the path {str(image)!r} has control characters; rename the file")
    folder = out.absolute().parent
    with open_raster(image) as raster:
        text = "\n".join(_lines(name, raster, _relative(image, folder), _model(model, folder))) + "\n"
    write_text(out, text)
    log.info("%s: written for %s", out, image)


def _lines(name: str, raster: Raster, image: str, model: str) -> Iterator[str]:
    """The file, line by line."""
    height, width = raster.shape
    day, source = guess_day(raster.path.name, raster.tags().get("TIFFTAG_DATETIME", ""))
    bounds, crs = tuple(raster.geobox.boundingbox.bbox), str(raster.geobox.crs)
    others = [m for m in shipped() if m != model]
    yield f"# Area of interest {name}. Paths are relative to this file. `geoseg check` tells whether it is right."
    yield f"# {_printable(raster.path.name)}: {width} x {height} px, {_pixel(raster)}, {raster.dtype}."
    yield f"# It lies at {extent_text([(bounds, crs)])}."
    yield ""
    yield "area:"
    yield "  scenes: true  # everything the scenes cover; or, instead of this line, one of:"
    yield "  # file: area.geojson  # polygons in longitude and latitude, or a GeoPackage"
    yield f"  # bounds: [{', '.join(f'{b:.12g}' for b in bounds)}]  # left, bottom, right, top"
    yield f"  # crs: {crs if len(crs) < 20 else 'EPSG:...'}  # of the bounds"
    yield ""
    yield "# grid:  # without this section: the scenes' own grid where they agree, else UTM or equal-area"
    yield "#   crs: auto"
    yield "#   gsd: auto  # metres"
    yield ""
    yield f"model: {_quoted(model)}" + (f"  # others: {', '.join(others)}" if others else "")
    yield ""
    yield "dates:"
    yield f"  {day}:  # {source}"
    yield "    scenes:  # earlier ones lie on top; globs such as '*.tif' are allowed"
    yield f"      - path: {_quoted(image)}"
    yield from _band_lines(raster)
    yield from _nodata_lines(raster)
    yield ""
    yield "# products: [landcover]  # without this line: also buildings and roads, where the model has such classes,"
    yield "#                         # and change, where there are two dates or more"


def _band_lines(raster: Raster) -> Iterator[str]:
    """The bands, if the file names them; else a proposal that is a comment: an order is never guessed."""
    names = [raster.band_names[i - 1] for i in raster.image_bands]
    alpha = raster.count - len(names)
    also = " and an alpha band" if alpha else ""
    if all(names):
        yield f"        # bands in the file: {', '.join(map(_printable, map(str, names)))}{also}"
        return
    usual = [*_USUAL_ORDER, *(f"band{i}" for i in range(5, len(names) + 1))][: len(names)]
    yield f"        # The file has {len(names)} image bands without names{also}. Write theirs, in file order, if right:"
    yield f"        # bands: [{', '.join(usual)}]"


def _nodata_lines(raster: Raster) -> Iterator[str]:
    if raster.nodata is None:
        yield "        # The file declares no nodata value. If it has one all the same:"
        yield "        # nodata: 0"
    else:
        yield f"        # nodata in the file: {raster.nodata:g}. To see every value as data: nodata: none"


def guess_day(name: str, tag: str) -> tuple[str, str]:
    """Day of acquisition and where it is from: a file's name, else the date it was made, else a placeholder.

    Args:
        name: file name; the first date in it counts, as 20240601 or 2024-06-01.
        tag: TIFFTAG_DATETIME, as 2024:06:01 10:00:00; often the day of processing.
    """
    for text, source in (
        (name, "from the file's name"),
        (tag, "when the file was made; is it the day of acquisition?"),
    ):
        for match in _DAY.finditer(text):
            try:
                return Date(int(match[1]), int(match[3]), int(match[4])).isoformat(), source
            except ValueError:
                continue
    return UNKNOWN_DAY, "a placeholder: write the day of acquisition"


def _pixel(raster: Raster) -> str:
    crs = raster.geobox.crs
    side = f"{abs(raster.geobox.resolution.x):.6g}"
    if crs.geographic:
        return f"pixels of {side} degrees in {crs_name(str(crs))}, so that the grid will be UTM or equal-area"
    unit = crs.units[0].replace("metre", "m")
    return f"pixels of {side} {unit} in {crs_name(str(crs))}"


def _relative(path: Path, folder: Path) -> str:
    """`path` as seen from `folder`; absolute where no way leads there, as between Windows drives."""
    try:
        return Path(os.path.relpath(path.absolute(), folder)).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def _model(model: str | None, folder: Path) -> str:
    if model is None:
        names = shipped()
        return FALLBACK_MODEL if FALLBACK_MODEL in names or not names else names[0]
    if model in shipped() or not Path(model).is_dir():
        return model
    return _relative(Path(model), folder)


def _quoted(text: str) -> str:
    """`text` as YAML: bare where that is safe, else in double quotes with JSON's escapes, which YAML shares."""
    plain = re.fullmatch(r"[A-Za-z./][\w./-]*", text, re.ASCII) and text.lower() not in ("true", "false", "null")
    return text if plain else json.dumps(text, ensure_ascii=False)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
