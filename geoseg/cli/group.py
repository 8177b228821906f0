"""The group that all commands belong to, and how its help lists them."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg import __version__

FILE = click.Path(path_type=Path)
GROUPS = {
    "Start": ["init", "check", "run", "segment", "demo"],
    "Models": ["models", "train", "evaluate"],
    "Change and areas": ["change", "zones", "sample", "areas"],
    "Steps of a run": [
        *("plan", "predict", "stitch", "landcover", "buildings", "roads", "translate", "vectors_check", "report"),
        *("town", "schemas"),
    ],
}


class Grouped(click.Group):
    """A group whose help lists commands by what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands under their headings, in the order of `GROUPS`."""
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                commands = [(n, self.commands[n].get_short_help_str(70)) for n in names]
                formatter.write_dl(commands)


@click.group(cls=Grouped, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def geoseg() -> None:
    """From satellite and aerial imagery to land-cover maps that can be defended.

    One YAML file names area, imagery, model and products; `geoseg run aoi/x.yaml` makes a folder of results.
    """
