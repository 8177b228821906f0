"""Fitting a network: windows in, the best weights by validation IoU out. Resumable, seeded."""

from __future__ import annotations

import logging
import math
import signal
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from geoseg.errors import DataError, StoppedError
from geoseg.nn.augment import radiometry, rescale, symmetry
from geoseg.nn.losses import IGNORE, FocalDice

Sample = tuple[NDArray[np.float32], NDArray[np.uint8]]  # image (B, S, S) of pixel values, labels (S, S)
TELL_EVERY = 50  # steps between signs of life
SCALE_SPREAD = 0.3  # windows are read at exp(+-0.3) of their side: 0.74 to 1.35 of the ground distance


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How to fit; the fields of a recipe that the loop needs."""

    steps: int
    batch: int
    window: int
    learning_rate: float
    weight_decay: float
    focal_gamma: float
    focal_weight: float
    dice_weight: float
    ema_decay: float
    validate_every: int
    precision: str
    seed: int
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    value_range: tuple[float, float]


class Windows(Dataset[tuple[Tensor, Tensor]]):
    """Training windows `start` to `stop` of an endless, seeded sequence: window i is the same in every run."""

    def __init__(
        self, draw: Callable[[np.random.Generator, int], Sample], settings: FitSettings, start: int, stop: int
    ):
        self.draw, self.settings, self.start, self.stop = draw, settings, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        s = self.settings
        rng = np.random.default_rng([s.seed, self.start + index])
        side = round(s.window * math.exp(rng.uniform(-SCALE_SPREAD, SCALE_SPREAD)))
        image, labels = (torch.from_numpy(a) for a in self.draw(rng, side))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        image, labels = rescale(image, labels, s.window)
        images, turned = symmetry(image[None], labels[None], generator)
        low, high = s.value_range
        lit = radiometry((images - low) / (high - low), generator) * (high - low) + low
        return _normalized(lit, s)[0], turned[0].long()


class Fitting(lightning.LightningModule):
    """One network being fitted, with the moving average of its weights, which is what is validated and kept."""

    def __init__(self, network: nn.Module, settings: FitSettings, classes: int) -> None:
        super().__init__()
        self.network, self.settings, self.classes = network, settings, classes
        average = get_ema_multi_avg_fn(settings.ema_decay)
        self.average = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
        self.loss = FocalDice(settings.focal_gamma, settings.focal_weight, settings.dice_weight)
        self.register_buffer("matrix", torch.zeros(classes, classes, dtype=torch.int64), persistent=False)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        images, labels = batch
        loss: Tensor = self.loss(self.network(images.contiguous(memory_format=torch.channels_last)), labels)
        if not torch.isfinite(loss):
            raise DataError(
                f"the loss is {loss.item()} at step {self.global_step}, with pixel values {float(images.min()):.3g} to "
                f"{float(images.max()):.3g} after normalization; lower learning_rate, or correct scale, mean and std"
            )
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(images))
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        self.average.update_parameters(self.network)

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        images, labels = batch
        found = self.average(images.contiguous(memory_format=torch.channels_last)).argmax(dim=1)
        use = labels != IGNORE
        pair = labels[use] * self.classes + found[use]
        self.matrix += torch.bincount(pair, minlength=self.classes**2).reshape(self.classes, self.classes)

    def on_validation_epoch_end(self) -> None:
        hit = self.matrix.diagonal().double()
        union = self.matrix.sum(0) + self.matrix.sum(1) - hit
        iou = (hit / union)[union > 0]
        self.log("mean_iou", iou.mean().float())
        self.log("overall_accuracy", (hit.sum() / self.matrix.sum().clamp(min=1)).float())
        self.matrix.zero_()

    def configure_optimizers(self) -> dict[str, Any]:
        s = self.settings
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=s.learning_rate, weight_decay=s.weight_decay)
        warm_up = max(1, s.steps // 20)

        def rate(step: int) -> float:
            if step < warm_up:
                return (step + 1) / warm_up
            return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, s.steps - warm_up)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _Data(lightning.LightningDataModule):
    """Loaders: each epoch is the next `validate_every` steps of the window sequence."""

    def __init__(
        self, draw: Callable[[np.random.Generator, int], Sample], held_out: Sequence[Sample], settings: FitSettings
    ):
        super().__init__()
        self.draw, self.held_out, self.settings = draw, held_out, settings

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        s = self.settings
        trainer = self.trainer
        assert trainer is not None
        per_epoch = s.validate_every * s.batch
        start = trainer.current_epoch * per_epoch
        windows = Windows(self.draw, s, start, min(start + per_epoch, s.steps * s.batch))
        # GDAL's threads do not survive a fork; a fresh process opens its own files
        return DataLoader(
            windows, batch_size=s.batch, num_workers=1, multiprocessing_context="spawn", prefetch_factor=4
        )

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        return DataLoader(_HeldOut(self.held_out, self.settings), batch_size=4)


class _HeldOut(Dataset[tuple[Tensor, Tensor]]):
    def __init__(self, windows: Sequence[Sample], settings: FitSettings) -> None:
        self.windows, self.settings = windows, settings

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, labels = self.windows[index]
        return _normalized(torch.from_numpy(image).float(), self.settings), torch.from_numpy(labels).long()


class Report(Callback):
    """Tells the caller, in numbers, how the fit goes."""

    def __init__(self, tell: Callable[[dict[str, float]], None]) -> None:
        self.tell = tell
        self.since = time.monotonic()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % TELL_EVERY == 0:
            spent, self.since = time.monotonic() - self.since, time.monotonic()
            loss = float(outputs["loss"])
            self.tell({"step": float(trainer.global_step), "loss": loss, "seconds_a_step": spent / TELL_EVERY})

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not trainer.sanity_checking:
            figures = {k: float(v) for k, v in trainer.callback_metrics.items()}
            self.tell({"step": float(trainer.global_step), **figures})


def fit(
    network: nn.Module,
    classes: int,
    settings: FitSettings,
    draw: Callable[[np.random.Generator, int], Sample],
    held_out: Sequence[Sample],
    folder: Path,
    tell: Callable[[dict[str, float]], None],
) -> nn.Module:
    """Fits `network` and returns its averaged weights at the best validation IoU.

    Args:
        network: (N, B, H, W) -> logits (N, classes, H, W).
        classes: number of classes.
        settings: schedule, loss and normalization.
        draw: picklable; an independent training window of a given side from a random generator.
        held_out: validation windows, all of one size.
        folder: where checkpoints and learning curves go; a fit that was stopped goes on from there.
        tell: called with step and scores after each validation.

    Raises:
        DataError: the loss is not finite.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # no talk of devices and products
    lightning.seed_everything(settings.seed, verbose=False)
    model = Fitting(network, settings, classes).to(memory_format=torch.channels_last)
    best = ModelCheckpoint(folder, "best", monitor="mean_iou", mode="max", enable_version_counter=False)
    # save_last of the other would keep only steps at which the score rose
    latest = ModelCheckpoint(folder, "last", enable_version_counter=False)
    trainer = lightning.Trainer(
        max_steps=settings.steps,
        precision="bf16-mixed" if settings.precision == "bfloat16" else "32-true",
        gradient_clip_val=1.0,
        callbacks=[Report(tell), best, latest],
        logger=CSVLogger(folder, "curves", version=""),
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        log_every_n_steps=min(50, settings.validate_every),
        enable_progress_bar=False,
        enable_model_summary=False,
        devices=1,
    )
    last = folder / "last.ckpt"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        try:
            trainer.fit(model, datamodule=_Data(draw, held_out, settings), ckpt_path=last if last.exists() else None)
        except SystemExit as stop:  # how lightning ends after Ctrl-C; checkpoints are kept
            raise StoppedError(signal.SIGINT) from stop
    kept = torch.load(folder / "best.ckpt", map_location="cpu", weights_only=True)  # noqa: TID251 - we wrote it
    model.load_state_dict(kept["state_dict"], strict=False)
    return model.average.module.eval()


def _normalized(images: Tensor, settings: FitSettings) -> Tensor:
    shape = (-1, 1, 1)
    mean, std = torch.tensor(settings.mean).reshape(shape), torch.tensor(settings.std).reshape(shape)
    return (images * settings.scale - mean) / std
