"""`geoseg run`: progress, exit codes, locks, interruptions."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from snakemake.cli import parse_config

from geoseg.errors import (
    ConfigError,
    DataError,
    GeosegError,
    LockedError,
    MachineError,
    ModelError,
    NetworkError,
    PartialError,
    StoppedError,
    error_of,
)
from geoseg.io.commit import sha256
from geoseg.io.delivery import put_aside_changed
from geoseg.io.engine import command, failure, started
from geoseg.io.lock import locked
from geoseg.io.steps import Watch
from geoseg.stages.run import describe, run
from tests.workflow.project import DATE, Project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project"))


def wait_for(condition, seconds=200):
    """Until `condition()` holds; fails when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def alive(group):
    """Whether a process of that group lives."""
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return any(int(g) == group and not s.startswith("Z") for g, s in map(str.split, listed.splitlines()))


# ---- the command line ---------------------------------------------------------------------------------------


def test_a_failing_step_ends_with_its_message_and_exit_code(project):
    project.scene("grey.tif", ("red",))
    aoi = project.aoi("grey", dates={DATE: {"scenes": ["../grey.tif"]}})
    made = project.geoseg("run", str(aoi))
    assert made.returncode == ModelError.exit_code
    first, *_, last = made.stderr.strip().splitlines()
    assert first == f"grey {DATE}: planning"
    assert last.startswith("error: ")
    assert "has 1 image band (1 red); needed are red, green, blue" in last
    assert "Traceback" not in made.stderr
    assert "snakemake" not in made.stderr.lower()


