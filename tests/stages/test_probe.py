"""The halo curve: zero where context is complete, and counted over what was seen."""

import numpy as np
import pytest
import torch
from torch import nn

from geoseg.errors import DataError
from geoseg.grid.lattice import Lattice
from geoseg.io.scenes import Mosaic, Scene
from geoseg.nn.inference import Predictor
from geoseg.stages import probe
from geoseg.stages.probe import halo_curve, smallest_halo
from tests.bundles import card
from tests.scenes import write_scene


class Blur(nn.Module):
    """Two classes by the mean of `side` pixels: a network whose radius is known."""

    def __init__(self, side):
        super().__init__()
        self.side = side

    def forward(self, x):
        mean = nn.functional.avg_pool2d(x[:, :1], self.side, 1, self.side // 2)
        return torch.cat([mean, -mean], dim=1)


@pytest.fixture
def scene(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "UNTILED_MARGIN", 64)
    image = np.random.default_rng(0).integers(1, 255, (3, 130, 150)).astype(np.uint8)
    return lambda image=image: Scene(str(write_scene(tmp_path / "a.tif", image, nodata=0)), (1, 2, 3)), image


def curve(scene, side=41, halos=(0, 8, 16, 24)):
    described = card(stride=8, patch_size=32, halo=8)
    with Mosaic([scene], Lattice("EPSG:32640", 0.8)) as mosaic:
        return halo_curve(Predictor(Blur(side), "cpu", "float32", 1), described, mosaic, halos)


def test_labels_agree_once_the_halo_holds_the_radius(scene):
    make, _ = scene
    found = dict(curve(make()))
    assert found[24] == 0 and found[0] > found[16] > 0  # radius 20
    assert list(found) == [0, 8, 16, 24]
    assert dict(curve(make(), side=1))[0] == 0


def test_what_was_not_seen_does_not_count(scene):
    make, image = scene
    whole = dict(curve(make()))[0]
    image[:, :, 20:] = 0
    assert dict(curve(make()))[0] > whole / 3  # with the empty seven eighths counted it would be an eighth


def test_an_empty_image_is_refused(scene):
    make, image = scene
    with pytest.raises(DataError, match="no valid pixel to measure a halo on; name another"):
        curve(make(np.zeros_like(image)))


def test_the_smallest_halo_that_is_good_enough():
    assert smallest_halo([(0, 0.01), (32, 0.002), (64, 0.0)]) == 32
    assert smallest_halo([(0, 0.01), (32, 0.008), (64, 0.005)]) == 64
    assert smallest_halo([(64, 0.001), (32, 0.001)]) == 32
