"""What the network says of a window: imagery read with its context, patches computed, answers put in place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

from geoseg.config import Card
from geoseg.grid.patches import PatchPlan
from geoseg.grid.views import ViewPlan
from geoseg.grid.window import Window
from geoseg.io.bundle import Bundle
from geoseg.io.scenes import Mosaic
from geoseg.nn.inference import AS_IT_IS, Predictor, Scaling
from geoseg.nn.network import NetworkSpec, build, load
from geoseg.raster.blend import weights
from geoseg.raster.coding import encode_bands, unseen_bands
from geoseg.raster.normalize import normalize
from geoseg.raster.tiles import mirrored


@dataclass(frozen=True, slots=True)
class Context:
    """Normalized imagery of the patches that a target needs, for a model of so many classes."""

    target: Window
    window: Window
    extent: Window
    cores: tuple[Window, ...]
    image: NDArray[np.float32]
    valid: NDArray[np.bool_]
    classes: int


def load_predictor(bundle: Bundle, device: str, precision: str, threads: int, views: ViewPlan = AS_IT_IS) -> Predictor:
    """The bundle's network with its calibration, ready to answer."""
    network = load(build(network_spec(bundle.card)), bundle.weights())
    return Predictor(network, device, precision, threads, scaling(bundle.card), views)


def scaling(card: Card) -> Scaling | None:
    """The calibration that a card keeps, as a predictor takes it."""
    found = card.calibration
    return None if found is None else Scaling(tuple(found.scale), tuple(found.bias))


def network_spec(card: Card) -> NetworkSpec:
    """The network that a card describes."""
    decoder = None if card.decoder_channels is None else tuple(card.decoder_channels)
    return NetworkSpec(card.architecture, card.encoder, decoder, len(card.bands), len(card.classes), card.width)


def read_context(mosaic: Mosaic, card: Card, plan: PatchPlan, target: Window) -> Context | None:
    """Imagery of all patches that touch `target`, mirrored where imagery ends; None where there is none at all."""
    cores = tuple(plan.cores(target, mosaic.extent))
    return read_patches(mosaic, card, cores, plan.halo, target) if cores else None


def read_patches(mosaic: Mosaic, card: Card, cores: tuple[Window, ...], halo: int, target: Window) -> Context | None:
    """Imagery of the patches `cores` (row by row) with `halo` pixels of context, as `read_context`."""
    window = cores[0].union(cores[-1]).grow(halo)
    rows, cols = mirrored(window, mosaic.extent)
    source = Window.from_edges(int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1)
    image, valid = mosaic.read(source)
    if not valid.any():
        return None
    pick = (rows[:, None] - source.row_off, cols - source.col_off)
    shown, seen = image[:, pick[0], pick[1]], valid[pick]
    normal = normalize(shown, seen, card.scale, card.mean, card.std)
    return Context(target, window, mosaic.extent, cores, normal, seen, len(card.classes))


def answer(predictor: Predictor, plan: PatchPlan, context: Context, *, each: bool = False) -> NDArray[np.uint8]:
    """The context's target as coded bands (band, height, width): classes and confidence.

    Args:
        predictor, plan, context: the network, and what it is shown.
        each: whether the probability of every class follows, a band each. The first two bands do not depend on it.

    Returns:
        uint8, coded as `geoseg.raster.coding` says; unobserved where there is no imagery.
    """
    if plan.blend:
        return encode_bands(*answer_probs(predictor, plan, context), each=each)
    bands = unseen_bands(context.target.shape, context.classes if each else 0)
    for _, part, probs in _answers(predictor, plan, context):
        inside = part.within(context.target).slices
        observed = context.valid[part.within(context.window).slices]
        bands[(slice(None), *inside)] = encode_bands(probs, observed, each=each)
    return bands


def answer_probs(
    predictor: Predictor, plan: PatchPlan, context: Context
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Probabilities (class, height, width) of the context's target, and where there is imagery, (height, width).

    Where patches are blended, a pixel's sum is taken in one order whatever is asked for, so it has the same bytes.
    What lies beyond the imagery, or in a patch that was not computed because nothing in it was observed, is 0.
    """
    probs = np.zeros((context.classes, *context.target.shape), dtype=np.float32)
    observed = np.zeros(context.target.shape, dtype=bool)
    for core, part, found in _answers(predictor, plan, context):
        inside = part.within(context.target).slices
        observed[inside] = context.valid[part.within(context.window).slices]
        if plan.blend:
            probs[(slice(None), *inside)] += weights(part, core, context.extent, plan.blend) * found
        else:
            probs[(slice(None), *inside)] = found
    return probs, observed


def _answers(
    predictor: Predictor, plan: PatchPlan, context: Context
) -> Iterator[tuple[Window, Window, NDArray[np.float32]]]:
    """Core, pixels it answers for and their probabilities, of each patch that shows something.

    The order is by shape, then by place: whatever the target, of two patches the same one comes first.
    """
    wanted = [(core, part) for core in context.cores if (part := _part(core, plan, context)) is not None]
    wanted.sort(key=lambda w: w[0].shape)  # patches of one shape can share a batch
    for _, group in groupby(wanted, key=lambda w: w[0].shape):
        members = iter(group)
        while batch := list(islice(members, predictor.batch)):
            for (core, part), probs in zip(batch, _probs(predictor, plan, context, batch), strict=True):
                yield core, part, probs[(slice(None), *part.within(core.grow(plan.blend)).slices)]


def _part(core: Window, plan: PatchPlan, context: Context) -> Window | None:
    """Pixels that this patch answers for, or None where none of them was observed: the network need not run."""
    part = plan.answered(core, context.target, context.extent)
    if part is None or not context.valid[part.within(context.window).slices].any():
        return None
    return part


def _probs(
    predictor: Predictor, plan: PatchPlan, context: Context, members: Sequence[tuple[Window, Window]]
) -> NDArray[np.float32]:
    """Of each member (class, height, width), its core grown by the blend."""
    inputs = [core.grow(plan.halo).within(context.window).slices for core, _ in members]
    return predictor(np.stack([context.image[(slice(None), *i)] for i in inputs]), plan.halo - plan.blend)
