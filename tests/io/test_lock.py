"""One run at a time: a second one is refused, and a dead one holds nothing."""

import os
import signal
import subprocess
import sys

import pytest

from geoseg.errors import LockedError, MachineError
from geoseg.io.lock import LOCK, locked

HOLD = """
import sys, time
from pathlib import Path
from geoseg.io.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_and_names_the_first(tmp_path):  # H15
    with locked(tmp_path / "new" / "folder"):
        with (
            pytest.raises(LockedError, match=f"in use by process {os.getpid()} on .*; wait for it, or stop it") as e,
            locked(tmp_path / "new" / "folder"),
        ):
            pass
        assert e.value.exit_code == 7
        with locked(tmp_path / "other"):
            pass


def test_the_lock_is_free_again_after_the_block_even_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="stop"), locked(tmp_path):
        raise ValueError("stop")
    with locked(tmp_path):
        pass
    assert (tmp_path / LOCK).exists()  # a lock that is removed could be held twice


def test_a_killed_holder_holds_nothing(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline().strip() == "held"
        with pytest.raises(LockedError, match=f"process {child.pid} on"), locked(tmp_path):
            pass
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    with locked(tmp_path):
        pass


def test_a_planted_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("keep me")
    (tmp_path / LOCK).symlink_to(tmp_path / "secret")
    with pytest.raises(MachineError) as caught, locked(tmp_path):
        pass
    assert caught.value.exit_code == 5 and LOCK in str(caught.value)
    assert (tmp_path / "secret").read_text() == "keep me"
