"""Pages of one file that open anywhere: pictures are inside, nothing is fetched or runs, and all text is escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.image import imsave
from numpy.typing import NDArray


def filled(template: str, filters: dict[str, Callable[..., str]], **content: Any) -> str:
    """A template of this folder as HTML.

    Args:
        template: its file name.
        filters: for values in it, besides `png`: see `png_uri`.
        content: what it shows, by name.
    """
    environment = Environment(
        loader=PackageLoader("geoseg.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"png": png_uri, **filters}
    return environment.get_template(template).render(**content)


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """(height, width, 3) as the address of a picture that is inside the page."""
    png = io.BytesIO()
    imsave(png, pixels, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode("ascii")
