"""What can go wrong for an analyst: each kind ends in one sentence and its own exit code.

A message says what is wrong, with the values, and what to do next. Anything that is not a `GeosegError` is a
bug of ours and keeps its traceback.
"""


class GeosegError(Exception):
    """Base of everything an analyst may be told. `exit_code` is what the process ends with."""

    exit_code = 70


class ConfigError(GeosegError):
    """The command line or an AOI file asks for something that cannot be."""

    exit_code = 2


class DataError(GeosegError):
    """Imagery, labels or an area that cannot be used."""

    exit_code = 3


class ModelError(GeosegError):
    """A bundle that is damaged, or that does not fit the imagery."""

    exit_code = 4


class MachineError(GeosegError):
    """Disk, rights, memory or device."""

    exit_code = 5


class NetworkError(GeosegError):
    """A remote host or a scheduler that does not answer."""

    exit_code = 6


class LockedError(GeosegError):
    """Another run owns the same results."""

    exit_code = 7


class PartialError(GeosegError):
    """Everything that could be done is done; the holes are named."""

    exit_code = 8


class StoppedError(GeosegError):
    """A signal ended the work before it was done. What is finished is kept."""

    def __init__(self, number: int) -> None:
        """`number` of the signal: 2 for Ctrl-C, 15 for a kill; the exit code is 128 more, as shells count."""
        super().__init__("stopped; run the same command again to go on")
        self.exit_code = 128 + number


class WindowError(GeosegError):
    """A rectangle of pixels that is empty or outside its raster: a fault of ours, not of the analyst."""


def error_of(exit_code: int, message: str) -> GeosegError:
    """The error that ended another process of ours with that exit code."""
    if exit_code > 128:
        return StoppedError(exit_code - 128)
    kinds = {kind.exit_code: kind for kind in GeosegError.__subclasses__() if kind.exit_code != GeosegError.exit_code}
    return kinds.get(exit_code, GeosegError)(message)
