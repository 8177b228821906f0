"""What an evaluation leaves: every number as JSON, a table as CSV, and a page to read; and its plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from geoseg import __version__
from geoseg.io.commit import write_json, write_text
from geoseg.io.text_table import Cell, write_text_table
from geoseg.report.evaluation import ClassLine, Headline, Measure, Page, count_text, page
from geoseg.stages.score import CLASS_MEASURES, SEED, Evidence, Intervals
from geoseg.stages.scored_ground import Ground, place, worst_blocks
from geoseg.stats.bootstrap import DRAWS, LEVEL
from geoseg.stats.reliability import BINS

PAGE, SCORES, TABLE = "index.html", "scores.json", "scores.csv"
COLUMNS = {**dict.fromkeys(CLASS_MEASURES), "boundary_iou": None}
TITLES = {"iou": "IoU", "f1": "F1", "precision": "precision", "recall": "recall", "boundary_iou": "boundary IoU"}
HEADLINES = {
    "overall_accuracy": ("overall accuracy", "share of pixels that are right"),
    "mean_iou": ("mean IoU", "intersection over union, mean of classes"),
    "mean_f1": ("mean F1", "harmonic mean of precision and recall"),
    "mean_boundary_iou": ("mean boundary IoU", "the same near the edges of classes"),
    "ece": ("calibration error", "how far probabilities are from the share of hits; 0 is best"),
}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Everything about one evaluation.

    Args:
        title, subtitle: of the page.
        entries: value, name and colour of each class.
        grounds: what was compared.
        protocol: name: text, what was compared with what and how; `Evidence` adds its own.
        made_from: what made the map, for the file of scores.
        seams: the seam number's figures, for the same file; None where it is not measured.
    """

    title: str
    subtitle: str
    entries: Sequence[tuple[int, str, str]]
    grounds: Sequence[Ground]
    protocol: Mapping[str, str]
    made_from: Mapping[str, Any]
    seams: Mapping[str, Any] | None = None

    @property
    def names(self) -> list[str]:
        """Of the classes, in index order."""
        return [name for _, name, _ in self.entries]


def deliver(evaluated: Evaluated, out: Path) -> Iterator[str]:
    """Writes scores.json, scores.csv and index.html into `out`; says each score with its protocol.

    Raises:
        MachineError: the folder cannot be written to.
    """
    total = Evidence.joined([g.evidence for g in evaluated.grounds])
    values, ends = total.values(evaluated.names), total.intervals(evaluated.names)
    protocol = {**evaluated.protocol, **_counting(evaluated.grounds, total)}
    text = page(_page(evaluated, total, values, ends, protocol))
    write_json(out / SCORES, _figures(evaluated, total, protocol))
    write_text_table(out / TABLE, *_table(evaluated.names, values, ends))
    write_text(out / PAGE, text)
    yield from _lines(evaluated, values, ends, protocol)
    yield f"Look at   {out / PAGE}; all numbers are in {out / SCORES}"


def gsd_text(grounds: Sequence[Ground]) -> str:
    """Such as `pixels of 0.8 m`."""
    return "pixels of " + " and ".join(f"{gsd:.4g} m" for gsd in sorted({g.lattice.gsd for g in grounds}))


def _counting(grounds: Sequence[Ground], total: Evidence) -> dict[str, str]:
    """How pixels were compared and counted, in words."""
    sides = sorted({round(g.lattice.gsd * total.block_px) for g in grounds})
    return {
        "pixels compared": count_text(int(total.matrix.sum())),
        "pixels left out": f"{count_text(total.unlabelled)} without a label, {count_text(total.unmapped)} labelled but "
        "not mapped (no imagery)",
        "method": total.method,
        "side of a block": " and ".join(f"{side} m" for side in sides),
        "calibration error": f"of the probability of the mapped class, {BINS} bins of equal width",
    }


