"""Model bundles: a folder with `card.json` and `weights.safetensors`, and nothing that could run.

The card is a STAC item with the MLM extension, for catalogues and other tools; what geoseg reads is under
`geoseg:card`, from which the rest is made.

Source: STAC 1.1, https://github.com/radiantearth/stac-spec; MLM 1.4, https://github.com/stac-extensions/mlm.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from geoseg.config import Card
from geoseg.errors import ModelError
from geoseg.io.commit import commit, sha256, write_json

CARD, WEIGHTS = "card.json", "weights.safetensors"
_PICKLES = {".pt", ".pth", ".ckpt", ".pt2", ".pkl", ".bin", ".npy"}
_EXTENSIONS = [
    "https://stac-extensions.github.io/mlm/v1.4.0/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model on disk whose card has been read; its weights are checked against the card when they are loaded."""

    folder: Path
    card: Card

    @property
    def digest(self) -> str:
        """SHA-256 of the card, which holds that of the weights: it changes with anything the model depends on."""
        return sha256(self.folder / CARD)

    def weights(self) -> dict[str, NDArray[np.generic]]:
        """Tensors by name, as stored.

        Raises:
            ModelError: the file is missing, damaged or not the one that the card describes.
        """
        path = self.folder / WEIGHTS
        if not path.is_file():
            raise ModelError(f"{path} is missing; copy the whole bundle folder again")
        found = sha256(path)
        if found != self.card.weights_sha256:
            raise ModelError(
                f"{path} is not the file that its card describes: sha256 is {found[:12]}..., the card says "
                f"{self.card.weights_sha256[:12]}...; it is damaged or of another model, copy the bundle again"
            )
        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise ModelError(f"{path} cannot be read as safetensors ({error}); copy the bundle again") from error


def shipped() -> list[str]:
    """Names of the models that come with geoseg."""
    return sorted(p.name for p in _shelf().iterdir() if (p / CARD).is_file())


def read_bundle(model: str, folder: Path = Path()) -> Bundle:
    """The bundle of a shipped model's name, or of a folder relative to `folder`.

    Raises:
        ModelError: there is none, it is a pickle, or its card is damaged.
    """
    if model in shipped():
        return _read(_shelf() / model)
    path = folder / model
    if path.suffix.lower() in _PICKLES:
        raise ModelError(
            f"{path} is a {path.suffix} file, which can run code when it is opened; geoseg reads bundle folders only "
            f"({CARD} and {WEIGHTS}). Convert it where it was made: save its state dict as safetensors, with a card"
        )
    if not path.is_dir():
        near = difflib.get_close_matches(model, shipped(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"shipped models are: {', '.join(shipped()) or 'none'}"
        raise ModelError(f"model {model!r} is neither shipped nor a folder ({path}); {hint}")
    return _read(path)


def write_bundle(folder: Path, card: Card, weights: dict[str, NDArray[np.generic]]) -> Bundle:
    """Writes weights, then the card with their hash. The bundle is complete when the card is there."""
    with commit(folder / WEIGHTS) as part:
        # safetensors writes an array's bytes as they lie in memory: one that is not in C order would come back shuffled
        save_file({name: np.asarray(array, order="C") for name, array in weights.items()}, part)
        part.chmod(0o644)  # safetensors makes files that only their owner can read
    found = sha256(folder / WEIGHTS)
    described = card.model_copy(update={"weights_sha256": found})
    parameters = sum(int(w.size) for w in weights.values())
    write_json(folder / CARD, _item(described, parameters))
    return Bundle(folder, described)


def _shelf() -> Path:
    return Path(str(files("geoseg") / "models"))


def _read(folder: Path) -> Bundle:
    path = folder / CARD
    if not path.is_file():
        raise ModelError(f"{folder} is not a bundle: {CARD} is missing; it must hold {CARD} and {WEIGHTS}")
    try:
        item = json.loads(path.read_text(encoding="utf-8"))
        return Bundle(folder, Card.model_validate(item["properties"]["geoseg:card"]))
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is not a geoseg model card ({error!r}); copy the bundle again") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"]) or "geoseg:card"
        raise ModelError(f"{path}: {place}: {first['msg']}; correct the card or copy the bundle again") from error


def _item(card: Card, parameters: int) -> dict[str, Any]:
    """The card as a STAC item with the MLM extension."""
    day = f"{card.released.isoformat()}T00:00:00Z"
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": _EXTENSIONS,
        "id": card.name,
        "geometry": None,
        "properties": {
            "datetime": day,
            "description": card.description,
            "license": card.licence,
            "mlm:name": card.name,
            "mlm:architecture": card.architecture,
            "mlm:tasks": ["semantic-segmentation"],
            "mlm:framework": "pytorch",
            "mlm:total_parameters": parameters,
            "mlm:input": [_input(card)],
            "mlm:output": [_output(card)],
            "geoseg:card": card.model_dump(mode="json"),
        },
        "links": [],
        "assets": {
            "weights": {
                "href": f"./{WEIGHTS}",
                "type": "application/octet-stream; application=safetensors",
                "roles": ["mlm:model", "mlm:weights"],
                "mlm:artifact_type": "safetensors",
                "file:checksum": f"1220{card.weights_sha256}",  # multihash: sha2-256, 32 bytes
            }
        },
    }


def _input(card: Card) -> dict[str, Any]:
    return {
        "name": "imagery",
        "bands": card.bands,
        "input": {
            "shape": [-1, len(card.bands), -1, -1],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "value_scaling": [
            {"type": "z-score", "mean": m / card.scale, "stddev": s / card.scale}
            for m, s in zip(card.mean, card.std, strict=True)
        ],
        "resize_type": None,
    }


def _output(card: Card) -> dict[str, Any]:
    return {
        "name": "land cover",
        "tasks": ["semantic-segmentation"],
        "result": {
            "shape": [-1, len(card.classes), -1, -1],
            "dim_order": ["batch", "class", "height", "width"],
            "data_type": "float32",
        },
        "classification:classes": [
            {"value": i, "name": c.name, "color_hint": c.colour.lstrip("#").upper()} for i, c in enumerate(card.classes)
        ],
    }
