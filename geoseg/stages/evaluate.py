"""How good is a model? It maps the labelled scenes of a recipe, and its answers are compared with the labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from geoseg.config import Card, Compute, Recipe, Tiling, Views, flags
from geoseg.errors import ConfigError, DataError, ModelError
from geoseg.grid.patches import PatchPlan
from geoseg.grid.views import ViewPlan
from geoseg.grid.window import Window
from geoseg.io.aoi_file import load_recipe
from geoseg.io.bundle import read_bundle
from geoseg.io.commit import sha256
from geoseg.io.labelled import Labelled
from geoseg.io.scenes import describe
from geoseg.nn.inference import Predictor
from geoseg.report.evaluation import picture
from geoseg.stages.answer import load_predictor, read_context
from geoseg.stages.bundling import names
from geoseg.stages.fit_check import check_gsd, check_values
from geoseg.stages.instance_scores import evaluate_instances
from geoseg.stages.plan import check_scales, choose_machine, patch_plan
from geoseg.stages.progress import meter
from geoseg.stages.score import answered, measure_scene
from geoseg.stages.score_files import Evaluated, deliver, gsd_text
from geoseg.stages.scored_ground import Ground, View
from geoseg.stages.seams import Seams, seam_score
from geoseg.stages.split import open_split

EIGHT_BITS = (0.0, 255.0)  # values that screens show as they are
TRUE_COLOUR = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What is scored, and how. What is None is as a map has it that asks for nothing.

    Args:
        side: of the recipe's split: train, validate_on or test_on.
        fold: which fold of the recipe is held out, from 0; None for none.
        block: side of a block of the bootstrap, pixels.
        symmetry, scales: test-time augmentation; scales with commas between them.
        device, precision, threads: where, in which numbers, and on how many processor threads the network runs.
    """

    side: str
    fold: int | None
    block: int
    symmetry: str | None = None
    scales: str | None = None
    device: str | None = None
    precision: str | None = None
    threads: int | None = None


def evaluate(model: str, recipe: Path, out: Path, options: EvaluateOptions) -> Iterator[str]:
    """Scores a model on one side of a recipe's split, in plain lines; leaves scores.json, scores.csv and index.html.

    Raises:
        ConfigError: the recipe's classes or bands are not the model's, or the side is empty.
        DataError, ModelError: scenes that cannot be used, or that do not fit the model.
    """
    bundle, loaded = read_bundle(model), load_recipe(recipe)
    card = bundle.card
    _require_same(card, loaded.config, recipe)
    scenes: list[Labelled] = getattr(open_split(loaded.config, loaded.folder, options.fold), options.side)
    if not scenes:
        raise ConfigError(f"{recipe} has no {options.side}; name another side with --side, or add scenes to it")
    views, compute = _settings(options)
    for scene in scenes:
        _require_fit(scene, card, views)
    machine, plan = choose_machine(compute), patch_plan(Tiling(), card, views)
    made_from = {
        "model": {"name": card.name, "version": card.version, "weights_sha256": card.weights_sha256},
        "recipe": {"name": recipe.name, "sha256": sha256(recipe), "side": options.side, "fold": options.fold},
    }
    threads = options.threads or os.cpu_count() or 1
    if card.task == "instances":
        yield from evaluate_instances(bundle, scenes, replace(machine, threads=threads), options.block, made_from, out)
        return
    view_plan = ViewPlan(views.symmetry, tuple(views.scales), card.stride)
    predictor = load_predictor(bundle, machine.device, machine.precision, threads, view_plan)
    grounds = _grounds(predictor, card, plan, scenes, options.block)
    seams = sum((_seams(predictor, card, plan, scene) for scene in scenes), Seams())
    which = options.side if options.fold is None else f"{options.side}, fold {options.fold}"
    data = f"{', '.join(g.name for g in grounds)}; {which} of {recipe.name}"
    protocol = {
        "model": f"{card.name} {card.version}, weights as stored (sha256 {card.weights_sha256[:12]}), "
        f"{'calibrated' if card.calibration else 'not calibrated'}",
        "data": data,
        "scale": f"{gsd_text(grounds)}, patches of {plan.size} px with {plan.halo} px of context",
        "views": f"symmetry {views.symmetry}, scales {', '.join(f'{s:g}' for s in views.scales)}",
        "computed in": f"{machine.precision} on {machine.device}",
        "seams": _seam_text(seams),
    }
    entries = [(i, c.name, c.colour) for i, c in enumerate(card.classes)]
    titles = f"How good is {card.name} {card.version}?", f"Scored on {which} of {recipe.name}"
    yield from deliver(Evaluated(*titles, entries, grounds, protocol, made_from, seams.figures()), out)


