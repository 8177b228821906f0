"""Losses against loops in float64, and what they do with pixels that nobody labelled."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn import functional

from geoseg.nn.losses import IGNORE, FocalDice, focal
from tests import oracles


def sample(seed=0, ignored=0.3, spread=3.0):
    """Logits (2, 4, 5, 6) that want gradients, and labels (2, 5, 6)."""
    generator = torch.Generator().manual_seed(seed)
    logits = (torch.randn((2, 4, 5, 6), generator=generator) * spread).requires_grad_()
    labels = torch.randint(4, (2, 5, 6), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < ignored] = IGNORE
    return logits, labels


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.5])
def test_focal_agrees_with_a_loop(gamma):
    logits, labels = sample()
    expected = oracles.focal(logits.detach().double().numpy(), labels.numpy(), gamma)
    assert float(focal(logits, labels, gamma)) == pytest.approx(expected, rel=1e-5)


def test_focal_without_gamma_is_cross_entropy():
    logits, labels = sample()
    expected = functional.cross_entropy(logits, labels, ignore_index=IGNORE)
    assert float(focal(logits, labels, 0.0)) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_gradients_are_finite_where_the_network_is_certain(gamma):
    logits = torch.tensor([[[[100.0, -100.0, 0.0]], [[-100.0, 100.0, 0.0]]]], requires_grad=True)
    focal(logits, torch.zeros((1, 1, 3), dtype=torch.int64), gamma).backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("loss", [lambda x, y: focal(x, y, 2.0), FocalDice(2.0, 1.0, 1.0)])
def test_nothing_labelled_is_no_loss_and_no_gradient(loss):
    logits, labels = sample(ignored=1.1)
    found = loss(logits, labels)
    found.backward()
    assert float(found) == 0.0
    assert_allclose(logits.grad, 0.0)


def test_what_is_ignored_changes_nothing():
    logits, labels = sample()
    other = torch.where((labels == IGNORE)[:, None], -logits.detach() * 5 + 3, logits.detach()).requires_grad_()
    loss = FocalDice(2.0, 1.0, 1.0)
    first, second = loss(logits, labels), loss(other, labels)
    assert float(first) == pytest.approx(float(second), rel=1e-6)
    second.backward()
    assert not other.grad[(labels == IGNORE)[:, None].expand_as(other)].any()


def test_weights_are_those_of_the_parts():
    logits, labels = sample()
    whole = float(FocalDice(2.0, 0.7, 0.3)(logits, labels))
    parts = float(FocalDice(2.0, 1.0, 0.0)(logits, labels)), float(FocalDice(2.0, 0.0, 1.0)(logits, labels))
    assert whole == pytest.approx(0.7 * parts[0] + 0.3 * parts[1], rel=1e-5)
    assert parts[0] == pytest.approx(float(focal(logits, labels, 2.0)))


def test_a_perfect_answer_costs_next_to_nothing():
    labels = sample(ignored=0)[1]
    logits = 40.0 * functional.one_hot(labels, 4).permute(0, 3, 1, 2).float()
    assert float(FocalDice(2.0, 1.0, 1.0)(logits, labels)) < 1e-4
    assert float(FocalDice(2.0, 1.0, 1.0)(-logits, labels)) > 1


@pytest.mark.parametrize("spread", [1.0, 1e4])
def test_in_bfloat16_loss_and_gradients_are_finite(spread):
    torch.manual_seed(0)
    network = torch.nn.Conv2d(4, 4, 1)
    images, labels = sample(spread=spread)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(images)
        assert logits.dtype == torch.bfloat16
        loss = FocalDice(2.0, 1.0, 1.0)(logits, labels)
    loss.backward()
    assert np.isfinite(loss.item()) and loss.dtype == torch.float32
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())
