"""Class maps: official numbers of known label sets, maps from a file, and what a map does to each format."""

from __future__ import annotations

import json

import pytest

from tests.data.samples import make_sample
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.export.class_maps import CLASS_MAPS, class_map
from worldgen.data.export.exporting import ExportConfig, export_data


@pytest.fixture
def data(tmp_path):
    with ShardWriter(str(tmp_path / "set"), "s0") as writer:
        writer.write(make_sample("k0"))
    build_index(str(tmp_path / "set"))
    return DataSet(str(tmp_path / "set"))


def map_file(tmp_path, value) -> str:
    path = tmp_path / "map.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def test_coco80_has_the_official_numbers():
    coco = CLASS_MAPS["coco80"]
    assert len(coco.names) == len(coco.ids) == 80 and len(set(coco.names)) == 80
    known = {"person": 1, "car": 3, "truck": 8, "traffic light": 10, "dog": 18, "umbrella": 28, "tv": 72,
             "book": 84, "toothbrush": 90}  # fmt: skip
    assert {name: coco.ids[coco.names.index(name)] for name in known} == known


@pytest.mark.parametrize("name", CLASS_MAPS)
def test_every_target_is_a_category(name):
    for class_id, target in enumerate(CLASS_MAPS[name].targets):
        assert target in (None, "DontCare", *CLASS_MAPS[name].names)
        if target not in (None, "DontCare"):
            assert CLASS_MAPS[name].names[CLASS_MAPS[name].number(class_id)] == target


def test_numbers_of_the_map_are_in_the_files(data, tmp_path):
    export_data(data, tmp_path / "coco", ExportConfig("coco", classes="coco80"))
    record = json.loads((tmp_path / "coco/annotations/train.json").read_text())
    assert {row["category_id"] for row in record["annotations"]} == {1, 3} and len(record["categories"]) == 80
    export_data(data, tmp_path / "yolo", ExportConfig("yolo", classes="coco80"))
    rows = (tmp_path / "yolo/labels/train/k0_000003.txt").read_text().splitlines()
    assert {row.split()[0] for row in rows} == {"0", "2"}
    export_data(data, tmp_path / "kitti", ExportConfig("kitti", classes="bdd100k"))
    rows = (tmp_path / "kitti/training/label_2/000003.txt").read_text().splitlines()
    assert {row.split()[0] for row in rows} == {"car", "pedestrian"}


def test_a_map_of_a_file(data, tmp_path):
    path = map_file(tmp_path, {"pedestrian": "road user", "car": None, "truck": "DontCare"})
    counts = export_data(data, tmp_path / "out", ExportConfig("yolo", classes=path))
    assert counts["boxes"] == 4 and counts["without_category"] == 6
    assert '0: "road user"' in (tmp_path / "out/data.yaml").read_text() and class_map(path).names == ("road user",)
    export_data(data, tmp_path / "kitti", ExportConfig("kitti", classes=path))
    assert (tmp_path / "kitti/training/label_2/000003.txt").read_text().startswith("road_user ")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("[" * 100_000, "class map"), ("[]", "class map"), ("{}", "no class"), ({"lorry": "truck"}, "lorry"),
        ({"car": 3}, "category of car"), ({"car": ""}, "category of car"), ({"car": "a\nb"}, "category of car"),
    ],
)  # fmt: skip
def test_maps_that_cannot_be_used(tmp_path, value, words):
    with pytest.raises(InputError, match=words) as error:
        class_map(map_file(tmp_path, value))
    assert "\n" not in str(error.value)
    for bad in ("voc", str(tmp_path / "missing.json")):
        with pytest.raises(InputError):
            ExportConfig(classes=bad)


def test_a_region_without_a_category_is_only_in_kitti(data, tmp_path):
    path = map_file(tmp_path, {"pedestrian": "person", "car": "DontCare"})
    counts = export_data(data, tmp_path / "coco", ExportConfig("coco", classes=path))
    record = json.loads((tmp_path / "coco/annotations/train.json").read_text())
    assert {row["category_id"] for row in record["annotations"]} == {1}
    assert counts["without_category"] == 6
    counts = export_data(data, tmp_path / "kitti", ExportConfig("kitti", classes=path))
    text = (tmp_path / "kitti/training/label_2/000003.txt").read_text()
    assert sorted(line.split()[0] for line in text.splitlines()) == ["DontCare", "person"]
    assert counts["without_category"] == 0
    assert tuple(CLASSES) == CLASS_MAPS["worldgen"].targets


def test_animals_have_a_category_where_the_label_set_has_one_or_is_given_one():
    """COCO has a dog and no deer, so animals are left out of coco80 unless the export names a category."""
    animal = CLASSES.index("animal")
    wanted = {"worldgen": "animal", "coco80": None, "kitti": "Misc", "bdd100k": None, "nuscenes": None}
    assert {name: CLASS_MAPS[name].targets[animal] for name in CLASS_MAPS} == wanted
    dogs = ExportConfig("coco", classes="coco80", animals="dog").class_map()
    assert dogs.ids[dogs.number(animal)] == 18 and len(dogs.names) == 80
    deer = ExportConfig("yolo", classes="bdd100k", animals="deer").class_map()
    assert deer.names[-1] == "deer" and deer.number(animal) == 10
    assert ExportConfig("kitti", animals="DontCare").class_map().targets[animal] == "DontCare"
