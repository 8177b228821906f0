"""From patches of pixel values to class probabilities."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from geoseg.errors import MachineError, ModelError

GPU_BATCH = 8  # patches sent to a GPU at once, fewer where its memory does not hold them


class Predictor:
    """A network ready to answer, on one device in one precision.

    It computes in one thread of its own, so that tasks that read and write can run beside it and the numbers
    do not depend on who calls.

    Args:
        network: (N, B, H, W) -> logits (N, C, H, W).
        device: `cpu` or `cuda`.
        precision: `float32` or `bfloat16`.
        threads: processor threads of the computation.
    """

    def __init__(self, network: nn.Module, device: str, precision: str, threads: int) -> None:
        self.device, self.threads = torch.device(device), threads
        self.batch = GPU_BATCH if device == "cuda" else 1  # batches of one keep the CPU's bytes stable
        self.dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self.network = network.eval().to(self.device, memory_format=torch.channels_last)
        self._thread = ThreadPoolExecutor(1, "network", initializer=torch.set_num_threads, initargs=(threads,))

    def __call__(self, patches: NDArray[np.float32], halo: int) -> NDArray[np.float32]:
        """Class probabilities of patches (N, B, H, W), normalized; the halo is cropped: (N, C, H-2h, W-2h).

        Raises:
            MachineError: the device's memory does not hold one patch.
            ModelError: the network answers with something that is not a number.
        """
        return self._thread.submit(self._run, patches, halo).result()

    def _run(self, patches: NDArray[np.float32], halo: int) -> NDArray[np.float32]:
        size = self.batch
        while True:
            try:
                parts = [self._batch(patches[i : i + size], halo) for i in range(0, len(patches), size)]
                return np.concatenate(parts)
            except torch.OutOfMemoryError as error:
                torch.cuda.empty_cache()
                if size == 1:
                    raise MachineError(
                        f"the device's memory does not hold one patch of {patches.shape[-1]} px; "
                        "set tiling.patch_size lower or compute.device to cpu"
                    ) from error
                size //= 2

    def _batch(self, patches: NDArray[np.float32], halo: int) -> NDArray[np.float32]:
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, self.dtype != torch.float32):
            x = torch.from_numpy(np.ascontiguousarray(patches)).to(self.device, memory_format=torch.channels_last)
            logits = self.network(x)
            height, width = logits.shape[-2:]
            core = logits[..., halo : height - halo, halo : width - halo]
            probs = torch.softmax(core.float(), dim=1).contiguous()
        found = probs.cpu().numpy()
        if not np.isfinite(found).all():  # the best of nothing would be the first class
            raise ModelError(
                "the network's answer is not a number; set compute.precision to float32, and if that does not help, "
                "look for pixel values far outside the model's value range"
            )
        return found
