"""The commit protocol: whole or absent, errors in words, ledgers that survive a torn line."""

import errno
import hashlib
import json
import os
import stat

import pytest
from rasterio.errors import RasterioIOError

from geoseg.errors import DataError, MachineError
from geoseg.io import commit as module
from geoseg.io.commit import append_line, commit, sha256, size_text, sweep, temporary, write_json, write_text


def test_target_appears_only_when_the_block_has_ended(tmp_path):
    target = tmp_path / "a" / "b" / "map.tif"
    with commit(target) as part:
        part.write_bytes(b"pixels")
        assert part.parent == target.parent and part.name.startswith(".map.tif.") and part.name.endswith(".part")
        assert not target.exists()
    assert target.read_bytes() == b"pixels"
    assert os.listdir(target.parent) == ["map.tif"]


def test_an_error_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path):
    target = tmp_path / "map.tif"
    target.write_bytes(b"old")
    with pytest.raises(ValueError, match="mine"), commit(target) as part:
        part.write_bytes(b"new")
        (tmp_path / f"{part.name}.ovr.tmp").write_bytes(b"left by a library")
        raise ValueError("mine")
    assert target.read_bytes() == b"old" and os.listdir(tmp_path) == ["map.tif"]


def test_file_is_flushed_before_it_is_renamed_and_the_folder_after(tmp_path, monkeypatch):  # H07
    calls = []
    fsync, replace = os.fsync, type(tmp_path).replace

    def spy_fsync(handle):
        calls.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def spy_replace(self, target):
        calls.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(type(tmp_path), "replace", spy_replace)
    write_text(tmp_path / "x.txt", "x")
    assert calls == ["file", "rename", "folder"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_names_what_is_needed_what_is_free_and_what_to_do(tmp_path, code):
    with pytest.raises(MachineError) as caught, commit(tmp_path / "map.tif", need=3_200_000_000):
        raise OSError(code, os.strerror(code))
    message = str(caught.value)
    assert caught.value.exit_code == 5
    assert "map.tif" in message and "needs 3.2 GB" in message and f"free at {tmp_path}" in message
    assert "Make room" in message and "run the same command again" in message


@pytest.mark.parametrize("error", [RasterioIOError("Write failed."), SystemError()])
def test_what_gdal_raises_on_a_full_disk_is_a_machine_error(tmp_path, error):
    with pytest.raises(MachineError, match="Make room"), commit(tmp_path / "map.tif"):
        raise error


def test_errors_of_others_pass_through(tmp_path):
    with pytest.raises(DataError), commit(tmp_path / "map.tif"):
        raise DataError("scene is damaged")
    with pytest.raises(FileNotFoundError), commit(tmp_path / "map.tif"):
        (tmp_path / "elsewhere" / "input.tif").read_bytes()
    with pytest.raises(PermissionError), commit(tmp_path / "map.tif"):
        raise PermissionError(errno.EACCES, "denied", "/somewhere/else/input.tif")


def test_a_planted_link_of_the_temporary_name_is_not_followed(tmp_path, monkeypatch):  # X13
    secret = tmp_path / "secret"
    secret.write_bytes(b"keep")
    monkeypatch.setattr(module.secrets, "token_hex", lambda n: "0" * 2 * n)
    out = tmp_path / "out"
    out.mkdir()
    (out / f".map.tif.{'0' * 16}.part").symlink_to(secret)
    with pytest.raises(MachineError, match=r"map\.tif"):
        write_text(out / "map.tif", "overwritten")
    assert secret.read_bytes() == b"keep"


def test_a_long_name_in_any_script_still_fits(tmp_path):
    target = tmp_path / ("雪" * 80 + ".tif")  # 244 bytes of the 255 a name may have
    write_text(target, "x")
    assert target.read_text() == "x"


def test_sweep_removes_leftovers_only(tmp_path):
    keep = [tmp_path / "map.tif", tmp_path / "x.part", tmp_path / ".hidden"]
    left = [tmp_path / ".map.tif.0123.part", tmp_path / ".map.tif.0123.part.ovr.tmp"]
    for path in keep + left:
        path.write_bytes(b"")
    assert sweep(tmp_path) == sorted(left)
    assert sorted(tmp_path.iterdir()) == sorted(keep)
    assert sweep(tmp_path / "absent") == []


def test_temporary_is_gone_after_the_block(tmp_path):
    with temporary(tmp_path / "x.tif") as part:
        assert part.exists()
    assert os.listdir(tmp_path) == []


def test_json_and_hash(tmp_path):
    write_json(tmp_path / "x.json", {"name": "Ørsta 雪", "n": [1, 2.5, None]})
    data = (tmp_path / "x.json").read_bytes()
    assert json.loads(data) == {"name": "Ørsta 雪", "n": [1, 2.5, None]}
    assert sha256(tmp_path / "x.json") == hashlib.sha256(data).hexdigest()
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "nan.json", float("nan"))
    assert not (tmp_path / "nan.json").exists()


def test_ledger_keeps_every_line_and_closes_a_torn_one(tmp_path):
    ledger = tmp_path / "runs" / "tiles.jsonl"
    append_line(ledger, '{"tile": 1}')
    append_line(ledger, '{"tile": 2}')
    whole = ledger.read_bytes()
    assert whole == b'{"tile": 1}\n{"tile": 2}\n'
    for cut in range(12, len(whole)):
        ledger.write_bytes(whole[:cut])
        append_line(ledger, '{"tile": 3}')
        lines = ledger.read_text().splitlines()
        assert lines[0] == '{"tile": 1}' and lines[-1] == '{"tile": 3}'
    with pytest.raises(ValueError, match="one line"):
        append_line(ledger, "a\nb")


def test_ledger_keeps_its_length_when_the_disk_is_full(tmp_path, monkeypatch):
    ledger = tmp_path / "tiles.jsonl"
    append_line(ledger, "first")
    write = os.write

    def short_write(handle, data):
        if len(data) <= 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, data[:3])

    monkeypatch.setattr(os, "write", short_write)
    with pytest.raises(MachineError, match="Make room"):
        append_line(ledger, "second line")
    assert ledger.read_bytes() == b"first\n"


def test_sizes_in_words():
    assert [size_text(n) for n in (0, 999, 1000, 3_200_000_000, 5 * 10**15)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "3.2 GB",
        "5000.0 TB",
    ]
