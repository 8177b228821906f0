"""Snakemake as a child process: started with a lock that its steps hold too, stopped with all of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import geoseg
from geoseg.errors import ConfigError, GeosegError, error_of
from geoseg.io.commit import writing

ERROR_FILE = "GEOSEG_ERROR_FILE"  # environment variable: where a failing step leaves its message for us
PATIENCE = 8.0  # seconds that steps have for stopping by themselves
_TAIL = 15  # lines of a log that are shown


def snakefile() -> Path:
    """The Snakefile: inside the package where it was installed, else at the root of the repository.

    Raises:
        ConfigError: neither is there.
    """
    package = Path(geoseg.__file__).parent
    for path in (package / "workflow" / "Snakefile", package.parent / "Snakefile"):
        if path.is_file():
            return path
    raise ConfigError(f"the Snakefile of geoseg is not in {package}; install geoseg again")


def command(aoi: Path, results: Path, cores: int | None, rule: str = "all") -> list[str]:
    """The call of Snakemake that makes everything of one AOI file, or what `rule` asks for."""
    file = snakefile()
    return [
        *(sys.executable, "-m", "snakemake", rule, "--snakefile", str(file)),
        *("--workflow-profile", str(file.parent / "workflows" / "profiles" / "default")),
        *("--cores", "all" if cores is None else str(cores)),
        # our own lock is held instead: Snakemake's outlives a killed run, and has no owner
        "--nolock",
        # as lists in JSON: Snakemake strips quotes, then reads YAML, where a hash starts a comment
        *("--config", *(f"{key}={json.dumps([str(path)])}" for key, path in (("aoi", aoi), ("results", results)))),
    ]


@contextmanager
def started(
    call: Sequence[str], log: Path, errors: Path, lock: int, cores: int | None
) -> Iterator[subprocess.Popen[bytes]]:
    """Snakemake at work, in a process group of its own; the whole group ends with the block.

    The lock is its standard input, which nobody reads: unlike any other file, that one is handed down to every
    process below it, so the results stay locked until the last of them has ended, even if we are killed.

    Args:
        call: what to run.
        log: gets everything that it says.
        errors: gets the message of a failing step.
        lock: from `geoseg.io.lock`.
        cores: processor cores to use; all if None.
    """
    with writing(log):
        errors.unlink(missing_ok=True)
        output = log.open("wb")
    with output, _cores(cores):
        process = subprocess.Popen(  # noqa: S603 (our own interpreter, no shell)
            call,
            stdin=lock,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, ERROR_FILE: str(errors.absolute())},
        )
    text = f"process {os.getpid()} on {socket.gethostname()}, whose steps are process group {process.pid}"
    os.ftruncate(lock, 0)
    os.pwrite(lock, text.encode(), 0)
    try:
        yield process
    finally:
        _stop(process)


def summary(call: Sequence[str]) -> list[dict[str, str]]:
    """Snakemake's table of all files with their rule, status and plan; nothing is run.

    Raises:
        GeosegError: Snakemake does not answer; with the end of what it says.
    """
    made = subprocess.run([*call, "--summary"], capture_output=True, text=True, check=False)  # noqa: S603
    if made.returncode:
        raise GeosegError(f"the workflow cannot be read:\n{_end_of(made.stderr)}")
    header, *rows = [line.split("\t") for line in made.stdout.splitlines() if "\t" in line]
    return [dict(zip(header, row, strict=True)) for row in rows]


def failure(errors: Path, logs: Sequence[Path]) -> GeosegError:
    """Why Snakemake failed: in the words of the step that failed, or else by the end of its log.

    Args:
        errors: where a step leaves its message; removed.
        logs: of the steps that have begun and not ended, and of Snakemake itself.
    """
    try:
        told = json.loads(errors.read_text(encoding="utf-8"))
        errors.unlink()
        return error_of(told["exit_code"], told["message"])
    except (OSError, ValueError, KeyError):
        pass
    log = next(path for path in logs if path.is_file() and (path.stat().st_size or path == logs[-1]))
    text = log.read_text(encoding="utf-8", errors="replace")
    return GeosegError(f"a step ended without saying why; the end of {log}:\n{_end_of(text)}\nAll of it: {logs[-1]}")


def _end_of(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-_TAIL:])


@contextmanager
def _cores(count: int | None) -> Iterator[None]:
    """Lets a child that is started in the block see only so many processor cores."""
    if count is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the group: as with Ctrl-C, then for good."""
    for number, patience in ((signal.SIGINT, PATIENCE), (signal.SIGKILL, None)):
        if process.poll() is not None and number is signal.SIGINT:
            continue
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):  # nobody is left
            break
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