@pytest.mark.parametrize(
    ("sections", "code", "message"),
    [
        ({"veiws": {}}, 2, r"bad\.yaml:\d+:1 +veiws: unknown key; did you mean views\?"),
        ({"model": "../nope"}, 4, "model '../nope' is neither shipped nor imported nor a folder"),
        ({"dates": {DATE: {"scenes": ["../twon.tif"]}}}, 2, "did you mean town.tif"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_before_anything_starts(project, sections, code, message):
    made = project.geoseg("run", str(project.aoi("bad", **sections)))
    assert made.returncode == code
    assert re.fullmatch(rf"error: .*{message}.*\n", made.stderr)
    assert not (project.folder / "results" / "bad").exists()


def test_a_second_run_is_turned_away(project, monkeypatch):  # H15
    monkeypatch.chdir(project.folder)
    aoi = project.aoi("twice")
    with (
        locked(project.folder / "results" / "twice"),
        pytest.raises(LockedError, match=rf"in use by process {os.getpid()} on .*; wait for it, or stop it"),
    ):
        run(aoi, project.folder / "results", None, dry_run=False)


def test_a_dry_run_says_what_is_due_and_leaves_nothing(project, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(project.folder)
    run(project.aoi("dry"), tmp_path / "results", 1, dry_run=True)
    steps = (
        "planning, mapping, joining tiles, drawing polygons, writing other formats, checking vectors, gathering figures"
    )
    assert capsys.readouterr().out == f"dry {DATE}: {steps}\n"
    assert not (tmp_path / "results" / "dry").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)  # several whole runs
def test_stopped_killed_and_run_again(project):  # H06, H08
    aoi = project.aoi("stopped")
    folder = project.folder / "results" / "stopped"
    plan = folder / DATE / "work" / "plan.json"
    process = project.start("run", str(aoi))
    wait_for((folder / DATE / "logs" / "plan.log").exists)
    since = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=20)
    assert time.monotonic() - since < 10
    assert process.returncode == 143
    assert told.endswith("error: stopped; run the same command again to go on\n")
    assert not plan.exists()

    process = project.start("run", str(aoi))
    wait_for((folder / DATE / "logs" / "predict.log").exists)  # so that the plan counts as made
    group = int(re.search(r"process group (\d+)", (folder / ".geoseg.lock").read_text())[1])
    try:
        process.kill()
        process.communicate()
        os.killpg(group, signal.SIGSTOP)  # so that they cannot be done before the next run starts
        again = project.geoseg("run", str(aoi))
        assert again.returncode == LockedError.exit_code  # its steps live on, and hold the lock
        assert f"process group {group}" in again.stderr
    finally:
        os.killpg(group, signal.SIGKILL)
    wait_for(lambda: not alive(group))

    made = project.geoseg("run", str(aoi))
    assert made.returncode == 0, made.stderr
    assert "planning" not in made.stderr
    assert f"stopped {DATE}: mapping: done in" in made.stderr
    assert json.loads((folder / DATE / "run.json").read_text())["layers"]["landcover"]["features"] > 0


@pytest.mark.slow
@pytest.mark.timeout(900)  # several whole runs
def test_strange_folders_and_damaged_results(tmp_path):  # H24, M10
    folder = tmp_path / "é 雪 #1 it's {a} [b] $(touch INJECTED); & ?!" / "-x"
    project = Project(folder)
    aoi = project.aoi("town", dates={DATE: {"scenes": ["../town.tif"]}})
    made = project.geoseg("run", str(aoi), "--results", "r é's #b", "--cores", "1")
    assert made.returncode == 0, made.stderr
    out = folder / "r é's #b" / "town" / DATE
    figures = json.loads((out / "run.json").read_text())
    found = figures["layers"]["landcover"]["features"]
    assert f"1.54 ha; {found} polygons of land cover" in made.stdout  # 160 x 96 pixels of 1 m2 at scale 0.99972
    assert re.search(r"^  building +\d+\.\d\d ha +\d+\.\d %$", made.stdout, re.MULTILINE)
    assert not [p for p in tmp_path.rglob("INJECTED*") if p.name == "INJECTED"]

    before = sha256(out / "landcover.tif")
    with (out / "landcover.tif").open("r+b") as file:
        file.truncate(0)
    made = project.geoseg("run", str(aoi), "--results", "r é's #b", "--cores", "1")
    assert made.returncode == 0, made.stderr
    assert "landcover.tif is not what was made; kept as landcover.tif.changed, made again" in made.stderr
    assert "mapping" not in made.stderr
    assert sha256(out / "landcover.tif") == before

    made = project.geoseg("run", str(aoi), "--results", "r é's #b")
    assert made.stderr == "town: nothing to do, all results are up to date\n"


def test_a_path_with_a_line_break_is_refused(project):  # H24
    made = project.geoseg("run", str(project.aoi("x")), "--results", "a\nb")
    assert made.returncode == ConfigError.exit_code
    assert "holds a line break or control character; rename" in made.stderr


# ---- its parts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [ConfigError, DataError, ModelError, MachineError, NetworkError, LockedError, PartialError]
)
def test_an_exit_code_names_its_kind(kind):
    error = error_of(kind.exit_code, "what and why")
    assert type(error) is kind
    assert str(error) == "what and why"


def test_other_exit_codes():
    assert error_of(143, "").exit_code == 143
    assert type(error_of(143, "")) is StoppedError
    assert type(error_of(1, "")) is GeosegError


def test_a_failure_without_words_shows_the_end_of_the_log(tmp_path):
    log = tmp_path / "predict.log"
    log.write_text("\n".join(f"line {n}" for n in range(100)))
    error = failure(tmp_path / "none.json", [log, tmp_path / "workflow.log"])
    assert type(error) is GeosegError
    assert f"the end of {log}:\n  line 85\n" in str(error)
    assert str(error).endswith(f"  line 99\nAll of it: {tmp_path / 'workflow.log'}")


def test_the_whole_group_ends_with_the_block(tmp_path):
    with locked(tmp_path) as lock:
        call = ["bash", "-c", "sleep 60 & sleep 60"]
        with started(call, tmp_path / "log", tmp_path / "error.json", lock, None) as process:
            assert alive(process.pid)
    assert not alive(process.pid)


def test_the_lock_is_held_by_every_child_until_it_ends(tmp_path):
    with locked(tmp_path) as lock:
        call = [sys.executable, "-c", "import subprocess; subprocess.Popen(['sleep', '60'])"]
        process = subprocess.Popen(call, stdin=lock, start_new_session=True)
        process.wait()
    with pytest.raises(LockedError), locked(tmp_path):
        pass
    os.killpg(process.pid, signal.SIGKILL)
    wait_for(lambda: not alive(process.pid), 5)
    with locked(tmp_path):
        pass


def test_a_child_sees_as_many_cores_as_it_may_use(tmp_path):
    before = os.sched_getaffinity(0)
    logs = tmp_path / "log", tmp_path / "error.json"
    with locked(tmp_path) as lock, started(["nproc"], *logs, lock, 1) as process:
        process.wait()
    assert (tmp_path / "log").read_text() == "1\n"
    assert os.sched_getaffinity(0) == before


def test_values_reach_snakemake_as_they_are(tmp_path):
    """It strips quotes and reads YAML, where a hash starts a comment and 0700 is a number."""
    aoi, results = tmp_path / "é #b: 'c'=\"d\".yaml", tmp_path / "0700"
    call = command(aoi, results, None)
    config = parse_config(call[call.index("--config") + 1 :])
    assert config == {"aoi": [str(aoi)], "results": [str(results)]}


def test_steps_are_followed_by_their_files(tmp_path):
    logs = tmp_path / DATE / "logs"
    logs.mkdir(parents=True)
    (logs / "plan.log").write_text("plan: of an earlier run\n")
    watch = Watch(tmp_path, [DATE])
    assert list(watch.news()) == []
    (logs / "predict.log").write_text("noise\npredict: 1 of 2 tiles, 1.00 Mpx/s, 3 s left\npredict: 2 of")
    assert list(watch.news()) == [f"{DATE}: mapping", f"{DATE}: mapping: 1 of 2 tiles, 1.00 Mpx/s, 3 s left"]
    assert watch.open_logs == [logs / "predict.log"]
    with (logs / "predict.log").open("a") as file:
        file.write(" 2 tiles, 1.00 Mpx/s, 0 s left\n")
    (logs / "predict.tsv").write_text("s\th:m:s\n4.321\t0:00:04\n")
    assert list(watch.news()) == [
        f"{DATE}: mapping: 2 of 2 tiles, 1.00 Mpx/s, 0 s left",
        f"{DATE}: mapping: done in 4 s",
    ]
    assert list(watch.news()) == watch.open_logs == []


def test_only_changed_products_are_put_aside(tmp_path):
    for name in ("a.tif", "b.tif", "a.qml"):
        (tmp_path / name).write_text(name)
    files = {p.name: sha256(p) for p in tmp_path.iterdir()}
    (tmp_path / "run.json").write_text(json.dumps({"files": files}))
    assert put_aside_changed(tmp_path / "run.json") == []
    (tmp_path / "b.tif").write_bytes(b"")
    (tmp_path / "a.qml").write_text("styles are made to be edited")
    assert put_aside_changed(tmp_path / "run.json") == ["b.tif"]
    assert (tmp_path / "b.tif.changed").exists()
    (tmp_path / "run.json").write_text("{")
    assert put_aside_changed(tmp_path / "run.json") == []
    assert not (tmp_path / "run.json").exists()


def test_areas_are_described_in_fitting_units(tmp_path):
    layers = {"landcover": {"features": 3}, "roads": {"features": 0}}
    figures = {"layers": layers, "area_m2": {"building": 12_500.0, "land": 24_987_500.0, "unobserved": 0.0}}
    assert list(describe(tmp_path, figures)) == [
        f"{tmp_path}: 25.0 km²; 3 polygons of land cover, 0 roads",
        "  building                1.25 ha    0.1 %",
        "  land                   25.0 km²  100.0 %",
    ]
