"""Fitting: it learns, it goes on where it was stopped, and it says when it cannot."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import nn
from torch.utils.data import DataLoader

pytest.importorskip("lightning", reason="fitting comes with geoseg[train]")

from geoseg.errors import DataError, StoppedError
from geoseg.nn import fitting
from geoseg.nn.fitting import FitSettings, fit

SETTINGS = {
    "steps": 40,
    "batch": 2,
    "window": 32,
    "learning_rate": 0.03,
    "weight_decay": 1e-4,
    "focal_gamma": 1.0,
    "focal_weight": 1.0,
    "dice_weight": 1.0,
    "ema_decay": 0.7,
    "validate_every": 10,
    "precision": "float32",
    "seed": 5,
    "scale": 1 / 255,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.25, 0.25, 0.25),
    "value_range": (0.0, 255.0),
}


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """Windows drawn in this process: starting another takes longer than these fits; training's own test has one."""
    monkeypatch.setattr(fitting, "DataLoader", lambda data, batch_size, **_: DataLoader(data, batch_size))


def draw(rng, side):
    """Dark ground with a bright rectangle, the second class."""
    labels = np.zeros((side, side), np.uint8)
    top, left = rng.integers(0, side // 2, 2)
    labels[top : top + side // 2, left : left + side // 2] = 1
    image = np.where(labels, 180.0, 70.0) + rng.normal(0, 10, (3, side, side))
    labels[:2] = 255
    return image.astype(np.float32), labels


def held_out():
    rng = np.random.default_rng(99)
    return [draw(rng, 32) for _ in range(3)]


def network(dropout=0.0):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(dropout), nn.Conv2d(8, 2, 1)
    )


def run(folder, tell=None, draw=draw, **changes):
    return fit(network(), 2, FitSettings(**{**SETTINGS, **changes}), draw, held_out(), folder, tell or (lambda _: None))


def test_a_small_fit_learns_its_scene(tmp_path):
    told = []
    fitted = run(tmp_path, told.append)
    scores = [t for t in told if "mean_iou" in t]
    assert [t["step"] for t in scores] == [10, 20, 30, 40]
    assert max(t["overall_accuracy"] for t in scores) > 0.97
    hits = pixels = 0
    for image, labels in held_out():  # what comes back is what was scored
        with torch.inference_mode():
            found = fitted(torch.from_numpy((image / 255 - 0.5) / 0.25)[None].float()).argmax(1)[0].numpy()
        hits, pixels = hits + (found == labels).sum(), pixels + (labels != 255).sum()
    best = max(scores, key=lambda t: t["mean_iou"])
    assert hits / pixels == pytest.approx(best["overall_accuracy"], abs=1e-6)
    assert not fitted.training


class Stop(Exception):
    pass


def stop_after(step):
    def tell(figures):
        if figures["step"] >= step:
            raise Stop

    return tell


@pytest.mark.parametrize("when", [11, 20, 31])
def test_a_fit_that_was_stopped_ends_with_the_same_weights(tmp_path, when, monkeypatch):
    monkeypatch.setattr(fitting, "TELL_EVERY", 1)  # so that it can be stopped between validations, too
    whole = run(tmp_path / "whole")
    with pytest.raises(Stop):
        run(tmp_path / "parts", stop_after(when))
    assert (tmp_path / "parts" / "last.ckpt").exists()
    told = []
    parts = run(tmp_path / "parts", told.append)
    steps = [t["step"] for t in told if "loss" in t and "mean_iou" not in t]
    assert steps == list(range((when - 1) // 10 * 10 + 1, 41))  # nothing computed twice but what was not kept
    for name, tensor in whole.state_dict().items():
        assert_array_equal(tensor.numpy(), parts.state_dict()[name].numpy(), err_msg=name)


def test_a_finished_fit_run_again_is_only_read(tmp_path):
    first, told = run(tmp_path), []
    again = run(tmp_path, told.append)
    assert not [t for t in told if "loss" in t and "mean_iou" not in t]  # no step
    for name, tensor in first.state_dict().items():
        assert_array_equal(tensor.numpy(), again.state_dict()[name].numpy(), err_msg=name)


def test_the_last_checkpoint_is_the_latest_not_the_best(tmp_path, monkeypatch):
    falling = lambda self: self.log("mean_iou", torch.tensor(1 / self.global_step))  # noqa: E731
    monkeypatch.setattr(fitting.Fitting, "on_validation_epoch_end", falling)
    run(tmp_path)
    steps = {p: torch.load(tmp_path / f"{p}.ckpt", weights_only=True)["global_step"] for p in ("best", "last")}
    assert steps == {"best": 10, "last": 40}


def test_windows_are_the_same_in_every_run():
    windows = fitting.Windows(draw, FitSettings(**SETTINGS), 7, 12)
    later = fitting.Windows(draw, FitSettings(**SETTINGS), 9, 12)
    assert len(windows) == 5 and len(later) == 3
    for a, b in zip(windows[2], later[0], strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(windows[0][0], windows[1][0])
    image, labels = windows[0]
    assert image.shape == (3, 32, 32) and labels.shape == (32, 32) and labels.dtype == torch.int64


def poisoned(rng, side):
    image, labels = draw(rng, side)
    image[:] = np.nan
    return image, labels


def test_a_loss_that_is_no_number_ends_with_its_step(tmp_path):
    with pytest.raises(DataError, match=r"loss is nan at step 0, .* lower learning_rate, or correct scale") as caught:
        run(tmp_path, draw=poisoned)
    assert caught.value.exit_code == 3


def test_bfloat16_learns_too(tmp_path):
    told = []
    run(tmp_path, told.append, precision="bfloat16")
    assert max(t.get("overall_accuracy", 0) for t in told) > 0.95


def test_an_interrupted_fit_says_so_and_goes_on(tmp_path):
    def interrupt(figures):
        if figures["step"] >= 20:
            raise KeyboardInterrupt

    with pytest.raises(StoppedError, match="run the same command again") as caught:
        run(tmp_path, interrupt)
    assert caught.value.exit_code == 130
    told = []
    run(tmp_path, told.append)
    assert [t["step"] for t in told if "mean_iou" in t] in ([20, 30, 40], [30, 40])
