"""Draws the points that interpreters look at, so that the areas of a map can be estimated from them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg import __version__
from geoseg.errors import ConfigError
from geoseg.io.commit import sha256, write_json
from geoseg.io.rasters import Raster, open_raster
from geoseg.io.sample_points import write_points
from geoseg.stages.chips import open_imagery, write_chips
from geoseg.stages.drawn import Drawing, Drawn, sample_points
from geoseg.stages.map_strata import SET_ASIDE, MapStrata, StratumRule, Survey, require_class, seen
from geoseg.stages.sample_check import UNCLEAR
from geoseg.stats.area_estimates import Strata
from geoseg.stats.sample_design import Allocation, allocate, expected_error, require_strata, smallest

HECTARE = 10_000.0  # m2


@dataclass(frozen=True)
class SampleWish:
    """What a sample is to tell, and what is guessed of the map beforehand.

    Args:
        rule: how strata are made; its target classes are those whose area is wanted.
        standard_error: wanted: of the targets' area as a share of it; without targets, of the overall accuracy.
        points: how many in all, in place of `standard_error`; None for as many as it needs.
        allocation: see `sample_design.allocate`.
        least: points of each stratum at least.
        accuracy: guess: share of each class's pixels that is right.
        accuracies: (class, guess) where it differs.
        omissions: guess: share of the other strata that is target all the same.
        buffer_omissions: guess: the same share in the buffer, and in what a map of change sets aside.
        seed: the same seed draws the same points.
    """

    rule: StratumRule
    standard_error: float
    points: int | None
    allocation: Allocation
    least: int
    accuracy: float
    accuracies: tuple[tuple[str, float], ...]
    omissions: float
    buffer_omissions: float
    seed: int


def sample(
    classes: Path, out: Path, wish: SampleWish, images: Sequence[Path] = (), bands: Sequence[int] = ()
) -> list[str]:
    """Draw a stratified random sample of a map into the folder `out`. Memory does not grow with the map.

    Writes `points.geojson` and `points.csv` to be filled in, `chips/` with a picture of each point where images are
    given, and last `sample.json`, the design, by which `areas` knows the sample again.

    Args:
        classes: uint8 map that names its classes, of land cover or of change.
        out: folder.
        wish: what is wanted.
        images: imagery that interpreters are shown, one file a date.
        bands: numbers of its bands that are shown as red, green and blue; none for those so named, or the first three.

    Returns:
        What was drawn, a line each.

    Raises:
        ConfigError: unknown classes, a wish that no sample fulfils, or labelled points that would be overwritten.
        DataError: a map that cannot be used, or a stratum too small for two points.
    """
    if (out / "sample.json").exists():
        raise ConfigError(f"{out} holds a sample already, whose labels would be lost; name another folder")
    with open_raster(classes) as raster, open_imagery(raster, images, bands) as dates:
        strata = MapStrata(raster, wish.rule)
        survey = seen(strata.survey())
        found = survey.strata
        require_strata(found.names, found.pixels.sum(axis=1))
        shares = expected_shares(found, wish, classes)
        counts = _counts(found, wish, shares)
        drawn = _drawn(raster, strata, dict(zip(found.names, counts.tolist(), strict=True)), wish.seed)
        write_points(out, sample_points(raster, drawn))
        write_chips(drawn, dates, out / "chips")
        design = _design((classes, out), raster, wish, survey, counts, drawn)
    write_json(out / "sample.json", design)
    return _lines(found, wish, shares, counts, out)


def expected_shares(strata: Strata, wish: SampleWish, path: Path) -> NDArray[np.float64]:
    """Guessed share of each stratum's pixels that count: target pixels, or without targets right ones, (stratum,)."""
    guesses = dict(wish.accuracies)
    for name in guesses:
        require_class(name, strata.classes, str(path))
    right = np.array([guesses.get(name, wish.accuracy) for name in strata.classes])
    parts = strata.areas / strata.areas.sum(axis=1, keepdims=True)
    if not wish.rule.target:
        return np.asarray(parts @ right)
    target = np.array([name in wish.rule.target for name in strata.classes])
    near = (f"buffer of {', '.join(wish.rule.target)}", *SET_ASIDE)
    missed = np.array([wish.buffer_omissions if name in near else wish.omissions for name in strata.names])
    return np.asarray(parts @ (target * right) + (parts @ ~target) * missed)


