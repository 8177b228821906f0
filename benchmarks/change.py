"""False change and missed change against plain comparison of classes, on towns whose change is known exactly.

    .venv/bin/python benchmarks/change.py --side 1024 --towns 11 12 13

Each town is drawn at two dates. What a model would say of a date is made from its exact classes: moved by a fraction of
a pixel (second date only), blurred, dimmed by haze, and overlaid with noise of three grains, a third of whose variance
both dates share, as looks that mislead a model do. A temperature fitted on another town makes probabilities of it. They
are kept as a run keeps them, in steps of 1/250; with --without-probs only that of the mapped class is kept. Equal
recall: the probability that events grow to is lowered from 0.5 until at least as much true change is found as by plain
comparison.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from scipy import ndimage

from geoseg.config import Change, NamedTransition, resolve
from geoseg.raster.coding import encode_bands
from geoseg.stages.change_guard import Series, guarded
from geoseg.stages.change_map import ChangeMap
from geoseg.stages.change_rules import rules_for
from geoseg.town.develop import develop
from geoseg.town.plan import plan_town

CLASSES = ("building", "land", "road", "vegetation", "water")
NAMED = [NamedTransition.model_validate({"name": "clearing", "from": ["vegetation"], "to": ["land"]}), "urbanization"]
HELD_OUT = 5  # the town that temperatures are fitted on
GROWS = (0.5, 0.475, 0.45, 0.425, 0.4, 0.375, 0.35, 0.325, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05)


@dataclass(frozen=True)
class Error:
    """What is wrong with a date: pixels, and shares of the contrast between classes."""

    shift: float
    blur: float
    noise: float
    haze: float


@dataclass(frozen=True)
class Score:
    """Pixels, summed over towns."""

    found: int
    true: int
    false: int

    def __add__(self, other: Score) -> Score:
        return Score(self.found + other.found, self.true + other.true, self.false + other.false)

    @property
    def recall(self) -> float:
        """Share of true change that is found."""
        return self.found / self.true

    @property
    def precision(self) -> float:
        """Share of what is found that is true."""
        return self.found / max(1, self.found + self.false)

    @property
    def area_error(self) -> float:
        """Area found over true area, less one."""
        return (self.found + self.false) / self.true - 1


class Town:
    """Exact classes at two dates and the exact transitions between them."""

    def __init__(self, seed: int, side: int) -> None:
        first = plan_town(seed, side, 0.8)
        self.seed = seed
        self.dates = first.classes(), develop(first, seed).classes()
        one, two = self.dates
        self.truth = np.zeros(one.shape, np.uint8)
        for value, found in reversed(list(enumerate(resolve(NAMED, CLASSES), start=1))):
            before, after = np.array(found.before), np.array(found.after)
            self.truth[before[one] & after[two] & (one != two)] = value

    def seen(self, error: Error) -> Iterator[np.ndarray]:
        """Evidence for each class, (class, height, width), of both dates."""
        rng = np.random.default_rng([self.seed, 1])
        shared = grain(rng, self.dates[0].shape)
        for number, classes in enumerate(self.dates):
            own = grain(rng, classes.shape)
            haze = ndimage.gaussian_filter(rng.normal(size=classes.shape), 60, mode="wrap")
            haze = error.haze * (haze - haze.min()) / np.ptp(haze)
            share = (classes == np.arange(5, dtype=np.uint8)[:, None, None]).astype(np.float32)
            if number and error.shift:
                step = error.shift * np.array([0.6, 0.8])
                share = np.stack([ndimage.shift(s, step, order=1, mode="nearest") for s in share])
            share = ndimage.gaussian_filter(share, (0, error.blur, error.blur))
            yield share * (1 - haze) + error.noise * (np.sqrt(2 / 3) * own + np.sqrt(1 / 3) * shared)


def grain(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Noise of unit spread: a third of its variance white, a third 2 pixels wide, a third 6."""
    total = np.zeros((5, *shape), np.float32)
    for width in (0, 2, 6):
        part = rng.normal(size=total.shape).astype(np.float32)
        part = ndimage.gaussian_filter(part, (0, width, width), mode="wrap") if width else part
        total += part / part.std() / np.sqrt(3)
    return total


