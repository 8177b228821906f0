"""P2: with the halo its card recommends, the shipped model's labels are almost the untiled ones, on a real scene."""

from pathlib import Path

import pytest

from geoseg.grid.patches import PatchPlan
from geoseg.grid.window import Window
from geoseg.io.bundle import read_bundle
from geoseg.io.labelled import own_lattice
from geoseg.io.scenes import Mosaic, Scene
from geoseg.nn.precision import pick_precision
from geoseg.stages.answer import answer, load_predictor, read_context, read_patches

SCENE = Path(__file__).parents[2] / "shared" / "data" / "mbrsc" / "tile6_image.tif"
SIDE = 1600


@pytest.mark.slow
@pytest.mark.skipif(not SCENE.is_file(), reason=f"{SCENE}, a real scene, is not on this machine")
def test_P2_at_most_two_in_a_thousand_labels_differ_from_the_untiled_answer():
    bundle = read_bundle("vhr-rgb")
    card = bundle.card
    predictor = load_predictor(bundle, "cpu", pick_precision("auto", "cpu"), 2)
    mosaic = Mosaic([Scene(str(SCENE), (1, 2, 3))], own_lattice(SCENE))
    extent = mosaic.extent
    target = Window(extent.col_off + 500, extent.row_off + 700, SIDE, SIDE)
    plan = PatchPlan(card.patch_size, card.halo, card.stride)
    untiled = read_patches(mosaic, card, (target.align(card.stride),), 512, target)
    tiled = read_context(mosaic, card, plan, target)
    assert len(tiled.cores) > 3  # several patches meet in the target
    off = (
        answer(predictor, plan, tiled)[0] != answer(predictor, PatchPlan(card.patch_size, 512, 32), untiled)[0]
    ).mean()
    assert off <= 0.002
