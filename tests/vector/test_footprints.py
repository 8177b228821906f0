"""Footprints: towns of exact shapes burned into pixels and found again; what must never happen."""

from itertools import pairwise

import numpy as np
import pytest
import shapely
import shapely.affinity
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize
from scipy import ndimage
from scipy.spatial import cKDTree

from geoseg.grid.window import Window
from geoseg.vector.footprints import MARGIN, FootprintRules, Site, footprints

RULES = FootprintRules(tolerance=2.0, min_iou=0.6, max_area_change=0.05, radius=80.0, trust=4.0, outline_tolerance=1.0)
METRES = np.eye(2)


def rectangle(x, y, width, height, angle):
    return shapely.affinity.rotate(shapely.box(x - width / 2, y - height / 2, x + width / 2, y + height / 2), angle)


def burn(shapes, shape=(120, 160)):
    """Labels from 1 in the order of the shapes; a pixel is of the shape that its centre is in."""
    return rasterize([(s, i) for i, s in enumerate(shapes, 1)], shape, transform=Affine.identity(), dtype="int32")


def site(labels, roads=None, ground=METRES):
    """Of all labels of a map at once."""
    rows, cols = np.flatnonzero((labels > 0).any(axis=1)), np.flatnonzero((labels > 0).any(axis=0))
    window = Window.from_edges(int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1)
    roads = np.zeros(labels.shape, bool) if roads is None else roads
    beside = np.pad(roads, MARGIN)[
        window.row_off : window.bottom + 2 * MARGIN, window.col_off : window.right + 2 * MARGIN
    ]
    centre = ground @ np.array([window.col_off + window.width / 2, window.row_off + window.height / 2])
    return Site(window, labels[window.slices], ground, centre, beside)


def sites(labels, roads=None, ground=METRES):
    """One for each 4-connected part of a map."""
    parts, count = ndimage.label(labels > 0)
    out = []
    for number in range(1, count + 1):
        own = np.where(parts == number, labels, 0)
        _, again = np.unique(own, return_inverse=True)
        out.append(site(again.reshape(own.shape).astype(np.int32), roads, ground))
    return out


def draw(labels, roads=None, ground=METRES, rules=RULES):
    """(polygon, status) of all, flat."""
    return [f for parts in footprints(sites(labels, roads, ground), rules) for f in parts]


def iou(a, b):
    return a.intersection(b).area / a.union(b).area


def edge_angles(polygon, least=1.0):
    """Of edges, degrees modulo 90."""
    edges = np.diff(shapely.get_coordinates(polygon.exterior), axis=0)
    edges = edges[np.hypot(*edges.T) > least]
    return np.rad2deg(np.arctan2(edges[:, 1], edges[:, 0])) % 90


def off(angle, wanted):
    return abs((angle - wanted + 45) % 90 - 45)


def wobbly(seed, shape=(80, 90)):
    """Smooth blobs of any form, and a road through them."""
    rng = np.random.default_rng(seed)
    mask = ndimage.gaussian_filter(rng.random(shape), 2.5) > 0.51
    roads = np.zeros(shape, bool)
    row = int(rng.integers(10, 60))
    roads[row : row + int(rng.integers(1, 9))] = True
    turned = ndimage.rotate(roads, float(rng.integers(0, 40)), reshape=False, order=0)
    return (mask & ~turned).astype(np.int32), turned


def assert_apart(found, roads):
    polygons = np.array([polygon for polygon, _ in found], dtype=object)
    assert shapely.is_valid(polygons).all()
    a, b = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    assert shapely.area(shapely.intersection(polygons[a[a < b]], polygons[b[a < b]])).sum() < 1e-5
    rows, cols = np.nonzero(roads)
    cells = shapely.box(cols, rows, cols + 1, rows + 1)
    p, c = shapely.STRtree(np.atleast_1d(cells)).query(polygons) if len(cells) else (np.empty(0, int),) * 2
    assert shapely.area(shapely.intersection(polygons[p], cells[c])).sum() < 1e-5


@pytest.mark.parametrize("angle", [0, 7, 20, 33, 45, 61, 80])
def test_a_rectangle_is_found_again(angle):
    truth = rectangle(60, 60, 40, 22, angle)
    ((found, status),) = draw(burn([truth]))
    assert status == "regular"
    assert len(shapely.get_coordinates(found.exterior)) == 5
    assert iou(found, truth) > 0.97
    assert off(edge_angles(found), angle).max() < 1.0


@pytest.mark.parametrize("angle", [0, 15, 38, 70])
def test_an_l_shape_is_found_again(angle):
    whole = shapely.union(shapely.box(30, 30, 80, 50), shapely.box(30, 30, 48, 85))
    truth = shapely.affinity.rotate(whole, angle)
    ((found, status),) = draw(burn([truth]))
    assert status == "regular"
    assert len(shapely.get_coordinates(found.exterior)) == 7
    assert iou(found, truth) > 0.97


