"""Small bundles with random weights: real networks in everything but what they know."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import torch

from geoseg.config import Card
from geoseg.io.bundle import Bundle, write_bundle
from geoseg.nn.network import build, stored, stride
from geoseg.nn.receptive_field import radius
from geoseg.stages.answer import network_spec

ENCODER, DECODER = "tu-mobilenetv2_035", (32, 24, 16, 12, 8)


def card(**changes: Any) -> Card:
    """A card for three uint8 bands and four classes at 1 m; `changes` replace its fields."""
    names, colours = ("building", "land", "road", "water"), ("#d7483d", "#e0cfa4", "#5b5f6b", "#3f7fd0")
    fields: dict[str, Any] = {
        "name": "tiny",
        "version": "1.0.0",
        "released": date(2026, 1, 1),
        "description": "random weights, for tests",
        "encoder": ENCODER,
        "decoder_channels": list(DECODER),
        "bands": ["red", "green", "blue"],
        "dtypes": ["uint8"],
        "value_range": (0.0, 255.0),
        "scale": 1 / 255,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "gsd": 1.0,
        "gsd_range": (0.4, 2.0),
        "classes": [{"name": n, "colour": c} for n, c in zip(names, colours, strict=True)],
        "patch_size": 64,
        "halo": 32,
        "stride": 32,
        "radius": None,
        "halo_curve": [],
        "weights_sha256": "0" * 64,
        "licence": "CC0-1.0",
        "attribution": ["nobody"],
        "scores": [],
        "training": {},
    }
    return Card.model_validate({**fields, **changes})


def tiny_bundle(folder: Path, seed: int = 0, **changes: Any) -> Bundle:
    """A bundle whose network has random weights from `seed`, lively enough that labels vary over an image."""
    described = card(**changes)
    torch.manual_seed(seed)
    network = build(network_spec(described)).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.startswith("segmentation_head"):
                weight.mul_(30)
    step = stride(network)
    found = described.model_copy(update={"stride": step, "radius": radius(network, len(described.bands), step)})
    return write_bundle(folder, found, stored(network))
