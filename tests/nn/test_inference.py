"""Predictors: batches change nothing, constants stay constant, probabilities are probabilities."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from geoseg.errors import MachineError, ModelError
from geoseg.nn import precision
from geoseg.nn.inference import Predictor
from geoseg.nn.network import NetworkSpec, build
from tests.bundles import DECODER, ENCODER


class Constant(nn.Module):
    def __init__(self, *logits):
        super().__init__()
        self.register_buffer("logits", torch.tensor(logits))

    def forward(self, x):
        return self.logits.reshape(1, -1, 1, 1).expand(len(x), -1, *x.shape[-2:])


class Pixels(nn.Module):
    """The input's own two bands as logits."""

    def forward(self, x):
        return x


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build(NetworkSpec("unet", ENCODER, DECODER, 3, 4))


@pytest.mark.parametrize("number", ["float32", "bfloat16"])
def test_a_batch_gives_the_bytes_of_each_alone(network, number):
    patches = np.random.default_rng(0).normal(size=(3, 3, 64, 96)).astype(np.float32)
    predictor = Predictor(network, "cpu", number, 1)
    alone = [predictor(patches[i : i + 1], 16) for i in range(3)]
    assert_array_equal(predictor(patches, 16), np.concatenate(alone))


def test_probabilities_sum_to_one_and_are_float32(network):
    patches = np.random.default_rng(1).normal(size=(1, 3, 64, 64)).astype(np.float32)
    probs = Predictor(network, "cpu", "float32", 1)(patches, 0)
    assert probs.dtype == np.float32 and probs.shape == (1, 4, 64, 64)
    assert probs.min() >= 0
    assert_allclose(probs.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("number", ["float32", "bfloat16"])
def test_a_constant_network_gives_its_constant_to_the_edges(number):
    probs = Predictor(Constant(0.0, 1.0, 2.0), "cpu", number, 1)(np.zeros((2, 3, 20, 24), np.float32), 4)
    expected = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    assert probs.shape == (2, 3, 12, 16)
    assert_allclose(probs, np.broadcast_to(expected[None, :, None, None], probs.shape), rtol=1e-6)


@pytest.mark.parametrize("halo", [0, 1, 3])
def test_the_halo_is_cropped_on_all_sides(halo):
    values = np.random.default_rng(2).normal(size=(2, 2, 9, 11)).astype(np.float32)
    probs = Predictor(Pixels(), "cpu", "float32", 1)(values, halo)
    whole = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
    assert_allclose(probs, whole[..., halo : 9 - halo, halo : 11 - halo], rtol=1e-5)


def test_an_answer_that_is_no_number_is_never_a_class():
    with pytest.raises(ModelError, match=r"is not a number; set compute\.precision to float32") as caught:
        Predictor(Constant(0.0, float("nan")), "cpu", "float32", 1)(np.zeros((1, 3, 8, 8), np.float32), 0)
    assert caught.value.exit_code == 4


class Hungry(nn.Module):
    def forward(self, x):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_device_without_room_says_what_to_set():
    with pytest.raises(MachineError, match=r"one patch of 8 px; set tiling\.patch_size lower or compute\.device"):
        Predictor(Hungry(), "cpu", "float32", 1)(np.zeros((1, 3, 8, 8), np.float32), 0)


def test_cuda_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MachineError, match=r"compute\.device is cuda, but .* set it to auto or cpu") as caught:
        precision.pick_device("cuda")
    assert caught.value.exit_code == 5
    assert precision.pick_device("auto") == precision.pick_device("cpu") == "cpu"


def test_cuda_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [precision.pick_device(d) for d in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]
    for native, number in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, n=native: n)
        assert precision.pick_precision("auto", "cuda") == number


def test_precision_is_what_was_asked_for_or_what_the_processor_has(monkeypatch):
    assert [precision.pick_precision(p, "cpu") for p in ("float32", "bfloat16")] == ["float32", "bfloat16"]
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    for found, number in (({"amx_bf16": True}, "bfloat16"), ({"avx512_bf16": True}, "bfloat16"), ({}, "float32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda f=found: f, raising=False)
        assert precision.pick_precision("auto", "cpu") == number
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert precision.pick_precision("auto", "cpu") == "float32"
