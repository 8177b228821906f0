"""Transitions that have a name: which classes before and which after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError

FOREST: Final = ("forest", "forests", "tree cover", "trees")
BUILT: Final = ("building", "buildings", "road", "roads", "built-up", "built up", "built", "developed", "urban")
WATER: Final = ("water", "open water")


@dataclass(frozen=True, slots=True)
class Transition:
    """A change that has a name.

    Args:
        name: as it is written in maps and tables.
        before, after: names of classes on either date; empty stands for all but those of the other date.
        never_after: with an empty `after`, classes that do not count either.
    """

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    never_after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pairs:
    """A transition among the classes of a map: (class,) truth of each before, and of each after."""

    name: str
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]


READY: Final = {
    t.name: t
    for t in (
        Transition("deforestation", FOREST, (), WATER),
        Transition("reforestation", (), FOREST),
        Transition("urbanization", (), BUILT),
        Transition("water_gain", (), WATER),
        Transition("water_loss", WATER, ()),
    )
}


def resolve(asked: Sequence[str | Transition], classes: Sequence[str]) -> list[Pairs]:
    """Transitions among the classes of a map, in the order asked for.

    Args:
        asked: names of `READY`, or transitions of the analyst's own. None at all: those of `READY` that the classes
            allow.
        classes: names, by value.

    Raises:
        ConfigError: a name that is neither ready-made nor a class, two of one name, or a transition without a pair.
    """
    if not asked:
        found = [_ready(t, classes) for t in READY.values() if _possible(t, classes)]
        if not found:
            raise ConfigError(
                f"none of the ready-made transitions ({', '.join(READY)}) fits the classes {', '.join(classes)}. Name "
                "your own with sets of classes, from and to."
            )
        return found
    pairs = [_ready(_known(a), classes) if isinstance(a, str) else _own(a, classes) for a in asked]
    names = [p.name for p in pairs]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ConfigError(f"two transitions are called {twice[0]}; give each its own name")
    return pairs


def _known(name: str) -> Transition:
    if name in READY:
        return READY[name]
    raise ConfigError(
        f"{name!r} is no ready-made transition{_nearest(name, tuple(READY))}. There are {', '.join(READY)}; or give it "
        "sets of classes, from and to."
    )


def _possible(transition: Transition, classes: Sequence[str]) -> bool:
    return bool(set(transition.before or transition.after) & {c.lower() for c in classes}) and len(classes) > 1


def _ready(transition: Transition, classes: Sequence[str]) -> Pairs:
    """A ready-made transition: of its names, those that the map has."""
    if not _possible(transition, classes):
        wanted = transition.before or transition.after
        raise ConfigError(
            f"{transition.name} needs a class called {wanted[0]}, and the map has {', '.join(classes)}. Name a "
            "transition of your own with sets of classes, from and to."
        )
    return _pairs(transition, classes)


def _own(transition: Transition, classes: Sequence[str]) -> Pairs:
    """An analyst's transition: each of its names must be a class."""
    for name in (*transition.before, *transition.after, *transition.never_after):
        if name.lower() not in [c.lower() for c in classes]:
            raise ConfigError(
                f"transition {transition.name}: the map has no class {name!r}{_nearest(name, classes)}. Its classes "
                f"are {', '.join(classes)}."
            )
    return _pairs(transition, classes)


def _pairs(transition: Transition, classes: Sequence[str]) -> Pairs:
    before, after, never = (
        np.array([c.lower() in {n.lower() for n in names} for c in classes])
        for names in (transition.before, transition.after, transition.never_after)
    )
    if not transition.before:
        before = ~after
    if not transition.after:
        after = ~before & ~never if transition.before else after
    if not before.any() or not after.any() or (before.sum() == 1 and (before == after).all()):
        raise ConfigError(
            f"transition {transition.name} has no pair of different classes, from and to, among {', '.join(classes)}. "
            "Name a class under from and another under to."
        )
    return Pairs(transition.name, before, after)


def _nearest(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name.lower(), [k.lower() for k in known], 1, 0.5)
    return f"; did you mean {next(k for k in known if k.lower() == close[0])}?" if close else ""