@pytest.mark.parametrize("radius", [6, 9, 20])
def test_a_circle_is_found_again(radius):
    truth = shapely.Point(50.3, 49.8).buffer(radius)
    ((found, status),) = draw(burn([truth]))
    assert status == "circle"
    assert iou(found, truth) > 0.93
    assert shapely.minimum_bounding_radius(found) == pytest.approx(radius, rel=0.04)


def test_a_square_is_no_circle_at_any_size():
    for side in range(6, 30, 3):
        ((_, status),) = draw(burn([rectangle(50, 50, side, side, 30)]))
        assert status == "regular", side


def test_a_wall_in_a_second_direction_stays():
    truth = shapely.Polygon([(20, 20), (80, 20), (80, 45), (55, 70), (20, 70)])
    ((found, status),) = draw(burn([truth]))
    assert status == "regular" and len(shapely.get_coordinates(found.exterior)) == 6
    assert iou(found, truth) > 0.97


def test_a_courtyard_stays():
    truth = shapely.affinity.rotate(shapely.box(20, 20, 80, 70).difference(shapely.box(38, 35, 62, 55)), 25)
    ((found, status),) = draw(burn([truth]))
    assert status == "regular" and len(found.interiors) == 1
    assert iou(found, truth) > 0.95


def test_row_houses_share_their_walls_without_gap_or_overlap():
    houses = [
        shapely.affinity.rotate(shapely.box(10 + 18 * i, 40, 28 + 18 * i, 64 + i), 24, origin=(70, 55))
        for i in range(5)
    ]
    found = draw(burn(houses))
    assert [status for _, status in found] == ["regular"] * 5
    polygons = [polygon for polygon, _ in found]
    assert_apart(found, np.zeros((1, 1), bool))
    whole = shapely.union_all(polygons)
    assert whole.geom_type == "Polygon" and not whole.interiors  # no slivers between them
    assert shapely.coverage_is_valid(polygons)
    for house in houses:
        assert max(iou(polygon, house) for polygon in polygons) > 0.9
    for height, pair in enumerate(pairwise(houses), start=24):
        mine, theirs = (max(polygons, key=lambda p, h=h: iou(p, h)) for h in pair)
        assert mine.intersection(theirs).length == pytest.approx(height, abs=1.5)


def test_quarters_of_a_block_meet_in_one_point():
    labels = np.zeros((60, 60), np.int32)
    for k, (r, c) in enumerate([(10, 10), (10, 30), (30, 10), (30, 30)], 1):
        labels[r : r + 20, c : c + 20] = k
    found = draw(labels)
    assert [status for _, status in found] == ["regular"] * 4
    assert shapely.coverage_is_valid([p for p, _ in found])
    for polygon, _ in found:
        assert polygon.area == pytest.approx(400, rel=0.01)


def test_a_building_beside_a_road_keeps_off_it_and_keeps_its_area():
    labels = burn([rectangle(60, 50, 40, 24, 6)])
    roads = np.zeros(labels.shape, bool)
    roads[60:72] = True  # the road's edge cuts the building's corner off
    labels[roads] = 0
    ((found, status),) = draw(labels, roads)
    assert_apart([(found, status)], roads)
    assert abs(found.area / (labels > 0).sum() - 1) <= 0.05


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000))
def test_nothing_overlaps_whatever_the_map(seed):
    labels, roads = wobbly(seed)
    found = draw(labels, roads)
    assert_apart(found, roads)
    areas = np.sort([p.area for p, status in found if status != "outline"])
    assert (areas > 0).all()


def test_drawn_footprints_keep_to_the_gate():
    labels, roads = wobbly(3)
    for one in sites(labels, roads):
        (((found, status),),) = footprints([one], RULES)
        (mask,) = one.masks
        if status != "outline":
            assert iou(found, mask) >= RULES.min_iou
            assert abs(found.area / mask.area - 1) <= RULES.max_area_change + 1e-9


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_touching_outlines_share_their_walls(seed):
    """Where walls of several buildings meet halfway along another's, each needs a vertex there to be simplified."""
    rng = np.random.default_rng(seed)
    blobs = wobbly(seed)[0] > 0
    middles = np.argwhere(blobs)[rng.choice(blobs.sum(), min(60, blobs.sum()), replace=False)]
    nearest = cKDTree(middles).query(np.argwhere(np.ones(blobs.shape)))[1].reshape(blobs.shape)
    numbered, count = np.zeros(blobs.shape, np.int32), 0
    for number in range(len(middles)):
        parts, found = ndimage.label(blobs & (nearest == number))
        numbered[parts > 0] = parts[parts > 0] + count
        count += found
    never = FootprintRules(2.0, min_iou=1.01, max_area_change=0.05, radius=80.0, trust=4.0, outline_tolerance=1.0)
    turn = np.deg2rad(0.545)  # as of a grid off its central meridian: what is straight in pixels is not quite in metres
    ground = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    drawn = draw(numbered, ground=ground, rules=never)
    polygons = np.array([polygon for polygon, _ in drawn], dtype=object)
    assert {status for _, status in drawn} == {"outline"}
    assert shapely.is_valid(polygons).all()
    assert shapely.area(polygons).sum() - shapely.union_all(polygons).area < 1e-6


