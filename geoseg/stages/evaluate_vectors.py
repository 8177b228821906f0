"""How good is a layer of footprints or roads? It is compared with a true one, in metres on the ground."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Proj, Transformer

from geoseg import __version__
from geoseg.errors import ConfigError, DataError
from geoseg.io.commit import sha256, write_json
from geoseg.io.layers.reading import read_layer
from geoseg.vector.footprint_scores import FootprintScores, score_footprints
from geoseg.vector.outline_scores import OutlineScores, outline_scores
from geoseg.vector.road_scores import RoadScores, RoadScoreSettings, road_scores

SCORES = "scores.json"
_AREAL_ERROR = 0.005  # a CRS whose areas are farther off than this is not used for measuring
_DIMENSIONS = {1: "lines", 2: "polygons"}
_COMMANDS = {1: "roads", 2: "buildings"}


@dataclass(frozen=True, slots=True)
class BuildingOptions:
    """How footprints are compared.

    Args:
        min_iou: of a footprint that counts as found.
        sizes: rising areas, m2, at which classes of size are divided, such as `50,200`.
        distance: how far an outline may be off for the boundary F1, metres.
    """

    min_iou: float
    sizes: str
    distance: float

    @property
    def edges(self) -> list[float]:
        """0, the areas of `sizes`, and infinity. Raises `ConfigError`."""
        try:
            inner = [float(text) for text in self.sizes.split(",") if text.strip()]
        except ValueError:
            inner = [math.nan]
        edges = [0.0, *inner, math.inf]
        if any(not low < high for low, high in pairwise(edges)):
            raise ConfigError(f"--sizes is {self.sizes!r}; give rising areas in m2, such as 50,200,1000")
        return edges


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two layers as geometries of one dimension in one CRS in metres, and how they came there."""

    truth: NDArray[np.object_]
    found: NDArray[np.object_]
    protocol: dict[str, str]


def evaluate_buildings(layer: Path, truth: Path, out: Path, options: BuildingOptions) -> Iterator[str]:
    """Writes scores.json into `out`; says footprints found by size, how far outlines are off, and the protocol.

    Args:
        layer: footprints, as any of our formats, or a GeoPackage or GeoJSON of others.
        truth: the true ones, in any CRS.
        out: folder.
        options: how.

    Raises:
        ConfigError: no such file, or `sizes` cannot be.
        DataError: a file that is no layer of polygons, a truth without features, or layers in different places.
    """
    edges = options.edges
    pair = _pair(layer, truth, 2)
    total, bins = score_footprints(pair.truth, pair.found, options.min_iou, edges)
    outline = outline_scores(pair.truth, pair.found, options.distance)
    protocol = pair.protocol | {
        "match": f"one to one, highest IoU first, IoU at least {options.min_iou:g}",
        "sizes": "a found footprint counts in the size of the true one that it matches, else in its own",
        "distances": "PoLiS and Hausdorff: mean over matched pairs, metres",
        "boundary F1": f"share of the length of outlines within {options.distance:g} m of the other's",
    }
    rows = [_footprint_row(scores) for scores in (total, *bins)]
    scores = {"all": rows[0], "sizes": rows[1:], "boundary": {**asdict(outline), "f1": outline.f1}}
    _write(out, "buildings", protocol, scores, (layer, truth))
    yield from _building_lines(total, bins, outline)
    yield from _endings(protocol, out)


def evaluate_roads(layer: Path, truth: Path, out: Path, settings: RoadScoreSettings) -> Iterator[str]:
    """Writes scores.json into `out`; says APLS, completeness and correctness of centre lines, and the protocol.

    Args:
        layer: lines that meet at their ends, as any of our formats, or a GeoPackage or GeoJSON of others.
        truth: the true ones, in any CRS.
        out: folder.
        settings: how.

    Raises:
        ConfigError: no such file.
        DataError: a file that is no layer of lines, a truth without features, or layers in different places.
    """
    pair = _pair(layer, truth, 1)
    found = road_scores(pair.truth, pair.found, settings)
    protocol = pair.protocol | {
        "APLS": f"control points at most {settings.spacing:g} m apart, found on the other network within "
        f"{settings.snap:g} m; paths from at most {settings.sources} of them, drawn with seed {settings.seed}",
        "completeness, correctness": f"share of the length within {settings.buffer:g} m of the other network",
        "graph": "lines meet where their ends are equal to the millimetre, and nowhere else",
    }
    _write(out, "roads", protocol, asdict(found), (layer, truth))
    yield from _road_lines(found)
    yield from _endings(protocol, out)


def _pair(layer: Path, truth: Path, dimension: int) -> _Pair:
    """Both layers in one CRS in metres."""
    wanted, found = read_layer(truth), read_layer(layer)
    if not len(wanted):
        raise DataError(f"{truth} has no features, so nothing can be compared with it; name a truth that has some")
    for path, frame in ((truth, wanted), (layer, found)):
        _require_dimension(path, frame, dimension)
    crs = _metric_crs(wanted)
    true_shapes, true_repaired = _parts(wanted.to_crs(crs), dimension)
    shapes, repaired = _parts(found.to_crs(crs), dimension)
    outside = _require_overlap(layer, truth, shapes, true_shapes)
    protocol = {
        "layer": f"{layer}, {len(shapes)} {_DIMENSIONS[dimension]}",
        "truth": f"{truth}, {len(true_shapes)} {_DIMENSIONS[dimension]}",
        "crs": f"{_crs_text(crs)} (layer: {_crs_text(found.crs)}, truth: {_crs_text(wanted.crs)})",
        "outside the bounds of the truth": f"{outside} of the layer's, which count as wrong",
    }
    if repaired or true_repaired:
        protocol["repaired"] = f"{repaired} invalid polygons of the layer, {true_repaired} of the truth"
    return _Pair(true_shapes, shapes, protocol)


