"""Bundles give back the weights that went in."""

import numpy as np
import torch
from numpy.testing import assert_array_equal

from geoseg.io.bundle import read_bundle, write_bundle
from geoseg.nn.network import NetworkSpec, build, stored
from tests.bundles import DECODER, ENCODER, card


def test_weights_come_back_whatever_their_order_in_memory(tmp_path):
    described = card()
    network = build(NetworkSpec("unet", ENCODER, DECODER, 3, len(described.classes)))
    weights = stored(network.to(memory_format=torch.channels_last))
    assert any(not w.flags.c_contiguous for w in weights.values())
    write_bundle(tmp_path / "model", described, weights)
    back = read_bundle(str(tmp_path / "model")).weights()
    assert back.keys() == weights.keys()
    for name, array in weights.items():
        assert back[name].shape == array.shape, name  # a counter has none
        assert_array_equal(back[name], array, err_msg=name)
        assert back[name].dtype == (np.float16 if array.dtype.kind == "f" else array.dtype)