def _counts(strata: Strata, wish: SampleWish, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    weights, pixels = strata.areas.sum(axis=1) / strata.total, strata.pixels.sum(axis=1)
    if wish.points is not None:
        least = np.minimum(max(2, wish.least), pixels).sum()
        if wish.points < least:
            raise ConfigError(
                f"{wish.points} points are too few for {len(pixels)} strata of at least {wish.least} points each; "
                f"ask for {least} or more, or lower --min-points"
            )
        return allocate(wish.points, wish.allocation, weights, shares, pixels, wish.least)
    return smallest(_wanted(strata, wish), wish.allocation, weights, shares, pixels, wish.least)


def _drawn(raster: Raster, strata: MapStrata, counts: dict[str, int], seed: int) -> Drawn:
    drawing = Drawing(raster, strata, counts, seed)
    for piece in strata.pieces():
        drawing.add(piece)
    return drawing.drawn()


def _wanted(strata: Strata, wish: SampleWish) -> float:
    """Standard error of a share of the map."""
    target = [name in wish.rule.target for name in strata.classes]
    if not wish.rule.target:
        return wish.standard_error
    mapped = float(strata.areas[:, target].sum())
    if not mapped:
        raise ConfigError(
            f"the map shows no {', '.join(wish.rule.target)}, so its area cannot have a relative standard error; "
            "give the number of --points instead"
        )
    return wish.standard_error * mapped / strata.total


def _design(
    paths: tuple[Path, Path],
    raster: Raster,
    wish: SampleWish,
    survey: Survey,
    counts: NDArray[np.int64],
    drawn: Drawn,
) -> dict[str, Any]:
    """What `sample.json` holds; `paths` are the map's, told from the folder of the sample, and that folder's."""
    classes, out = paths
    strata = survey.strata
    rows = zip(strata.names, strata.pixels.sum(axis=1), strata.areas.sum(axis=1), counts, strict=True)
    return {
        "geoseg": __version__,
        "design": "stratified random sample of pixels",
        "map": {
            "path": os.path.relpath(classes, out),
            "sha256": sha256(classes),
            "height": raster.shape[0],
            "width": raster.shape[1],
        },
        "seed": wish.seed,
        "target": list(wish.rule.target),
        "buffer_pixels": wish.rule.buffer,
        "merge": [list(pair) for pair in wish.rule.merge],
        "allocation": wish.allocation,
        "strata": [{"name": n, "pixels": int(p), "area_m2": float(a), "points": int(c)} for n, p, a, c in rows],
        "classes": list(strata.classes),
        "unobserved_m2": survey.unobserved,
        "points": len(drawn.rows),
        "points_sha256": drawn.sha256,
    }


def _lines(
    strata: Strata, wish: SampleWish, shares: NDArray[np.float64], counts: NDArray[np.int64], out: Path
) -> list[str]:
    weights = strata.areas.sum(axis=1) / strata.total
    error = expected_error(weights, shares, counts)
    what = f"the area of {', '.join(wish.rule.target)}" if wish.rule.target else "overall accuracy"
    told = f"{error * strata.total / HECTARE:,.1f} ha" if wish.rule.target else f"{error:.4f}"
    rows = zip(strata.names, strata.pixels.sum(axis=1).tolist(), counts.tolist(), strict=True)
    expected = int(np.round((shares * counts)[_missing(strata, wish)].sum()))
    return [
        *(f"{name}: {count} points of {pixels:,} pixels" for name, pixels, count in rows),
        f"{counts.sum()} points in {out}; if the guesses hold, the standard error of {what} will be {told}",
        *([f"about {expected} omissions are expected; below 10 the published interval fails"] if expected < 10 else []),
        f"fill in reference with names of classes, or {unclear()}, then: geoseg areas {out} LABELLED OUT",
    ]


def _missing(strata: Strata, wish: SampleWish) -> NDArray[np.bool_]:
    """(stratum,) whether target pixels found there are omissions; without targets all are."""
    target = np.array([name in wish.rule.target for name in strata.classes])
    missing: NDArray[np.bool_] = ~strata.pixels[:, target].any(axis=1)
    return missing


def unclear() -> str:
    """The word for a point that cannot be interpreted, as it is shown."""
    return f'"{UNCLEAR}" where the imagery does not tell'
