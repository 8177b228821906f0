"""The ledger survives whatever a kill, a full disk or a bad sector does to it (F08)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.grid.window import Window
from geoseg.io.commit import sha256
from geoseg.io.ledger import Entry, Ledger


def entry(number, **changes):
    fields = {
        "key": f"key{number}",
        "window": Window(-64 * number, 64, 64, 32),
        "file": f"tile{number}.tif",
        "sha256": "ab" * 32,
        "observed": 10 * number,
        "damage": ("scene é: block (1, 2)\nis damaged",) if number % 2 else (),
    }
    return Entry(**{**fields, **changes})


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A ledger of three tiles: its bytes, its entries, and where each line ends."""
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.jsonl")
    ends = []
    for number in (1, 2, 3):
        ledger.add(entry(number))
        ends.append(ledger.path.stat().st_size)
    return ledger.path.read_bytes(), [entry(n) for n in (1, 2, 3)], ends


def test_entries_come_back(full, tmp_path):
    assert list(Ledger(tmp_path / "none.jsonl").read().values()) == []
    (tmp_path / "ledger.jsonl").write_bytes(full[0])
    assert Ledger(tmp_path / "ledger.jsonl").read() == {e.key: e for e in full[1]}


def test_f08_cut_at_every_byte_keeps_what_came_before(full, tmp_path):
    data, entries, ends = full
    path = tmp_path / "ledger.jsonl"
    for size in (*range(0, ends[1], 5), *range(ends[1], len(data) + 1)):  # files are slow; one line byte by byte
        path.write_bytes(data[:size])
        found = Ledger(path).read()
        whole = [e for e, end in zip(entries, ends, strict=True) if end - 1 <= size]  # its line feed may be missing
        assert list(found.values()) == whole, size


def test_f08_what_is_added_after_a_cut_is_not_swallowed(full, tmp_path):
    data, entries, ends = full
    path = tmp_path / "ledger.jsonl"
    for size in range(ends[0], ends[1], 7):
        path.write_bytes(data[:size])
        Ledger(path).add(entry(9))
        assert Ledger(path).read() == {e.key: e for e in (entries[0], entry(9))}


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_f08_flipped_bytes_cost_their_own_line_only(full, tmp_path_factory, data):
    content, entries, ends = full
    place = data.draw(st.integers(ends[0], ends[1] - 2))
    damaged = bytearray(content)
    damaged[place] = data.draw(st.integers(0, 255).filter(lambda b: b not in (content[place], 10)))
    path = tmp_path_factory.getbasetemp() / "flipped.jsonl"
    path.write_bytes(damaged)
    found = Ledger(path).read()
    assert found["key1"] == entries[0] and found["key3"] == entries[2]


@pytest.mark.parametrize(
    "line", [b"", b"7", b"null", b"[]", b"{}", b'{"window": {}}', b"[" * 100_000, b"1" * 5000, b"\xff\xfe"]
)
def test_lines_that_are_no_entry_are_passed_over(full, tmp_path, line):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(line + b"\n" + full[0])
    assert len(Ledger(path).read()) == 3


def test_an_entry_with_an_impossible_window_is_passed_over(full, tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(entry(8).line().replace('"width":64', '"width":0').encode() + b"\n" + full[0])
    assert len(Ledger(path).read()) == 3


def test_of_a_key_that_stands_twice_the_last_counts(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for observed in (1, 2):
        ledger.add(entry(1, observed=observed))
    assert ledger.read()["key1"].observed == 2


def test_a_tile_is_intact_only_with_all_its_bytes(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.tiles.mkdir()
    tile = ledger.tiles / "tile1.tif"
    tile.write_bytes(b"some pixels")
    done = entry(1, sha256=sha256(tile))
    assert ledger.intact(done)
    for content in (b"some pixel", b"", b"some pixels!", b"Some pixels"):
        tile.write_bytes(content)
        assert not ledger.intact(done)
    tile.unlink()
    assert not ledger.intact(done)


def test_files_of_other_settings_are_removed(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.tiles.mkdir()
    for name in ("tile1.tif", "old.tif", ".tile2.tif.0011.part"):
        (ledger.tiles / name).touch()
    ledger.drop_others({"tile1.tif"})
    assert [p.name for p in ledger.tiles.iterdir()] == ["tile1.tif"]