def probabilities(seen: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax."""
    scaled = seen / temperature
    scaled -= scaled.max(axis=0)
    parts = np.exp(scaled)
    return parts / parts.sum(axis=0)


def fitted(town: Town, error: Error) -> list[float]:
    """The temperature of each date with the least negative log-likelihood."""
    best = []
    for seen, classes in zip(town.seen(error), town.dates, strict=True):
        losses = {}
        for temperature in np.geomspace(0.02, 1, 30):
            probs = probabilities(seen[:, ::3, ::3], temperature)
            losses[temperature] = -np.log(np.take_along_axis(probs, classes[None, ::3, ::3], 0) + 1e-9).mean()
        best.append(min(losses, key=losses.__getitem__))
    return best


def deliver(folder: Path, date: str, probs: np.ndarray, each: bool) -> Path:
    """A folder with the maps, the probability of every class among them with `each`."""
    folder.mkdir(parents=True)
    bands = encode_bands(probs.astype(np.float32), np.ones(probs.shape[1:], bool), each=each)
    entries = [[i, name, "#808080"] for i, name in enumerate(CLASSES)]
    tags = {"GEOSEG_DATE": date, "GEOSEG_MODEL": "synthetic", "GEOSEG_MODEL_SHA256": "0" * 64}
    place = {"crs": "EPSG:32633", "transform": Affine(0.8, 0, 512_000, 0, -0.8, 4_750_000), "tiled": True}
    maps = {"landcover.tif": bands[:1], "confidence.tif": bands[1:2], **({"probs.tif": bands[2:]} if each else {})}
    for name, pixels in maps.items():
        count, height, width = pixels.shape
        kind = {"driver": "GTiff", "count": count, "dtype": "uint8", "width": width, "height": height}
        with rasterio.open(folder / name, "w", **kind, **place) as file:
            file.write(pixels)
            file.update_tags(**tags, GEOSEG_CLASSES=json.dumps(entries))
    return folder


def scored(series: Series, truth: np.ndarray, asked: Change) -> Score:
    """One map of change against the truth."""
    found = np.concatenate([strip.code for strip in ChangeMap(series, rules_for(series, asked)).strips()])
    right = (found == truth) & (truth > 0)
    mapped = (found > 0) & (found < 250)
    return Score(int(right.sum()), int((truth > 0).sum()), int((mapped & ~right).sum()))


def run(towns: list[Town], held_out: Town, error: Error, asked: list[Change], each: bool) -> list[Score]:
    """Sums over towns, for each of the settings."""
    temperatures, totals = fitted(held_out, error), [Score(0, 0, 0)] * len(asked)
    for town in towns:
        with tempfile.TemporaryDirectory() as name:
            folders = [
                deliver(Path(name) / date, date, probabilities(seen, t), each)
                for date, seen, t in zip(("2019-05-01", "2024-05-01"), town.seen(error), temperatures, strict=True)
            ]
            with guarded(folders) as series:
                totals = [t + scored(series, town.truth, s) for t, s in zip(totals, asked, strict=True)]
    return totals


def main() -> None:
    """Prints the tables of benchmarks/RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--towns", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--blur", type=float, default=1.0)
    parser.add_argument("--without-probs", action="store_true", help="only the probability of the mapped class")
    asked = parser.parse_args()
    each, usual, plainly = not asked.without_probs, Change(transitions=NAMED), Change(transitions=NAMED, plain=True)
    lowered = [Change(transitions=NAMED, grow=grow) for grow in GROWS]
    towns, held_out = [Town(seed, asked.side) for seed in asked.towns], Town(HELD_OUT, asked.side)
    print("| noise | shift, px | haze | plain recall | plain false, px | grow | recall | false, px | false, share |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for noise, shift, haze in ((0.2, 0.3, 0.0), (0.3, 0.3, 0.0), (0.3, 1.0, 0.0), (0.3, 0.3, 0.4), (0.4, 0.5, 0.2)):
        error = Error(shift, asked.blur, noise, haze)
        plain, *ours = run(towns, held_out, error, [plainly, *lowered], each)
        reached = ((g, o) for g, o in zip(GROWS, ours, strict=True) if o.recall >= plain.recall)
        grow, equal = next(reached, (0.0, ours[-1]))
        row = f"| {noise} | {shift} | {haze} | {plain.recall:.3f} | {plain.false:,} | {grow or 'none'} "
        print(f"{row}| {equal.recall:.3f} | {equal.false:,} | {equal.false / plain.false:.2f} |", flush=True)
    print("\n| shift, px | haze | precision | recall | area error | plain: precision | recall | area error |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for haze in (0.0, 0.4):
        for shift in (0.0, 0.5, 1.0, 1.5, 2.0):
            error = Error(shift, asked.blur, 0.3, haze)
            ours, plain = run(towns, held_out, error, [usual, plainly], each)
            figures = " | ".join(f"{s.precision:.3f} | {s.recall:.3f} | {s.area_error:+.1%}" for s in (ours, plain))
            print(f"| {shift} | {haze} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
