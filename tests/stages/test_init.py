"""The AOI file that `geoseg init` writes loads as it is, and says what the image says."""

from datetime import date

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from geoseg.errors import ConfigError, DataError
from geoseg.io.aoi_file import expand_scenes, load_aoi
from geoseg.stages.init import guess_day, init


@pytest.fixture
def image(tmp_path):
    def _image(name="town.tif", *, count=3, crs="EPSG:32640", names=(), gsd=0.8, tags=None, **profile):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        transform = from_origin(300_000 if gsd > 0.01 else 55, 2_780_000 if gsd > 0.01 else 25, gsd, gsd)
        profile = {"dtype": "uint8", "width": 40, "height": 30, "transform": transform, "crs": crs, **profile}
        with rasterio.open(path, "w", driver="GTiff", count=count, **profile) as dataset:
            dataset.write(np.ones((count, 30, 40), profile["dtype"]))
            for number, band in enumerate(names, start=1):
                dataset.set_band_description(number, band)
            dataset.update_tags(**(tags or {}))
        return path

    return _image


@pytest.mark.parametrize(
    "name", ["town.tif", "deep/down/a b.tif", "é 雪 #1 [2].tif", 'it\'s "so": x.tif', "- x.tif", "1.tif"]
)
def test_the_file_loads_and_finds_its_image(image, tmp_path, name):
    path = image(name)
    out = tmp_path / "aoi" / "town.yaml"
    out.parent.mkdir()
    init(path, out, None)
    loaded = load_aoi(out)
    assert loaded.config.area.scenes
    assert loaded.config.model == "vhr-rgb"
    (day,) = loaded.config.dates
    assert day == date(2000, 1, 1)
    ((found, _),) = expand_scenes(loaded, day)
    assert found.samefile(path)


def test_it_says_what_the_image_says(image, tmp_path):
    out = tmp_path / "town.yaml"
    init(image(names=("red", "green", "blue"), nodata=0), out, None)
    text = out.read_text()
    assert "# town.tif: 40 x 30 px, pixels of 0.8 m in EPSG:32640, uint8." in text
    assert "# bands in the file: red, green, blue" in text
    assert "# nodata in the file: 0. To see every value as data: nodata: none" in text
    assert "# bounds: [300000, 2779976, 300032, 2780000]" in text
    assert load_aoi(out).config.dates[date(2000, 1, 1)].entries[0].bands is None


def test_what_is_commented_out_is_right_when_the_comments_are_taken_away(image, tmp_path):
    out = tmp_path / "town.yaml"
    init(image(count=4, photometric="minisblack"), out, None)
    text = out.read_text()
    assert "# The file has 4 image bands without names. Write theirs, in file order, if right:" in text
    for line in ("bands: [", "nodata: 0", "bounds: [", "crs: EPSG:32640", "grid:", "  crs: auto", "  gsd: auto"):
        assert f"# {line}" in text
        text = text.replace(f"# {line}", line)
    out.write_text(text.replace("  scenes: true", "  # scenes: true"))
    config = load_aoi(out).config
    entry = config.dates[date(2000, 1, 1)].entries[0]
    assert (entry.bands, entry.nodata) == (["red", "green", "blue", "nir"], 0)
    assert config.area.bounds == (300_000, 2_779_976, 300_032, 2_780_000)


def test_degrees_are_told(image, tmp_path):
    init(image(crs="EPSG:4326", gsd=1e-5), tmp_path / "town.yaml", None)
    text = (tmp_path / "town.yaml").read_text()
    assert "pixels of 1e-05 degrees in EPSG:4326, so that the grid will be UTM or equal-area" in text


@pytest.mark.parametrize(
    ("name", "tag", "day", "words"),
    [
        ("LC08_L2SP_160043_20240601_20240607_02.tif", "", "2024-06-01", "from the file's name"),
        ("town-2024-06-01.tif", "2020:01:01 00:00:00", "2024-06-01", "from the file's name"),
        ("town_2024.06.01.tif", "", "2024-06-01", "from the file's name"),
        ("town_20241301_20240602.tif", "", "2024-06-02", "from the file's name"),
        ("town.tif", "2020:01:02 10:00:00", "2020-01-02", "when the file was made"),
        ("tile_1202406015.tif", "not a date", "2000-01-01", "a placeholder: write the day"),
        ("town_2024-0601.tif", "", "2000-01-01", "a placeholder"),
    ],
)
def test_the_day_is_from_the_name_or_the_tag_or_a_placeholder(name, tag, day, words):
    found, source = guess_day(name, tag)
    assert found == day
    assert words in source


def test_the_day_gets_into_the_file(image, tmp_path):
    init(image(tags={"TIFFTAG_DATETIME": "2021:05:06 07:08:09"}), tmp_path / "town.yaml", None)
    assert list(load_aoi(tmp_path / "town.yaml").config.dates) == [date(2021, 5, 6)]


def test_a_model_folder_is_named_as_seen_from_the_file(image, tmp_path, monkeypatch):
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "aoi").mkdir()
    path = image()
    monkeypatch.chdir(tmp_path)
    init(path, tmp_path / "aoi" / "a.yaml", "models/mine")
    assert load_aoi(tmp_path / "aoi" / "a.yaml").config.model == "../models/mine"
    init(path, tmp_path / "aoi" / "b.yaml", "vhr-rgb")
    assert load_aoi(tmp_path / "aoi" / "b.yaml").config.model == "vhr-rgb"


def test_an_existing_file_is_never_touched(image, tmp_path):
    out = tmp_path / "town.yaml"
    out.write_text("mine")
    with pytest.raises(ConfigError, match=r"town\.yaml exists and is left as it is; name another file"):
        init(image(), out, None)
    assert out.read_text() == "mine"
    (tmp_path / "link.yaml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="exists"):
        init(image(), tmp_path / "link.yaml", None)


@pytest.mark.parametrize("name", ["town.json", "a b.yaml", "con.yaml", "-x.yaml"])
def test_a_name_that_cannot_name_results_is_refused_before_anything_is_written(image, tmp_path, name):
    with pytest.raises(ConfigError, match=r"must end in \.yaml|names its results"):
        init(image(), tmp_path / name, None)
    assert not (tmp_path / name).exists()


def test_an_image_that_is_no_scene_leaves_no_file(tmp_path):
    (tmp_path / "a.tif").write_text("<html>login</html>")
    with pytest.raises(DataError):
        init(tmp_path / "a.tif", tmp_path / "town.yaml", None)
    with pytest.raises(ConfigError, match="control characters"):
        init(tmp_path / "a\nb.tif", tmp_path / "town.yaml", None)
    assert not (tmp_path / "town.yaml").exists()
