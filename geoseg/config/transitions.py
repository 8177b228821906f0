"""Transitions between classes: those that have a name, and those that an AOI file names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, field_validator

from geoseg.config.values import Section
from geoseg.errors import ConfigError

FOREST: Final = ("forest", "forests", "tree cover", "trees")
BUILT: Final = ("building", "buildings", "road", "roads", "built-up", "built up", "built", "developed", "urban")
WATER: Final = ("water", "open water")


class NamedTransition(Section):
    """One entry of `change.transitions`: a transition of your own."""

    model_config = ConfigDict(serialize_by_alias=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")] = Field(description="as it stands in results")
    before: list[str] = Field(default=[], alias="from", description="classes before; none: all but those under to")
    after: list[str] = Field(default=[], alias="to", description="classes after; none: all but those under from")

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name == "unobserved":
            raise ValueError(
                "a transition cannot be called unobserved, as maps call what nobody saw; give another name"
            )
        return name


@dataclass(frozen=True, slots=True)
class ReadyTransition:
    """A transition that has a name here.

    Args:
        name: as it is written in maps and tables.
        before, after: what its classes may be called; empty stands for all but those of the other date.
        never_after: with an empty `after`, classes that do not count either.
    """

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    never_after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResolvedTransition:
    """A transition among the classes of a map: for each class, whether it is one before, and one after."""

    name: str
    before: tuple[bool, ...]
    after: tuple[bool, ...]


READY: Final = {
    t.name: t
    for t in (
        ReadyTransition("deforestation", FOREST, (), WATER),
        ReadyTransition("reforestation", (), FOREST),
        ReadyTransition("urbanization", (), BUILT),
        ReadyTransition("water_gain", (), WATER),
        ReadyTransition("water_loss", WATER, ()),
    )
}


def ready(classes: Sequence[str]) -> list[str]:
    """Names of the ready-made transitions that some classes allow."""
    return [name for name, transition in READY.items() if _possible(transition, classes)]


def resolve(
    asked: Sequence[str | NamedTransition] | Literal["auto"], classes: Sequence[str]
) -> list[ResolvedTransition]:
    """Transitions among the classes of a map, in the order asked for.

    Args:
        asked: names of `READY`, or transitions of the analyst's own; auto: those of `READY` that the classes allow.
        classes: names, by value.

    Raises:
        ConfigError: a name that is neither ready-made nor a class, two of one name, or a transition without a pair.
    """
    wanted = ready(classes) if asked == "auto" else asked
    if not wanted:
        raise ConfigError(
            f"none of the ready-made transitions ({', '.join(READY)}) fits the classes {', '.join(classes)}; name your "
            "own with sets of classes, from and to"
        )
    found = [_ready(_known(a), classes) if isinstance(a, str) else _own(a, classes) for a in wanted]
    names = [t.name for t in found]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ConfigError(f"two transitions are called {twice[0]}; give each its own name")
    return found


def _known(name: str) -> ReadyTransition:
    if name in READY:
        return READY[name]
    raise ConfigError(
        f"{name!r} is no ready-made transition{_nearest(name, tuple(READY))}; there are {', '.join(READY)}; or give it "
        "sets of classes, from and to"
    )


def _possible(transition: ReadyTransition, classes: Sequence[str]) -> bool:
    return bool(set(transition.before or transition.after) & {c.lower() for c in classes}) and len(classes) > 1


def _ready(transition: ReadyTransition, classes: Sequence[str]) -> ResolvedTransition:
    """A ready-made transition: of its names, those that the map has."""
    if not _possible(transition, classes):
        wanted = transition.before or transition.after
        raise ConfigError(
            f"{transition.name} needs a class called {wanted[0]}, and the classes are {', '.join(classes)}; name a "
            "transition of your own with sets of classes, from and to"
        )
    return _resolved(transition.name, transition.before, transition.after, transition.never_after, classes)


def _own(transition: NamedTransition, classes: Sequence[str]) -> ResolvedTransition:
    """An analyst's transition: each of its names must be a class."""
    for name in (*transition.before, *transition.after):
        if name.lower() not in [c.lower() for c in classes]:
            raise ConfigError(
                f"transition {transition.name}: there is no class {name!r}{_nearest(name, classes)}; the classes are "
                f"{', '.join(classes)}"
            )
    return _resolved(transition.name, transition.before, transition.after, (), classes)


def _resolved(
    name: str, before: Sequence[str], after: Sequence[str], never_after: Sequence[str], classes: Sequence[str]
) -> ResolvedTransition:
    one, two, never = (
        [c.lower() in {n.lower() for n in names} for c in classes] for names in (before, after, never_after)
    )
    if not before:
        one = [not member for member in two]
    if not after:
        two = [not (b or n) for b, n in zip(one, never, strict=True)] if before else two
    if not any(one) or not any(two) or (sum(one) == 1 and one == two):
        raise ConfigError(
            f"transition {name} has no pair of different classes, from and to, among {', '.join(classes)}; name a "
            "class under from and another under to"
        )
    return ResolvedTransition(name, tuple(one), tuple(two))


def _nearest(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name.lower(), [k.lower() for k in known], 1, 0.5)
    return f" (did you mean {next(k for k in known if k.lower() == close[0])}?)" if close else ""
