"""Patches: the same ground is always in the same patch, whatever is asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.errors import WindowError
from geoseg.grid.patches import PatchPlan
from geoseg.grid.window import Window

BASE = 150
windows = st.builds(Window, st.integers(-60, 60), st.integers(-60, 60), st.integers(1, 70), st.integers(1, 70))
plans = st.builds(lambda s, n: PatchPlan(s * n, s, s), st.sampled_from([1, 4, 8]), st.integers(1, 6))


@given(plans, windows, windows)
@settings(max_examples=50)
def test_cores_cover_what_is_wanted_and_seen_once(plan, target, extent):
    count = np.zeros((2 * BASE + 50, 2 * BASE + 50), int)
    for core in plan.cores(target, extent):
        assert core.align(plan.stride) == core
        assert core.intersect(target) is not None and core.intersect(extent) is not None
        assert max(core.shape) <= plan.size
        count[core.shift(BASE, BASE).slices] += 1
    assert count.max(initial=0) <= 1
    wanted = target.intersect(extent)
    if wanted is not None:
        assert (count[wanted.shift(BASE, BASE).slices] == 1).all()
    else:
        assert not count.any()


@given(plans, windows, windows, windows)
@settings(max_examples=50)
def test_a_pixel_has_the_same_patch_in_every_crop(plan, one, other, extent):
    """P1: overlapping areas must share their patches, or their labels would differ."""
    first, second = list(plan.cores(one, extent)), list(plan.cores(other, extent))
    both = one.intersect(other)
    seen = both.intersect(extent) if both else None
    if seen is not None:
        assert {c for c in first if c.intersect(seen)} == {c for c in second if c.intersect(seen)}


def test_a_patch_ends_with_the_imagery_at_a_multiple_of_the_stride():
    plan = PatchPlan(size=64, halo=32, stride=32)
    cores = list(plan.cores(Window(-200, -200, 400, 400), Window(-70, 3, 100, 40)))
    assert cores == [Window(-96, 0, 32, 64), Window(-64, 0, 64, 64), Window(0, 0, 32, 64)]


@given(windows, windows, st.integers(1, 16))
@settings(max_examples=50)
def test_blended_patches_are_all_that_reach_a_pixel(target, extent, blend):
    plan = PatchPlan(32, 32, 8, blend)
    reached = [c for c in PatchPlan(32, 32, 8).cores(extent, extent) if plan.answered(c, target, extent)]
    assert list(plan.cores(target, extent)) == reached


@given(windows, windows)
@settings(max_examples=30)
def test_a_moved_lattice_covers_what_is_wanted_and_seen_once(target, extent):
    plan, shift = PatchPlan(32, 32, 8), 16
    count = np.zeros((2 * BASE + 50, 2 * BASE + 50), int)
    for core in plan.moved_cores(target, extent, shift):
        assert max(core.shape) <= plan.size
        for edge, end in ((core.right, extent.right), (core.bottom, extent.bottom)):
            assert (edge - shift) % plan.size == 0 or edge >= end  # of the moved lattice, or where imagery ends
        count[core.shift(BASE, BASE).slices] += 1
    wanted = target.intersect(extent)
    assert count.max(initial=0) <= 1
    assert wanted is None or (count[wanted.shift(BASE, BASE).slices] == 1).all()


@pytest.mark.parametrize("blend, halo", [(-1, 32), (33, 64), (32, 0)])
def test_a_blend_that_has_no_answers_cannot_be(blend, halo):
    with pytest.raises(WindowError, match=r"blend -?\d+ is more than halo"):
        PatchPlan(64, halo, 32, blend)
