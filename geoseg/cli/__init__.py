"""The command line: flags in, one stage call, exit code out. Imports are inside, so that `--help` is quick."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import click

# each adds its commands to the group
from geoseg.cli import change, models, samples, start, steps, vector_scores, zones  # noqa: F401
from geoseg.cli.group import geoseg
from geoseg.errors import ConfigError, GeosegError

__all__ = ["geoseg", "main"]


def main() -> None:
    """Entry point: every error an analyst can cause ends in one message and its exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("geoseg").setLevel(logging.INFO)
    for noisy in ("rasterio", "pyogrio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")  # it sets its own level when it is imported
    try:
        geoseg.main(standalone_mode=False)
    except GeosegError as error:
        _end(str(error), error.exit_code)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.UsageError as error:
        where = f"; see {error.ctx.command_path} --help" if error.ctx else ""
        _end(f"{error.format_message()}{where}", ConfigError.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end("stopped; run the same command again to go on", 130)


def _end(message: str, code: int) -> None:
    """Says what is wrong; a parent that drives this process finds message and code in a file, too."""
    click.echo(f"error: {message}", err=True)
    if path := os.environ.get("GEOSEG_ERROR_FILE"):
        from geoseg.io.commit import write_json

        write_json(Path(path), {"message": message, "exit_code": code})
    sys.exit(code)
