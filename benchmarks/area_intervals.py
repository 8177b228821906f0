"""Do 95 % intervals of areas hold the truth 95 times of 100: simulated maps, by design.

    .venv/bin/python benchmarks/area_intervals.py --maps 1000

For each map the errors of every stratum are drawn anew, pixel by pixel by the design's rates; a sample is drawn from
those pixels without replacement, and the intervals of the sample are held against the areas of that map. Three
intervals: the published one (Olofsson et al. 2014), the safe one (`geoseg.stats.rare_intervals`), and a Bayesian one,
Jeffreys' prior of each stratum by 2,000 draws, for comparison. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.stats.area_estimates import Estimate, Points, Strata, estimates

DRAWS = 2000
OLOFSSON = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]], float)
OLOFSSON_PIXELS = [200_000, 150_000, 3_200_000, 6_450_000]


@dataclass(frozen=True)
class Design:
    """Strata of a map, how they are confused, and how many points each gets.

    Args:
        name: in the table.
        mapped: (stratum, class) pixels.
        rates: (stratum, class) share of each reference class.
        counts: points of each stratum.
        target: class whose figures are held against the truth.
    """

    name: str
    mapped: NDArray[np.int64]
    rates: NDArray[np.float64]
    counts: tuple[int, ...]
    target: int = 0

    @property
    def omissions(self) -> float:
        """Expected points of the target class where the map says another; strata here have one map class."""
        missed = self.mapped[:, self.target] == 0
        return float((self.rates[:, self.target] * self.counts)[missed].sum())


def designs() -> list[Design]:
    """What is simulated."""
    four, rates = np.diag(OLOFSSON_PIXELS), OLOFSSON / OLOFSSON.sum(axis=1, keepdims=True)
    rare = np.array([[0.85, 0.15], [0.002, 0.998]])
    two = np.diag([100_000, 9_900_000])
    buffered = np.array([[100_000, 0], [0, 300_000], [0, 9_600_000]])
    near = np.array([[0.85, 0.15], [0.05, 0.95], [0.0005, 0.9995]])
    return [
        Design("Olofsson 2014, as published (75, 75, 165, 325)", four, rates, (75, 75, 165, 325)),
        Design("the same, equal", four, rates, (160, 160, 160, 160)),
        Design("the same, proportional", four, rates, (13, 10, 205, 412)),
        Design("the same, Neyman for overall accuracy", four, rates, (23, 19, 243, 356)),
        Design("the same, four times the points", four, rates, (300, 300, 660, 1300)),
        Design("the same, 2,560 points, proportional", four, rates, (51, 38, 820, 1651)),
        Design("the same, 2,560 points, Neyman", four, rates, (92, 76, 971, 1421)),
        Design("the same, 5,120 points, equal", four, rates, (1280, 1280, 1280, 1280)),
        Design("the same, stable forest", four, rates, (75, 75, 165, 325), 2),
        Design("the same, forest gain", four, rates, (75, 75, 165, 325), 1),
        Design("1 % change, 0.2 % missed, 500 points", two, rare, (100, 400)),
        Design("the same, 5,000 points in the rest", two, rare, (100, 5000)),
        Design("the same omissions, most in a buffer (100, 200, 200)", buffered, near, (100, 200, 200)),
        Design("the same, more in the buffer (100, 400, 400)", buffered, near, (100, 400, 400)),
    ]


@dataclass(frozen=True)
class Held:
    """One simulated map: estimate and truth of one figure, and Jeffreys' interval."""

    estimate: Estimate
    truth: float
    bayes: tuple[float, float]

    def inside(self) -> tuple[bool, bool, bool, bool]:
        """Whether the published, the safe and the Bayesian interval hold the truth, and the one to go by."""
        found = self.estimate
        ends = ((found.low, found.high), (found.safe_low, found.safe_high), self.bayes, found.interval)
        return tuple(bool(low <= self.truth <= high) for low, high in ends)  # type: ignore[return-value]

    def widths(self) -> tuple[float, float, float]:
        """Of the three intervals, as shares of the truth."""
        found = self.estimate
        ends = ((found.low, found.high), (found.safe_low, found.safe_high), self.bayes)
        return tuple((high - low) / self.truth for low, high in ends)  # type: ignore[return-value]


def simulate(design: Design, maps: int, rng: np.random.Generator) -> list[tuple[Held, Held]]:
    """Area and producer's accuracy of the target class of each map."""
    names = tuple("abcdefgh")
    strata = Strata(
        names[: len(design.mapped)], names[: design.mapped.shape[1]], design.mapped, design.mapped.astype(float)
    )
    return [_one(design, strata, rng) for _ in range(maps)]


def _one(design: Design, strata: Strata, rng: np.random.Generator) -> tuple[Held, Held]:
    pixels = design.mapped.sum(axis=1)
    own = design.mapped.argmax(axis=1)
    truth = np.array([rng.multinomial(n, row) for n, row in zip(pixels, design.rates, strict=True)])
    pairs = zip(truth, design.counts, strict=True)
    drawn = np.array([rng.multivariate_hypergeometric(row, n, method="marginals") for row, n in pairs])
    stratum, reference = np.nonzero(drawn)
    times = drawn[stratum, reference]
    points = Points(*(np.repeat(a, times) for a in (stratum, own[stratum], reference)), np.ones(times.sum()))
    found = estimates(strata, points).classes[design.target]
    posterior = np.array([_jeffreys(row, design.target, pixels[h], rng) for h, row in enumerate(drawn)])
    total = posterior.sum(axis=0)
    hits, target = posterior[own == design.target].sum(axis=0), truth[:, design.target]
    area = Held(found.area, float(target.sum()), tuple(np.quantile(total, [0.025, 0.975])))
    right = float(target[own == design.target].sum() / target.sum())
    return area, Held(found.producers_accuracy, right, tuple(np.quantile(hits / total, [0.025, 0.975])))


def _jeffreys(row: NDArray[np.int64], target: int, pixels: int, rng: np.random.Generator) -> NDArray[np.float64]:
    hit = row[target]
    return pixels * rng.beta(hit + 0.5, row.sum() - hit + 0.5, DRAWS)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    kinds = "published | safe | Jeffreys"
    print(f"| design | expected omissions | figure | {kinds} | to go by | median width: {kinds} | warned |")
    print("| --- | ---: | --- | " + " | ".join(["---:"] * 8) + " |")
    for number, design in enumerate(designs()):
        maps = simulate(design, asked.maps, np.random.default_rng([asked.seed, number]))
        for figure, held in zip(("area", "producer's accuracy"), zip(*maps, strict=True), strict=True):
            known = [h for h in held if np.isfinite(h.estimate.value)]
            coverage = 100 * np.mean([h.inside() for h in known], axis=0)
            widths = np.median([h.widths() for h in known], axis=0)
            cells = [f"{c:.1f} %" for c in coverage] + [f"{w:.2f}" for w in widths]
            cells.append(f"{100 * np.mean([h.estimate.few for h in known]):.0f} %")
            print(f"| {design.name} | {design.omissions:.1f} | {figure} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
