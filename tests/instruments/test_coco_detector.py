"""A detector from an ONNX file: its layout is checked, its boxes come back in pixels of the picture."""

import numpy as np
import pytest

from tests.instruments.onnx_files import COLOURS, field, model, node, tensor, value, yolox_of_colours
from worldgen.core.errors import InputError
from worldgen.data.export.class_maps import COCO80
from worldgen.instruments.detector.coco_detector import CocoDetector, _one_each
from worldgen.instruments.detector.onnx_shapes import onnx_shapes


def picture(size, *squares):
    """A grey picture (width, height) with squares (COCO number, x0, y0, side)."""
    frame = np.full((size[1], size[0], 3), 90, np.uint8)
    for name, x, y, side in squares:
        frame[y : y + side, x : x + side] = COLOURS[name]
    return frame


@pytest.mark.parametrize("decoded", [False, True])
def test_boxes_are_in_pixels_of_the_picture(decoded):
    detector = CocoDetector("colours", yolox_of_colours(128, decoded=decoded))
    found = detector.find(picture((128, 96), (2, 32, 0, 32), (0, 96, 64, 32)))
    assert {COCO80[n]: box.tolist() for n, box in zip(found.name, found.box_px, strict=True)} == {
        "car": pytest.approx([32, 0, 64, 32], abs=1e-3), "person": pytest.approx([96, 64, 128, 96], abs=1e-3)
    }  # fmt: skip
    assert (found.score > 0.9).all()
    half = detector.find(picture((64, 64), (7, 16, 16, 16)))  # enlarged to twice its size
    assert COCO80[half.name[0]] == "truck" and half.box_px[0] == pytest.approx([16, 16, 32, 32], abs=1e-3)
    double = detector.find(picture((256, 256), (7, 64, 0, 64)))  # shrunk to half
    assert double.box_px[0] == pytest.approx([64, 0, 128, 64], abs=1e-3)
    assert len(detector.find(picture((64, 64)))) == 0


def test_channels_go_in_as_blue_green_red():
    detector = CocoDetector("colours", yolox_of_colours(64))
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 255
    assert {COCO80[n] for n in detector.find(red).name} == {"car"}


def test_one_object_is_one_box_within_its_family():
    boxes = np.array([[0, 0, 20, 20], [1, 0, 21, 20], [2, 0, 22, 20], [0, 0, 20, 19]], np.float32)
    names = np.array([COCO80.index(n) for n in ("car", "truck", "person", "bicycle")])
    assert _one_each(boxes, names).tolist() == [0, 2, 3]


def test_size_of_the_input_is_read_from_the_file():
    data = yolox_of_colours(96)
    assert onnx_shapes(data).inputs == {"images": (1, 3, 96, 96)}
    assert onnx_shapes(data).outputs == {"output": (1, 144 + 36 + 9, 85)}
    detector = CocoDetector("a.onnx", data)
    assert detector.summary()["input_px"] == [96, 96] and len(detector.summary()["hash"]) == 32
    with pytest.raises(InputError, match="96x96"):
        CocoDetector("a.onnx", data, size_px=64)


def test_stored_weights_and_open_axes():
    weights = tensor("w", np.ones((3, 3, 1, 1)))
    nodes = [node("Conv", ["images", "w"], "output", kernel_shape=[1, 1])]
    old = model(nodes, [weights], [value("images", ["n", 3, "h", 64]), value("w", [3, 3, 1, 1])],
                [value("output", ["n", 3, "h", 64])])  # fmt: skip
    assert onnx_shapes(old).inputs == {"images": (None, 3, None, 64)}
    with pytest.raises(InputError, match="left open"):
        CocoDetector("open.onnx", old)
    with pytest.raises(InputError, match="YOLOX"):  # with a size, the output shows that it is another network
        CocoDetector("open.onnx", old, size_px=64)


@pytest.mark.parametrize(
    "data",
    [b"", b"no model at all", yolox_of_colours(64)[:200], b"\x89PNG\r\n\x1a\n" * 40, field(7, b"\xff" * 30)],
)
def test_files_of_other_formats_are_refused(data):
    with pytest.raises(InputError):
        CocoDetector("other.onnx", data)


def test_other_layouts_are_refused_by_name():
    with pytest.raises(InputError, match="YOLOX with COCO classes"):
        CocoDetector("twenty.onnx", yolox_of_colours(64, classes=20))
    wrong = model([node("Relu", ["x"], "y")], [], [value("x", [1, 1, 64, 64])], [value("y", [1, 1, 64, 64])])
    with pytest.raises(InputError, match="input of grey"):
        CocoDetector("grey.onnx", wrong)
    odd = model([node("Relu", ["x"], "y")], [], [value("x", [1, 3, 50, 50])], [value("y", [1, 3, 50, 50])])
    with pytest.raises(InputError, match="multiples of 32"):
        CocoDetector("odd.onnx", odd)
    with pytest.raises(InputError):
        CocoDetector.load("there/is/none.onnx")


def test_a_network_that_opencv_cannot_run_is_named_without_other_lines(capfd):
    unknown = model([node("Unknown", ["x"], "y")], [], [value("x", [1, 3, 64, 64])], [value("y", [1, 3, 64, 64])])
    with pytest.raises(InputError, match=r"detector odd\.onnx.*Unknown.*a network that OpenCV can run"):
        CocoDetector("odd.onnx", unknown)
    out, error = capfd.readouterr()
    assert out == error == ""


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 2, 4, 5])
def test_values_that_are_not_finite_are_refused(number, column):
    table = np.zeros((21, 85))
    table[3, column] = number
    layers = [
        node("Flatten", ["x"], "flat", axis=1), node("Gemm", ["flat", "w", "b"], "row"),
        node("Reshape", ["row", "shape"], "y"),
    ]  # fmt: skip
    stored = [
        tensor("w", np.zeros((3 * 32 * 32, 21 * 85))), tensor("b", table.ravel()),
        tensor("shape", np.array([1, 21, 85])),
    ]  # fmt: skip
    data = model(layers, stored, [value("x", [1, 3, 32, 32])], [value("y", [1, 21, 85])])
    with pytest.raises(InputError, match=r"output of broken\.onnx.*not finite"):
        CocoDetector("broken.onnx", data)


def test_a_layer_that_reads_what_nothing_makes_is_refused_before_opencv_sees_it():
    shape = [1, 3, 8, 8]
    ends = [value("images", shape)], [value("output", shape)]
    sound = [node("Relu", ["images"], "a"), node("Relu", ["a"], "output")]
    assert onnx_shapes(model(sound, [], *ends)).outputs == {"output": (1, 3, 8, 8)}
    for nodes, name in ((sound[::-1], "'a'"), ([node("Relu", ["nowhere"], "output")], "'nowhere'")):
        with pytest.raises(InputError, match=f"a layer reads {name}, which nothing before it makes"):
            onnx_shapes(model(nodes, [], *ends))
    damaged = model(sound, [], *ends).replace(b"images", b"im\xffges")
    with pytest.raises(InputError, match="expected a model in the ONNX format"):
        onnx_shapes(damaged)
