"""Seeded procedural towns: imagery whose per-pixel truth is exact, at two dates with known changes.

Classes are those of land cover from very-high-resolution imagery: 0 building, 1 land, 2 road, 3 vegetation, 4 water.
Coordinates are metres from the upper left corner, x to the right and y down.
"""

from geoseg.town.develop import develop
from geoseg.town.plan import plan_town
from geoseg.town.render import render
from geoseg.town.style import DEMO_STYLE, TownStyle
from geoseg.town.town import Town

__all__ = ["DEMO_STYLE", "Town", "TownStyle", "develop", "plan_town", "render"]