def _require_dimension(path: Path, frame: geopandas.GeoDataFrame, dimension: int) -> None:
    kinds = shapely.get_dimensions(frame.geometry.to_numpy())
    wrong = np.flatnonzero(kinds != dimension)
    if len(wrong):
        other = _COMMANDS.get(int(kinds[wrong[0]]))
        advice = f"use geoseg evaluate {other}" if other and len(wrong) == len(frame) else "leave those out"
        raise DataError(
            f"{path} holds {len(wrong)} features that are no {_DIMENSIONS[dimension]}, such as a "
            f"{frame.geom_type.iloc[wrong[0]]}; {advice}, or name a layer of {_DIMENSIONS[dimension]}"
        )


def _metric_crs(frame: geopandas.GeoDataFrame) -> CRS:
    """The truth's own CRS where it is in metres and true to area there, else the UTM zone it is in."""
    crs = CRS.from_user_input(frame.crs)
    if crs.is_projected and crs.axis_info[0].unit_conversion_factor == 1:
        left, bottom, right, top = frame.total_bounds
        geodetic = crs.geodetic_crs
        assert geodetic is not None  # a projected CRS has one
        lon, lat = Transformer.from_crs(crs, geodetic, always_xy=True).transform((left + right) / 2, (bottom + top) / 2)
        if abs(Proj(crs).get_factors(lon, lat).areal_scale - 1) <= _AREAL_ERROR:
            return crs
    return CRS.from_user_input(frame.estimate_utm_crs())


def _parts(frame: geopandas.GeoDataFrame, dimension: int) -> tuple[NDArray[np.object_], int]:
    """Single valid geometries of one dimension, and how many features had to be repaired for that."""
    shapes = frame.geometry.to_numpy()
    wrong = ~shapely.is_valid(shapes) if dimension == 2 else np.zeros(len(shapes), bool)
    parts = shapely.get_parts(shapely.get_parts(np.where(wrong, shapely.make_valid(shapes), shapes)))
    return parts[shapely.get_dimensions(parts) == dimension], int(wrong.sum())


def _require_overlap(layer: Path, truth: Path, found: NDArray[np.object_], wanted: NDArray[np.object_]) -> int:
    """How many features of the layer are outside the bounds of the truth."""
    bounds = shapely.box(*shapely.total_bounds(wanted))
    outside = int((~shapely.intersects(found, bounds)).sum())
    if len(found) and outside == len(found):
        raise DataError(
            f"{layer} and {truth} do not overlap: {_extent(found)} and {_extent(wanted)} in the CRS of the truth. "
            "Name layers of the same place, or correct the CRS that one of them says"
        )
    return outside


def _extent(shapes: NDArray[np.object_]) -> str:
    left, bottom, right, top = shapely.total_bounds(shapes)
    return f"x {left:.8g} to {right:.8g}, y {bottom:.8g} to {top:.8g}"


def _crs_text(crs: CRS) -> str:
    named = crs.to_authority()
    return ":".join(named) if named else str(crs.name)


def _footprint_row(scores: FootprintScores) -> dict[str, float]:
    return asdict(scores) | {"precision": scores.precision, "recall": scores.recall, "f1": scores.f1}


def _building_lines(total: FootprintScores, bins: Sequence[FootprintScores], outline: OutlineScores) -> Iterator[str]:
    yield "       size, m2   true  found  match  precision  recall     F1    IoU  PoLiS, m  Hausdorff, m"
    for scores in (*bins, total):
        size = "all" if scores is total else f"{scores.smallest:g} to {scores.largest:g}"
        counts = f"{scores.truth:6d} {scores.found:6d} {scores.matched:6d}"
        shares = f"{_number(scores.precision):>10} {_number(scores.recall):>7} {_number(scores.f1):>6}"
        means = f"{_number(scores.mean_iou):>6} {_number(scores.polis):>9} {_number(scores.hausdorff):>13}"
        yield f"{size:>15} {counts} {shares} {means}"
    yield (
        f"boundary F1 {_number(outline.f1)} (precision {_number(outline.precision)}, recall {_number(outline.recall)})"
    )


def _road_lines(found: RoadScores) -> Iterator[str]:
    yield f"APLS {found.apls:.3f} (truth to layer {found.apls_truth:.3f}, layer to truth {found.apls_proposal:.3f})"
    yield (
        f"completeness {found.completeness:.3f}, correctness {found.correctness:.3f}, quality {found.quality:.3f} "
        f"(true {found.truth_length / 1000:.3f} km, found {found.proposal_length / 1000:.3f} km)"
    )


def _endings(protocol: Mapping[str, str], out: Path) -> Iterator[str]:
    yield from (f"{name}: {text}" for name, text in protocol.items())
    yield f"All numbers are in {out / SCORES}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _write(
    out: Path, kind: str, protocol: Mapping[str, str], scores: Mapping[str, Any], files: tuple[Path, Path]
) -> None:
    layer, truth = files
    hashes = {"layer": sha256(layer), "truth": sha256(truth)}
    made = {"geoseg": __version__}
    figures = {"kind": kind, "protocol": dict(protocol), "scores": scores, "sha256": hashes, "made_by": made}
    write_json(out / SCORES, _without_nan(figures))


def _without_nan(value: Any) -> Any:
    """The same with null for NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
