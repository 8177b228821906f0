"""Names of transitions against a model's classes."""

import itertools
import re

import pytest

from geoseg.config import READY, NamedTransition, resolve
from geoseg.errors import ConfigError

CLASSES = ["forest", "pasture", "building", "road", "water"]


def named(name, before, after):
    return NamedTransition.model_validate({"name": name, "from": before, "to": after})


def test_ready_made_transitions_mean_what_they_say():
    pairs = {
        p.name: {(CLASSES[i], CLASSES[j]) for i in range(5) for j in range(5) if p.before[i] and p.after[j]}
        for p in resolve(list(READY), CLASSES)
    }
    assert pairs["deforestation"] == {("forest", c) for c in ("pasture", "building", "road")}
    assert pairs["reforestation"] == {(c, "forest") for c in CLASSES if c != "forest"}
    assert pairs["urbanization"] == set(itertools.product(("forest", "pasture", "water"), ("building", "road")))
    assert pairs["water_gain"] == {(c, "water") for c in CLASSES if c != "water"}
    assert pairs["water_loss"] == {("water", c) for c in CLASSES if c != "water"}
    assert [p.name for p in resolve("auto", ["building", "land"])] == ["urbanization"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([named("clearing", ["forrest"], ["pasture"])], "no class 'forrest' (did you mean forest?)"),
        ([named("clearing", ["forest"], ["snow"])], "the classes are forest, pasture"),
        (["deforrestation"], "(did you mean deforestation?)"),
        ([named("same", ["forest"], ["forest"])], "name a class under from and another under to"),
        (["deforestation", named("deforestation", ["forest"], ["road"])], "give each its own name"),
    ],
)
def test_transitions_that_cannot_be_are_refused(asked, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        resolve(asked, CLASSES)


def test_a_map_without_the_class_is_told_so():
    with pytest.raises(ConfigError, match="deforestation needs a class called forest, and the classes are land, road"):
        resolve(["deforestation"], ["land", "road"])
    with pytest.raises(ConfigError, match="name your own with sets of classes"):
        resolve("auto", ["land", "grass"])
