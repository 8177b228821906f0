"""Augmentation: image and labels stay on each other, values stay in range, seeds decide."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.nn.augment import radiometry, rescale, symmetry


def numbered(side=5, count=64):
    """Labels (count, side, side) that all differ inside one image, and images (count, 1, ...) equal to them."""
    labels = torch.arange(side * side).reshape(1, side, side).expand(count, -1, -1)
    return labels[:, None].float(), labels


def test_symmetry_turns_image_and_labels_alike():
    images, labels = numbered()
    turned, turned_labels = symmetry(images, labels, torch.Generator().manual_seed(0))
    assert torch.equal(turned[:, 0], turned_labels.float())


def test_symmetry_is_one_of_eight_and_each_of_them_occurs():
    images, labels = numbered()
    square = labels[0]
    eight = {tuple(t.flatten().tolist()) for k in range(4) for t in (square.rot90(k), square.T.rot90(k))}
    assert len(eight) == 8
    _, turned = symmetry(images, labels, torch.Generator().manual_seed(0))
    assert {tuple(t.flatten().tolist()) for t in turned} == eight


@given(st.integers(0, 2**31), st.sampled_from([1, 3, 6]))
@settings(max_examples=20, deadline=None)
def test_radiometry_stays_in_range_and_follows_its_seed(seed, bands):
    images = torch.rand((3, bands, 8, 9), generator=torch.Generator().manual_seed(seed))
    images[0], images[1] = 0.0, 1.0
    before = images.clone()
    out = radiometry(images, torch.Generator().manual_seed(seed))
    assert out.shape == images.shape and torch.equal(images, before)
    assert torch.isfinite(out).all() and out.min() >= 0 and out.max() <= 1
    assert torch.equal(out, radiometry(images, torch.Generator().manual_seed(seed)))
    assert not torch.equal(out, radiometry(images, torch.Generator().manual_seed(seed + 1)))


def test_radiometry_keeps_what_is_brighter_brighter():
    ramp = torch.linspace(0, 1, 11).reshape(1, 1, 1, 11).expand(40, 3, 16, 11)
    means = radiometry(ramp, torch.Generator().manual_seed(1)).mean(dim=2)
    assert (means[..., 8] > means[..., 2]).all()


@pytest.mark.parametrize("side", [16, 20, 31, 64])
def test_rescale_keeps_image_and_labels_on_each_other(side):
    labels = torch.zeros((32, 32), dtype=torch.uint8)
    labels[8:24, 4:20] = 1
    labels[0, 0] = 255
    image, found = rescale((labels == 1).float()[None], labels, side)
    assert image.shape == (1, side, side) and found.shape == (side, side) and found.dtype == torch.uint8
    assert set(found.unique().tolist()) <= {0, 1, 255}  # nothing between two classes
    assert ((image[0] > 0.5) == (found == 1)).float().mean() > 0.93
    assert abs(float((found == 1).float().mean()) - 0.25) < 0.05


def test_rescale_to_the_same_side_is_the_same():
    image, labels = torch.rand(3, 9, 9), torch.randint(5, (9, 9), dtype=torch.uint8)
    same, same_labels = rescale(image, labels, 9)
    assert torch.equal(same, image) and torch.equal(same_labels, labels)
