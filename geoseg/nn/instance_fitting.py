"""Fitting Mask R-CNN: windows with numbered objects in, the averaged weights at the end out. Resumable, seeded."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from numpy.typing import NDArray
from torch import Tensor, nn

from geoseg.errors import DataError, MachineError, StoppedError
from geoseg.nn.batches import Batch, WindowData
from geoseg.nn.checkpoints import LAST, WholeCheckpoints, Write, read_checkpoint, resumable
from geoseg.nn.fitting import FitSettings, Fitted, Fitting
from geoseg.nn.losses import IGNORE
from geoseg.nn.rcnn import Rcnn, Target
from geoseg.nn.watch import Tell, Watch
from geoseg.nn.windows import Draw, Windows

_LIGHTNING_PRECISION = {"bfloat16": "bf16-mixed", "float16": "16-mixed", "float32": "32-true"}
_CLASSES = 256  # a pixel's label is number x 256 + class index + 1, 0 where there is no object


def coded(numbers: NDArray[np.int32], indices: NDArray[np.int32]) -> NDArray[np.int32]:
    """Labels of a window as they are drawn: which object a pixel is of, and of which class that is.

    Args:
        numbers: (S, S), 1 to n, 0 where there is no object; n below 65536.
        indices: (n,) class index of each object.
    """
    classes = np.concatenate([[-1], indices]).astype(np.int32)
    return numbers * _CLASSES + classes[numbers] + 1


def painted_objects(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Class index (S, S) of labels as `coded` makes them, 255 where there is no object and between two that touch."""
    painted = np.where(labels > 0, labels % _CLASSES - 1, IGNORE)
    painted[:, :-1][labels[:, :-1] != labels[:, 1:]] = IGNORE
    painted[:-1][labels[:-1] != labels[1:]] = IGNORE
    return painted


def targets(labels: Tensor, min_pixels: int) -> Target:
    """The objects of one window's labels (S, S) as `coded` makes them; those under `min_pixels` are left out."""
    codes, counts = torch.unique(labels, return_counts=True)
    codes = codes[(codes > 0) & (counts >= min_pixels)]
    masks = labels[None] == codes[:, None, None]
    rows, cols = masks.any(dim=2).long(), masks.any(dim=1).long()
    side = torch.tensor(labels.shape, device=labels.device)
    edges = [cols.argmax(1), rows.argmax(1), side[1] - cols.flip(1).argmax(1), side[0] - rows.flip(1).argmax(1)]
    return Target(torch.stack(edges, dim=1).float(), codes % _CLASSES, masks.to(torch.uint8))


@dataclass(frozen=True, slots=True)
class Objective:
    """What Mask R-CNN minimizes, and on what.

    Args:
        iou_balanced: power of the IoU that weighs positives in the box head; 0: plain losses.
        min_pixels: objects smaller than this in a window are not learned from.
    """

    iou_balanced: float
    min_pixels: int


class InstanceFitting(Fitting):
    """Mask R-CNN being fitted, with the moving average of its weights, which is what is kept."""

    def __init__(
        self, network: nn.Module, settings: FitSettings, objective: Objective, name: Callable[[int], str]
    ) -> None:
        super().__init__(network, settings, nn.Identity(), 0, name)
        self.objective = objective

    def training_step(self, batch: Batch, index: int) -> dict[str, Any]:
        """Loss of a batch, and its terms."""
        images, labels, self.numbers = batch
        self._seed()
        network = self.network
        assert isinstance(network, Rcnn)
        told = [targets(item, self.objective.min_pixels) for item in labels]
        terms = network.losses(images, told, self.objective.iou_balanced)
        loss = torch.stack([term.float() for term in terms.values()]).sum()
        if not torch.isfinite(loss):
            raise DataError(
                f"the loss is {loss.item()} at step {self.global_step}, in {self._named(self.numbers)}, with pixel "
                f"values {float(images.min()):.3g} to {float(images.max()):.3g} after normalization; lower "
                "learning_rate, or correct scale, mean and std. The last checkpoint is kept"
            )
        return {"loss": loss, "terms": {name: term.detach() for name, term in terms.items()}}


def fit_instances(
    network: nn.Module,
    settings: FitSettings,
    draw: Draw,
    objective: Objective,
    folder: Path,
    tell: Tell,
    write: Write,
) -> Fitted:
    """Fits `network`; its averaged weights at the end.

    Args:
        network: an `Rcnn` with the weights to start from.
        settings: as for class maps; nothing is validated on the way, and one device is used.
        draw: draws training windows, labels as `coded` makes them.
        objective: what is minimized.
        folder: where checkpoints go, every `validate_every` steps; a fit that was stopped goes on from there.
        tell: called with rows of numbers, see `Watch`.
        write: commits bytes as a file.

    Raises:
        DataError: the loss is not finite.
        ModelError: the checkpoint to go on from is damaged.
        MachineError: a checkpoint cannot be written, or the device has too little memory.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    start, data, steps = resumable(folder, "last"), settings.windows, settings.schedule.steps
    lightning.seed_everything(data.seed, verbose=False)
    watch = Watch(tell, lambda step: settings.learning_rate * settings.schedule(step), data.batch)
    model = InstanceFitting(network, settings, objective, Windows(draw, data, (0, steps)).name)
    trainer = lightning.Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=1,
        precision=_LIGHTNING_PRECISION[settings.precision],
        callbacks=[watch, ModelCheckpoint(folder, "last", enable_version_counter=False)],
        plugins=[WholeCheckpoints(write)],
        logger=False,
        limit_val_batches=0,
        reload_dataloaders_every_n_epochs=1,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    windows = WindowData(draw, [], data, (settings.validate_every, steps), watch.wait)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        try:
            trainer.fit(model, datamodule=windows, ckpt_path=start)
        except SystemExit as stop:  # how lightning ends after Ctrl-C; checkpoints are kept
            raise StoppedError(signal.SIGINT) from stop
        except torch.OutOfMemoryError as error:
            raise MachineError(
                f"the device has too little memory for {data.batch} windows of {data.side} px; lower batch or window"
            ) from error
    kept = read_checkpoint(folder / LAST)
    model.load_state_dict(kept["state_dict"])
    took = kept["callbacks"][watch.state_key]
    return Fitted(model.average.module.eval(), took["steps"], took["seconds"], took["waited"])
