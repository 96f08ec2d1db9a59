import json
from pathlib import Path

import numpy as np
import pytest

from worldgen.rendering.meshes.colours import colours
from worldgen.rendering.shapes import tints
from worldgen.rendering.shapes.tints import blend, draw_tint, linear, shade, tint_table

TABLES = json.loads(Path(tints.__file__).with_suffix(".json").read_text("utf-8"))
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def saturation(table: tuple) -> np.ndarray:
    values = np.array(table) ** (1 / 2.2)
    return (values.max(1) - values.min(1)) / values.max(1)


@pytest.mark.parametrize(("ours", "sketch"), [("jacket", "top"), ("shirt", "top"), ("trousers", "trousers")])
def test_clothes_are_greyer_than_those_of_the_sketch_and_of_many_brightnesses(ours, sketch):
    assert saturation(tint_table(ours)).mean() < 0.7 * saturation(colours(sketch)).mean() + 0.05
    light = np.array(tint_table(ours)) @ LUMINANCE
    assert light.min() < 0.05 and light.max() > 0.2


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_albedos(name):
    values = np.array(tint_table(name))
    assert values.shape[1] == 3 and values.min() > 0 and values.max() < 0.85
    drawn = np.array([draw_tint(name, np.random.default_rng(k)) for k in range(50)])
    assert drawn.max() <= 0.9 and len(np.unique(drawn[:, 0])) > 20
    assert np.array_equal(drawn[3], draw_tint(name, np.random.default_rng(3)))


def test_colours_are_linear():
    assert linear("#ffffff") == (1.0, 1.0, 1.0) and linear("#000000") == (0.0, 0.0, 0.0)
    assert abs(linear("#808080")[0] - 0.2195) < 1e-3
    assert shade((0.5, 0.1, 0.9), 2.0) == (0.95, 0.2, 0.95)
    assert np.allclose(blend((0.0, 0.2, 1.0), (1.0, 0.4, 0.0), 0.25), (0.25, 0.25, 0.75))