def test_what_cannot_pass_the_gate_keeps_its_outline():
    labels, roads = wobbly(5)
    strict = FootprintRules(2.0, 0.999, 0.001, 80.0, 4.0, 0.0)
    found = draw(labels, roads, rules=strict)
    kept = [polygon for polygon, status in found if status == "outline"]
    assert len(kept) > 3
    burned = rasterize([(p, 1) for p in kept], labels.shape, transform=Affine.identity(), dtype="int32")
    assert (labels[burned > 0] > 0).all()
    assert shapely.area(kept).sum() == burned.sum()


def test_an_unclear_building_takes_the_direction_of_clear_neighbours():
    streets = [rectangle(x, y, 26, 16, 17) for x, y in ((30, 30), (75, 30), (120, 30), (30, 80), (120, 80))]
    blob = shapely.Point(75, 80).buffer(7).union(rectangle(75, 80, 12, 12, 30))
    labels = burn([*streets, blob])
    alone = RULES.__class__(2.0, 0.6, 0.05, 0.0, 0.0, 1.0)
    middle = shapely.Point(75, 80)
    own = next(p for p, _ in draw(labels, rules=alone) if p.contains(middle))
    agreed = next(p for p, s in draw(labels) if p.contains(middle))
    assert off(edge_angles(agreed), 17).max() < 5
    assert off(edge_angles(agreed), 17).max() < off(edge_angles(own), 17).max() + 1e-9


def test_a_clear_building_is_not_turned_by_neighbours():
    streets = [rectangle(x, y, 26, 16, 17) for x, y in ((30, 30), (75, 30), (120, 30), (30, 80), (120, 80))]
    other = rectangle(75, 80, 26, 16, 50)
    found = next(p for p, _ in draw(burn([*streets, other])) if p.contains(shapely.Point(75, 80)))
    assert off(edge_angles(found), 50).max() < 1


def test_a_footprint_depends_on_near_ones_alone():
    near = [rectangle(30, 30, 20, 13, 10), rectangle(60, 40, 15, 18, 14)]
    far = [rectangle(30, 110, 20, 14, 40), rectangle(70, 108, 17, 15, 44)]
    rules = RULES.__class__(2.0, 0.6, 0.05, 50.0, 4.0, 1.0)
    alone, together = draw(burn(near), rules=rules), draw(burn([*near, *far]), rules=rules)
    for polygon, _ in alone:
        assert any(shapely.equals_exact(polygon, other, 0) for other, _ in together)


def test_order_of_sites_does_not_matter():
    labels, roads = wobbly(11)
    own = sites(labels, roads)
    forth, back = footprints(own, RULES), footprints(own[::-1], RULES)[::-1]
    for a, b in zip(forth, back, strict=True):
        assert a[0][1] == b[0][1] and shapely.equals_exact(a[0][0], b[0][0], 1e-9)


def test_right_angles_are_right_on_the_ground():
    """A map in degrees at 60 degrees north: a column is half as wide as a row is high."""
    ground = np.array([[0.5, 0.0], [0.0, 1.0]])
    truth = rectangle(40, 60, 36, 24, 30)  # metres
    on_map = shapely.affinity.scale(truth, 2, 1, origin=(0, 0))
    ((found, status),) = draw(burn([on_map]), ground=ground)
    metres = shapely.affinity.scale(found, 0.5, 1, origin=(0, 0))
    assert status == "regular"
    assert iou(metres, truth) > 0.96
    assert off(edge_angles(metres), 30).max() < 1.2


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2), (3, 1)])
def test_buildings_of_few_pixels(shape):
    labels = np.zeros((20, 20), np.int32)
    labels[5 : 5 + shape[0], 6 : 6 + shape[1]] = 1
    ((found, _),) = draw(labels)
    assert found.is_valid
    assert found.area == pytest.approx(shape[0] * shape[1], rel=0.05)
    assert iou(found, shapely.box(6, 5, 6 + shape[1], 5 + shape[0])) > 0.6


def test_no_sites_no_footprints():
    assert footprints([], RULES) == []
