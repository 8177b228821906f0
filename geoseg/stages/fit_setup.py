"""How a recipe is fitted: settings of the loop, what may go on from what, and what the card says of the fit."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from geoseg import __version__
from geoseg.config import Recipe
from geoseg.errors import ConfigError, ModelError
from geoseg.io.bundle import Bundle
from geoseg.io.commit import write_json
from geoseg.io.json_file import read_object
from geoseg.nn.augment import Variation
from geoseg.nn.fitting import FitSettings, Fitted
from geoseg.nn.precision import device_name, pick_device, pick_fit_precision, require_gpus
from geoseg.nn.schedule import Schedule
from geoseg.nn.windows import WindowSettings

_LIBRARIES = ("torch", "lightning", "segmentation-models-pytorch", "timm", "numpy")
_NETWORK = ("architecture", "encoder", "width", "decoder_channels", "bands", "classes")  # start must have the same
_NUMBERS = ("scale", "mean", "std")  # and these, where it is not fitted further


def require_same_network(plan: Recipe, start: Bundle) -> None:
    """Raises `ModelError` where weights of `start` would not mean in this recipe what they mean there."""
    keys = _NETWORK if plan.steps else (*_NETWORK, *_NUMBERS)
    names = {"classes": (start.card.class_names, [c.name for c in plan.classes])}
    pairs = {key: names.get(key, (getattr(start.card, key), getattr(plan, key))) for key in keys}
    wrong = [f"{key} {theirs} and not {ours}" for key, (theirs, ours) in pairs.items() if theirs != ours]
    if wrong:
        raise ModelError(
            f"start: {start.card.name} ({start.folder}) has {'; '.join(wrong)}; "
            "set these keys of the recipe alike, or start from another bundle"
        )


def same_recipe(plan: Recipe, work: Path, fold: int | None) -> None:
    """Checkpoints go on only under the recipe that made them; what does not touch the weights may change."""
    about = {"version", "released", "description", "licence", "attribution", "loaders", "calibration", "test_on"}
    fitted_by = {**plan.model_dump(mode="json", exclude=about), "fold": fold}
    note = work / "recipe.json"
    if note.exists() and read_object(note) != fitted_by:
        raise ConfigError(
            f"{work} holds the training of another recipe or fold, or of this one before it was changed; "
            "name another folder with --work, or delete it"
        )
    write_json(note, fitted_by)


def settings(plan: Recipe) -> FitSettings:
    """What the loop needs of a recipe. Raises `ConfigError` or `MachineError` where the devices do not fit."""
    if plan.batch % plan.devices:
        raise ConfigError(
            f"a batch of {plan.batch} windows cannot be shared by {plan.devices} devices; "
            f"set batch to {-(-plan.batch // plan.devices) * plan.devices}"
        )
    require_gpus(plan.devices)
    return FitSettings(
        schedule=Schedule(plan.steps, plan.warm_up, tuple((r.at, r.peak) for r in plan.restarts)),
        learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay,
        gradient_clip=plan.gradient_clip,
        ema_decay=plan.ema_decay,
        validate_every=plan.validate_every,
        early_stopping=plan.early_stopping,
        keep=plan.keep,
        precision=pick_fit_precision(plan.precision, pick_device("auto")),
        devices=plan.devices,
        windows=window_settings(plan),
    )


def window_settings(plan: Recipe) -> WindowSettings:
    """How the recipe's windows are drawn, varied and normalized."""
    return WindowSettings(
        seed=plan.seed,
        side=plan.window,
        batch=plan.batch,
        variation=Variation(**plan.augment.model_dump()),
        scale=plan.scale,
        mean=tuple(plan.mean),
        std=tuple(plan.std),
        value_range=plan.value_range,
        loaders=plan.loaders,
    )


def facts(fitted: Fitted, settings: FitSettings, fold: int | None) -> dict[str, str | int | float]:
    """What the card says of the fit: what it took, on what, with which libraries."""
    batch = settings.windows.batch
    return {
        "steps": fitted.steps,
        "seconds": round(fitted.seconds, 1),
        "windows_a_second": round(fitted.steps * batch / max(fitted.seconds, 1e-9), 2),
        "share_waiting_for_data": round(fitted.waited / max(fitted.seconds, 1e-9), 3),
        "device": device_name(pick_device("auto")),
        "devices": settings.devices,
        "precision": settings.precision,
        **({} if fold is None else {"fold": fold}),
        "geoseg": __version__,
        **{name.replace("-", "_"): version(name) for name in _LIBRARIES},
    }