def _settings(options: EvaluateOptions) -> tuple[Views, Compute]:
    asked = {"symmetry": options.symmetry, "scales": options.scales.split(",") if options.scales else None}
    machine = {"device": options.device, "precision": options.precision}
    with flags():
        return (
            Views.model_validate({k: v for k, v in asked.items() if v is not None}),
            Compute.model_validate({k: v for k, v in machine.items() if v is not None}),
        )


def _require_same(card: Card, recipe: Recipe, path: Path) -> None:
    """Labels are numbered as the recipe lists its classes, and imagery is read in the order of its bands."""
    for what, mine, theirs in (
        ("classes", card.class_names, [c.name for c in recipe.classes]),
        ("bands", card.bands, recipe.bands),
    ):
        if mine != theirs:
            raise ConfigError(
                f"model {card.name} has the {what} {', '.join(mine)}, but {path.name} has {', '.join(theirs)}; "
                f"name a recipe with the model's {what} in the model's order"
            )


def _require_fit(scene: Labelled, card: Card, views: Views) -> None:
    name = Path(scene.scene.path).name
    if strange := [dtype for dtype in describe(scene.scene).dtypes if dtype not in card.dtypes]:
        raise ModelError(
            f"{name} has {strange[0]} pixels; model {card.name} was trained on {' or '.join(card.dtypes)}, and nothing "
            "is stretched or guessed. Score it on imagery of that kind"
        )
    check_gsd(scene.lattice.gsd, card, name)
    check_scales(views, scene.lattice.gsd, card)
    check_values(scene.scene, card)


def _grounds(predictor: Predictor, card: Card, plan: PatchPlan, scenes: Sequence[Labelled], block: int) -> list[Ground]:
    """Maps every scene once and counts."""
    pieces = [window for scene in scenes for window in scene.blocks(2 * plan.size)]
    grounds = []
    with meter("evaluate", len(pieces), sum(w.width * w.height for w in pieces)) as counter:
        for name, scene in zip(names(scenes), scenes, strict=True):
            found = measure_scene(predictor, card, plan, scene, block, counter.advance)
            if not found.windows:
                raise DataError(
                    f"{scene.labels.path} has no label on {scene.scene.path}: they do not overlap, or no value of "
                    "them is in classes; check both"
                )
            grounds.append(Ground(name, scene.lattice, scene.extent, found, _Look(predictor, card, plan, scene)))
    return grounds


def _seams(predictor: Predictor, card: Card, plan: PatchPlan, scene: Labelled) -> Seams:
    """The seams of one place of a scene, a patch large, about where four patches meet in its middle."""
    extent, side = scene.extent, plan.size
    row, col = (
        round((low + high) / 2 / side) * side - side // 2
        for low, high in ((extent.row_off, extent.bottom), (extent.col_off, extent.right))
    )
    target = Window(col, row, side, side).intersect(extent)
    return Seams() if target is None else seam_score(predictor, card, plan, scene.imagery, target)


def _seam_text(seams: Seams) -> str:
    if seams.near is None or seams.elsewhere is None:
        return "not measured: the ground is about a patch large, or smaller"
    return (
        f"moving all patches by half of one changes {1000 * seams.near:.2f} of 1,000 labels near their borders, and "
        f"{1000 * seams.elsewhere:.2f} elsewhere"
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """Shows part of a scene, mapped once more."""

    predictor: Predictor
    card: Card
    plan: PatchPlan
    scene: Labelled

    def __call__(self, window: Window) -> View:
        context = read_context(self.scene.imagery, self.card, self.plan, window)
        mapped = answered(self.predictor, self.plan, context, window)
        image, valid = self.scene.imagery.read(window)
        limits = EIGHT_BITS if self.card.value_range == EIGHT_BITS else None
        seen = picture(image[_shown(self.card.bands)], valid, limits)
        return View(seen, self.scene.classes(window), mapped.classes)


def _shown(bands: Sequence[str]) -> list[int]:
    """Which bands are shown as red, green and blue."""
    if set(TRUE_COLOUR) <= set(bands):
        return [list(bands).index(name) for name in TRUE_COLOUR]
    return [0, 1, 2] if len(bands) > 2 else [0]
