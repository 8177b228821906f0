"""Points of a sample as files that interpreters fill in, GeoJSON and CSV, and what they wrote."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoseg.errors import ConfigError, DataError
from geoseg.io.commit import write_text
from geoseg.io.small_file import read_small
from geoseg.io.text_table import safe_text

MAX_BYTES = 100_000_000
COLUMNS = ("id", "stratum", "lon", "lat", "x", "y", "reference")


@dataclass(frozen=True)
class SamplePoint:
    """One point as it stands in a file.

    Args:
        number: its id, from 1.
        stratum: name.
        lon, lat: middle of the pixel, WGS 84, degrees.
        x, y: the same in the CRS of the map; None where a file does not say.
        reference: what the interpreter wrote; empty before.
    """

    number: int
    stratum: str
    lon: float
    lat: float
    x: float | None
    y: float | None
    reference: str = ""


def write_points(folder: Path, points: Sequence[SamplePoint]) -> None:
    """Commit `points.geojson` and `points.csv`, to be filled in. Raises `MachineError`."""
    features = [_feature(point) for point in points]
    lines = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    write_text(folder / "points.geojson", f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n')
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows((p.number, safe_text(p.stratum), p.lon, p.lat, p.x, p.y, safe_text(p.reference)) for p in points)
    write_text(folder / "points.csv", text.getvalue())


def points_sha256(points: Iterable[tuple[int, str, int, int]]) -> str:
    """Hash of (id, stratum, row, col) of each point, in the order of the ids."""
    text = "".join(f"{number},{stratum},{row},{col}\n" for number, stratum, row, col in points)
    return hashlib.sha256(text.encode()).hexdigest()


def read_points(path: Path) -> list[SamplePoint]:
    """Points of a GeoJSON or CSV file, in its order; columns beyond ours are left alone.

    Raises:
        ConfigError: no such file, or neither .geojson, .json nor .csv.
        DataError: it cannot be read as such, or a point lacks what we wrote.
    """
    kind = path.suffix.lower()
    if kind not in (".geojson", ".json", ".csv"):
        raise ConfigError(f"{path} is neither GeoJSON nor CSV; save the labelled points as .geojson or .csv")
    try:
        text = read_small(path, MAX_BYTES, ConfigError).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text; save the labelled points as CSV UTF-8 or GeoJSON") from error
    rows = _csv_rows(path, text) if kind == ".csv" else _geojson_rows(path, text)
    return [_point(path, number, row) for number, row in enumerate(rows, start=1)]


def _feature(point: SamplePoint) -> dict[str, Any]:
    properties = {"id": point.number, "stratum": point.stratum, "x": point.x, "y": point.y}
    place = {"type": "Point", "coordinates": [point.lon, point.lat]}
    return {"type": "Feature", "geometry": place, "properties": properties | {"reference": point.reference}}


def _csv_rows(path: Path, text: str) -> list[dict[str, Any]]:
    head = text.split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text), delimiter=separator, strict=True))
    except csv.Error as error:
        raise DataError(f"{path} is no CSV table ({error}); save the labelled points again") from error
    if rows and (absent := [name for name in COLUMNS if name not in rows[0]]):
        raise DataError(f"{path} has no column {absent[0]}; keep all columns of points.csv and fill in reference")
    return rows


def _geojson_rows(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        root = json.loads(text)
        features = root["features"]
        return [
            dict(zip(("lon", "lat"), f["geometry"]["coordinates"][:2], strict=True)) | _properties(f) for f in features
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} is no GeoJSON of points ({type(error).__name__}: {error}); save the labelled points again"
        ) from error


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in feature["properties"].items() if name not in ("lon", "lat")}


def _point(path: Path, line: int, row: dict[str, Any]) -> SamplePoint:
    if absent := [name for name in ("id", "stratum", "lon", "lat", "reference") if name not in row]:
        raise DataError(f"{path}: point {line} has no {absent[0]}; keep all fields of the points and fill in reference")
    try:
        number = _number(row["id"])
        if number != int(number):
            raise ValueError(row["id"])
        places = [_number(row[name]) for name in ("lon", "lat")]
        metres = [None if row.get(name) in (None, "") else _number(row[name]) for name in ("x", "y")]
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"{path}: point {line} has an id or a coordinate that is no number ({error}); take the file as it was "
            "written and fill in reference only"
        ) from error
    reference = "" if row["reference"] is None else str(row["reference"]).strip()
    return SamplePoint(int(number), str(row["stratum"]).strip(), *places, *metres, reference)


def _number(value: Any) -> float:
    """A number as JSON or a spreadsheet writes it, decimal comma included."""
    return float(value.strip().replace(",", ".")) if isinstance(value, str) else float(value)
