"""Whether labelled points are the random sample of the map that they claim to be, and all of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import Transformer

from geoseg.errors import ConfigError, DataError
from geoseg.io.commit import sha256
from geoseg.io.rasters import Raster
from geoseg.io.sample_points import SamplePoint
from geoseg.io.small_file import check_regular, read_small
from geoseg.io.text_table import safe_text
from geoseg.stages.drawn import Drawing, Drawn, sample_points
from geoseg.stages.map_strata import MapStrata, StratumRule, Survey, seen

UNCLEAR = "unclear"  # what an interpreter writes where the imagery does not tell
MAX_BYTES = 20_000_000
MOST_BUFFER = 200  # pixels
MOVED = 0.05  # pixels: farther off, a point is not where it was drawn; files keep seven digits of a degree at least
ROUNDING = 2e-7  # degrees, for maps whose pixels are smaller than that is fine

_ADVICE = "take the points as they were written and fill in reference only"


@dataclass(frozen=True)
class SampleDesign:
    """What `sample.json` says.

    Args:
        path: of the file.
        classes: the map.
        map_sha256: its hash.
        seed: of the draw.
        rule: of the strata.
        counts: points of each stratum, by name.
        pixels: of each stratum, by name.
        points_sha256: of ids, strata and pixels of the points.
    """

    path: Path
    classes: Path
    map_sha256: str
    seed: int
    rule: StratumRule
    counts: dict[str, int]
    pixels: dict[str, int]
    points_sha256: str


def read_design(sample: Path) -> SampleDesign:
    """The design of a sample: its folder, or the `sample.json` in it.

    Raises:
        ConfigError: there is none.
        DataError: it is damaged.
    """
    path = sample / "sample.json" if sample.is_dir() else sample
    content = read_small(path, MAX_BYTES, ConfigError)
    try:
        root: dict[str, Any] = json.loads(content)
        rule = StratumRule(tuple(root["target"]), int(root["buffer_pixels"]), tuple((a, b) for a, b in root["merge"]))
        seed = int(root["seed"])
        if not (0 <= seed < 2**63 and 0 <= rule.buffer <= MOST_BUFFER):
            raise ValueError(f"seed {seed}, buffer {rule.buffer}")
        return SampleDesign(
            path,
            path.parent / root["map"]["path"],
            str(root["map"]["sha256"]),
            seed,
            rule,
            {str(s["name"]): int(s["points"]) for s in root["strata"]},
            {str(s["name"]): int(s["pixels"]) for s in root["strata"]},
            str(root["points_sha256"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} is no design that geoseg sample wrote ({type(error).__name__}: {error}); name the "
            "folder of the sample"
        ) from error


def require_map(design: SampleDesign, classes: Path) -> None:
    """Raise `DataError` unless `classes` is, byte by byte, the map that the sample was drawn from."""
    check_regular(classes, ConfigError)
    found = sha256(classes)
    if found != design.map_sha256:
        raise DataError(
            f"{classes} is not the map that the sample was drawn from (its sha256 starts with {found[:8]}, that of the "
            f"sample's map with {design.map_sha256[:8]}); name that map with --map, or draw a new sample of this one"
        )


def redraw(design: SampleDesign, raster: Raster) -> tuple[Survey, Drawn]:
    """The strata of the map and the points of the sample, made again from map, seed and allocation in one pass.

    Raises:
        DataError: they are not those that the design tells, so one of them was changed by hand.
    """
    strata = MapStrata(raster, design.rule)
    drawing = Drawing(raster, strata, design.counts, design.seed)
    survey = seen(strata.survey(drawing.add))
    names = survey.strata.names
    if absent := [name for name in names if name not in design.counts]:
        raise DataError(
            f"{design.path} lacks stratum {absent[0]}, which {raster.path} has, so a part of the map was never "
            "sampled; draw a new sample"
        )
    pixels = dict(zip(names, survey.strata.pixels.sum(axis=1).tolist(), strict=True))
    drawn = drawing.drawn()
    if pixels != design.pixels or drawn.sha256 != design.points_sha256:
        raise DataError(
            f"{design.path} was changed after the draw: its seed, strata and allocation do not give its points; take "
            "the file as it was written, or draw a new sample"
        )
    return survey, drawn


def require_all(points: Sequence[SamplePoint], drawn: Drawn, raster: Raster, path: Path) -> list[SamplePoint]:
    """The labelled points in the order of their ids.

    Raises:
        DataError: points are twice there, missing, added or moved, or are said to be of another stratum.
    """
    expected = sample_points(raster, drawn)
    if twice := [number for number, times in Counter(p.number for p in points).items() if times > 1]:
        raise DataError(f"{path} has point {twice[0]} twice{_more(twice)}; keep one label of each point")
    by_number = {point.number: point for point in points}
    if missing := [p.number for p in expected if p.number not in by_number]:
        raise DataError(
            f"{path} lacks point {missing[0]}{_more(missing)} of the {len(expected)} that were drawn; add them: a "
            f"sample whose points are chosen is random no more (write {UNCLEAR} where the imagery does not tell)"
        )
    if added := sorted(by_number.keys() - {p.number for p in expected}):
        raise DataError(f"{path} has point {added[0]}{_more(added)}, which was never drawn; {_ADVICE}")
    found = [by_number[point.number] for point in expected]
    named = zip(found, expected, strict=True)
    if other := [(f, e) for f, e in named if f.stratum not in (e.stratum, safe_text(e.stratum))]:
        was = other[0][1]
        raise DataError(
            f"{path}: point {was.number} was drawn from stratum {was.stratum}, not {other[0][0].stratum}; {_ADVICE}"
        )
    if moved := _moved(found, expected, raster):
        raise DataError(f"{path}: point {moved[0]}{_more(moved)} is not where it was drawn; {_ADVICE}")
    return found


def reference_classes(
    points: Sequence[SamplePoint], classes: tuple[str, ...], path: Path
) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Index of the class of each point, (point,); -1 where the interpreter could not tell.

    Raises:
        DataError: a point has no label yet, or one that names no class.
    """
    if empty := [point.number for point in points if not point.reference]:
        raise DataError(
            f"{path}: point {empty[0]}{_more(empty)} has no reference yet; interpret it, or write {UNCLEAR} where the "
            "imagery does not tell"
        )
    known = {safe_text(name): number for number, name in enumerate(classes)}  # as points.csv has it
    known |= {UNCLEAR: -1} | {name: number for number, name in enumerate(classes)}
    if unknown := [point for point in points if point.reference not in known]:
        point = unknown[0]
        near = get_close_matches(point.reference, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"write one of {', '.join(classes)}, or {UNCLEAR}"
        raise DataError(
            f"{path}: point {point.number} has the reference {point.reference}, no class of the map; {hint}"
        )
    return np.array([known[point.reference] for point in points], np.intp)


def _moved(found: Sequence[SamplePoint], expected: Sequence[SamplePoint], raster: Raster) -> list[int]:
    """Ids of points whose place, told in degrees or in the map's CRS, is not the middle of their pixel."""
    to_map = Transformer.from_crs("EPSG:4326", raster.geobox.crs.proj, always_xy=True)
    lon, lat = (
        np.array([[getattr(p, name) for p in points] for points in (found, expected)]) for name in ("lon", "lat")
    )
    x, y = to_map.transform(lon, lat)
    drift = np.stack([x[0] - x[1], y[0] - y[1]])
    side = np.sqrt(abs(raster.geobox.transform.determinant))
    rounded = (abs(lon[0] - lon[1]) <= ROUNDING) & (abs(lat[0] - lat[1]) <= ROUNDING)
    off = ~((np.hypot(*drift) <= MOVED * side) | rounded)  # nan is off
    for number, (f, e) in enumerate(zip(found, expected, strict=True)):
        assert e.x is not None and e.y is not None
        told = [abs(a - b) for a, b in ((f.x, e.x), (f.y, e.y)) if a is not None]
        off[number] |= any(not step <= MOVED * side for step in told)
    return [point.number for point, is_off in zip(expected, off.tolist(), strict=True) if is_off]


def _more(numbers: Sequence[int]) -> str:
    return f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
