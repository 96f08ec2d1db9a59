"""Labelled pictures: exports are read back, and the errors of damaged folders name the file and line."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.samples import make_sample
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.export.exporting import ExportConfig, export_data
from worldgen.data.ingest.labelled.labelled_samples import find_format, read_labelled
from worldgen.data.ingest.labelled.picture_set import PictureSet

FORMATS = ("coco", "kitti_tracking", "kitti", "yolo")


@pytest.fixture
def exported(tmp_path):
    with ShardWriter(str(tmp_path / "set"), "s0") as writer:
        writer.write(make_sample("k0"))
        writer.write(make_sample("k1", 2))
    build_index(str(tmp_path / "set"))

    def export(kind):
        folder = tmp_path / kind
        folder.mkdir()
        export_data(DataSet(str(tmp_path / "set")), folder, ExportConfig(kind, suffix=".png"))
        return folder

    return export


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_exported_is_read_back(exported, kind):
    folder = exported(kind)
    assert find_format(folder) == kind
    samples = list(read_labelled(folder, PictureSet(fps=10.0, licence="CC0-1.0")))
    assert [len(sample.clip) for sample in samples] == [6, 6]
    assert len({sample.key for sample in samples}) == 2 and len({sample.drive for sample in samples}) == 2
    wanted = make_sample("k0")
    kept = wanted.labels.where(~wanted.labels.ignore)
    for sample in samples:
        labels = sample.labels.where(~sample.labels.ignore)
        assert labels.source == "annotated" and sample.licence == "CC0-1.0"
        order = np.lexsort((kept.class_id, kept.frame_index))
        mine = np.lexsort((labels.class_id, labels.frame_index))
        assert labels.class_id[mine].tolist() == kept.class_id[order].tolist()
        np.testing.assert_allclose(labels.box_px[mine], kept.box_px[order], atol=0.02)
        tracks = [set(labels.track_id[labels.class_id == CLASSES.index(name)]) for name in ("car", "pedestrian")]
        assert [len(t) for t in tracks] == [1, 1] and tracks[0] != tracks[1]  # one object each through all frames


def test_long_drives_are_cut(exported):
    samples = list(read_labelled(exported("coco"), PictureSet(frames=4)))
    assert [len(sample.clip) for sample in samples] == [4, 2, 4, 2]
    assert len({sample.key for sample in samples}) == 4 and len({sample.drive for sample in samples}) == 2


def test_unknown_classes_are_named_and_can_be_mapped(exported):
    folder = exported("yolo")
    text = (folder / "data.yaml").read_text()
    (folder / "data.yaml").write_text(text.replace('"car"', '"wagon"'))
    with pytest.raises(InputError, match="wagon"):
        list(read_labelled(folder, PictureSet()))
    mapped = list(read_labelled(folder, PictureSet(classes={"wagon": "truck"})))
    assert CLASSES.index("truck") in mapped[0].labels.class_id
    ignored = list(read_labelled(folder, PictureSet(classes={"wagon": "ignore"})))
    assert CLASSES.index("car") not in ignored[0].labels.class_id and len(ignored[0].labels)


@pytest.mark.parametrize(
    "names",
    [
        "names: [car, 'pedestrian']",
        "names: {0: car, 1: pedestrian}",
        "names:\n  - car\n  - pedestrian",
        "names:\n  0: car\n  1: 'pedestrian'\nnc: 2",
    ],
)
def test_names_are_read_as_people_write_them(exported, names):
    folder = exported("yolo")
    for path in (folder / "labels").rglob("*.txt"):
        path.write_text("1 0.5 0.5 0.2 0.4\n")
    (folder / "data.yaml").write_text(names + "\n")
    sample = next(read_labelled(folder, PictureSet()))
    assert set(sample.labels.class_id) == {CLASSES.index("pedestrian")}
    np.testing.assert_allclose(sample.labels.box_px[0], [25.6, 14.4, 38.4, 33.6], atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("kitti", "Car 0 0 nonsense here is bad x y z"),
        ("yolo", "0 0.5 high 0.1 0.1"),
        ("yolo", "99 0.5 0.5 0.1 0.1"),
        ("kitti", "Car 1 2"),
    ],
)
def test_damaged_labels_are_refused_with_their_line(exported, kind, damage):
    folder = exported(kind)
    path = sorted((folder / ("training/label_2" if kind == "kitti" else "labels")).rglob("*.txt"))[0]
    path.write_text(damage + "\n")
    with pytest.raises(InputError, match="line 1"):
        list(read_labelled(folder, PictureSet()))


def test_names_in_another_encoding_are_refused(exported):
    folder = exported("yolo")
    (folder / "data.yaml").write_bytes("names: [car, piéton]\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        list(read_labelled(folder, PictureSet()))


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="known layouts"):
        find_format(tmp_path)
    with pytest.raises(InputError, match="existing folder"):
        find_format(tmp_path / "none")
    with pytest.raises(InputError, match="class of"):
        PictureSet(classes={"x": "boat"})
