"""A part of an ONNX network, up to one tensor."""

import cv2
import numpy as np
import pytest

from tests.instruments.onnx_files import model, node, tensor, value, yolox_of_colours
from worldgen.core.errors import InputError
from worldgen.instruments.detector.coco_detector import CocoDetector
from worldgen.instruments.detector.onnx_cut import cut_onnx, node_outputs
from worldgen.instruments.detector.onnx_shapes import onnx_shapes

PICTURE = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)


def chain() -> bytes:
    """y = 2 x, named so that it counts as the backbone's deepest layer; z = 10 y; and a branch that y does not need."""
    double, ten = (np.full((3, 1, 1, 1), factor, np.float32) for factor in (2.0, 10.0))
    nodes = [
        node("Conv", ["images", "double"], "/backbone/dark5/out", group=3),
        node("Conv", ["/backbone/dark5/out", "ten"], "z", group=3),
        node("Conv", ["images", "ten"], "side", group=3),
    ]
    outputs = [value("z", [1, 3, 8, 8]), value("side", [1, 3, 8, 8])]
    return model(nodes, [tensor("double", double), tensor("ten", ten)], [value("images", [1, 3, 8, 8])], outputs)


def run(data: bytes) -> np.ndarray:
    network = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
    network.setInput(PICTURE)
    return np.asarray(network.forward())


def test_the_part_gives_the_tensor_and_has_no_other_layer():
    data = chain()
    assert node_outputs(data) == ["/backbone/dark5/out", "z", "side"]
    part = cut_onnx(data, "/backbone/dark5/out")
    assert node_outputs(part) == ["/backbone/dark5/out"]
    assert list(onnx_shapes(part).outputs) == ["/backbone/dark5/out"]
    assert onnx_shapes(part).inputs == onnx_shapes(data).inputs
    assert np.allclose(run(part), 2 * PICTURE)
    assert np.allclose(run(cut_onnx(data, "z")), 20 * PICTURE, rtol=1e-5)


def test_tensors_that_no_layer_makes_are_refused():
    for name in ("images", "double", "nothing"):
        with pytest.raises(InputError, match="tensor of the detector"):
            cut_onnx(chain(), name)
    with pytest.raises(InputError, match="ONNX file"):
        node_outputs(b"no model")


def test_a_detector_without_yolox_names_has_no_features():
    with pytest.raises(InputError, match="dark5"):
        CocoDetector("colours", yolox_of_colours(64)).features(np.zeros((64, 64, 3), np.uint8))