def _page(
    evaluated: Evaluated, total: Evidence, values: Mapping[str, float], ends: Intervals, protocol: Mapping[str, str]
) -> Page:
    matrix = total.matrix
    shares = matrix / matrix.sum()
    return Page(
        title=evaluated.title,
        subtitle=evaluated.subtitle,
        headlines=[Headline(name, _measure(key, values, ends), told) for key, (name, told) in HEADLINES.items()],
        protocol=protocol,
        columns=[TITLES[kind] for kind in COLUMNS],
        classes=[
            ClassLine(
                name,
                colour,
                float(shares[i].sum()),
                float(shares[:, i].sum()),
                tuple(_measure(f"{kind}.{name}", values, ends) for kind in COLUMNS),
            )
            for i, (_, name, colour) in enumerate(evaluated.entries)
        ],
        grounds=[_ground(g, evaluated.names) for g in evaluated.grounds],
        matrix=matrix,
        bins=total.bins,
        places=[place(worst, evaluated.entries) for worst in worst_blocks(evaluated.grounds)],
    )


def _ground(ground: Ground, names: Sequence[str]) -> tuple[str, int, list[Measure]]:
    values, ends = ground.evidence.values(names), ground.evidence.intervals(names)
    return ground.name, int(ground.evidence.matrix.sum()), [_measure(key, values, ends) for key in HEADLINES]


def _measure(key: str, values: Mapping[str, float], ends: Intervals) -> Measure:
    return Measure(values.get(key), *ends.get(key, (None, None)))


def _figures(evaluated: Evaluated, total: Evidence, protocol: Mapping[str, str]) -> dict[str, Any]:
    return {
        "made_from": dict(evaluated.made_from),
        "protocol": dict(protocol),
        "bootstrap": {"level": LEVEL, "draws": DRAWS, "seed": SEED, "block_px": total.block_px},
        "boundary_band_px": total.band_px,
        "classes": evaluated.names,
        "all": _numbers(total, evaluated.names),
        "scenes": {g.name: _numbers(g.evidence, evaluated.names) for g in evaluated.grounds},
        "reliability": [
            {"pixels": int(pixels), "mean_probability": confidence / pixels, "hits": int(hits)} if pixels else None
            for pixels, confidence, hits in total.bins.tolist()
        ],
        "seams": evaluated.seams,
        "worst_places": [worst.figures() for worst in worst_blocks(evaluated.grounds)],
        "made_by": {"geoseg": __version__, "torch": version("torch")},
    }


def _numbers(evidence: Evidence, names: Sequence[str]) -> dict[str, Any]:
    return {
        "pixels": int(evidence.matrix.sum()),
        "unlabelled": evidence.unlabelled,
        "unmapped": evidence.unmapped,
        "blocks": len(evidence.windows),
        "scores": {key: round(v, 6) for key, v in evidence.values(names).items()},
        "intervals": {key: [round(e, 6) for e in ends] for key, ends in evidence.intervals(names).items()},
        "confusion": evidence.matrix.tolist(),
    }


def _table(names: Sequence[str], values: Mapping[str, float], ends: Intervals) -> tuple[list[str], list[list[Cell]]]:
    """Columns, and a row a class, and one of means; each measure with the ends of its interval."""
    columns = ["class", *(f"{kind}{end}" for kind in COLUMNS for end in ("", "_low", "_high"))]
    rows = [[name, *_cells([f"{kind}.{name}" for kind in COLUMNS], values, ends)] for name in names]
    return columns, [*rows, ["mean", *_cells([f"mean_{kind}" for kind in COLUMNS], values, ends)]]


def _cells(keys: Sequence[str], values: Mapping[str, float], ends: Intervals) -> list[Cell]:
    found = [(values.get(key), *ends.get(key, (None, None))) for key in keys]
    return [None if v is None else round(v, 4) for three in found for v in three]


def _lines(
    evaluated: Evaluated, values: Mapping[str, float], ends: Intervals, protocol: Mapping[str, str]
) -> Iterator[str]:
    yield evaluated.title
    for key, (name, _) in HEADLINES.items():
        measure = _measure(key, values, ends)
        if measure.value is not None:
            yield f"  {name:18} {measure}" + (f"   {measure.between}" if measure.between else "")
    for kind in ("iou", "f1", "boundary_iou"):
        of_classes = [(name, _measure(f"{kind}.{name}", values, ends)) for name in evaluated.names]
        yield f"  {TITLES[kind]:18} " + ", ".join(f"{name} {m}" for name, m in of_classes if m.value is not None)
    yield "Protocol: " + "; ".join(f"{name}: {text}" for name, text in protocol.items())
