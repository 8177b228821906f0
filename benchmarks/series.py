"""What a series of eight dates finds of change, by the interval it happens in, for several odds to stay.

    .venv/bin/python benchmarks/series.py

Half of the pixels keep the first class, the others leave it for the second once, in an interval drawn at random. What a
model says of a date is a softmax of evidence that is normal around the true class and independent between dates and
pixels, so it is calibrated. Found is what has a probability of at least 0.5, the default that events grow to.
"""

from __future__ import annotations

import numpy as np

from geoseg.raster.named_transitions import Pairs
from geoseg.raster.transitions import markov, persistent, transition_probability

DATES, PIXELS = 8, 60_000
MODELS = ((2, 2.2), (2, 2.8), (3, 2.4), (3, 3.0))  # classes, strength of the evidence
ODDS = (100.0, 20.0, 8.0, 4.0)


def drawn(rng: np.random.Generator, count: int, strength: float) -> tuple[np.ndarray, np.ndarray, float]:
    """(pixel,) date that first shows the change, 0 for none; (date, class, 1, pixel) probabilities; accuracy."""
    first = np.where(np.arange(PIXELS) % 2, rng.integers(1, DATES, PIXELS), 0)
    classes = (first > 0) & (first <= np.arange(DATES)[:, None])
    evidence = rng.normal(size=(DATES, count, PIXELS)) + strength * (classes[:, None] == np.arange(count)[:, None])
    parts = np.exp(strength * (evidence - evidence.max(axis=1, keepdims=True)))
    probs = parts / parts.sum(axis=1, keepdims=True)
    return first, np.rint(probs * 250).astype(np.uint8)[:, :, None], float((probs.argmax(axis=1) == classes).mean())


def main() -> None:
    """Prints the table of benchmarks/RESULTS.md."""
    rng = np.random.default_rng(0)
    print("| classes | accuracy of a map | odds to stay | false | first interval | between, least | last interval |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for count, strength in MODELS:
        first, probs, accuracy = drawn(rng, count, strength)
        before = np.arange(count) == 0
        for odds in ODDS:
            prior = markov(persistent(DATES - 1, count, odds), np.full(count, 1 / count))
            found = transition_probability(probs, [Pairs("change", before, ~before)], prior)[0, 0] >= 125
            share = [found[first == k].mean() for k in range(DATES)]
            row = " | ".join(f"{s:.3f}" for s in (share[0], share[1], min(share[2:-1]), share[-1]))
            print(f"| {count} | {accuracy:.3f} | {odds:g} | {row} |")


if __name__ == "__main__":
    main()
