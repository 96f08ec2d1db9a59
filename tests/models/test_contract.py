"""Each yes of the contract table, against the real classes at tiny size: the clip follows that input, and no other.

A model is asked twice for a clip with all it needs, and once with one input exchanged: equal requests give equal clips,
so a difference is of that input. Known frames are left out of the comparison. What the table says no to is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.backbones.continuing import tiny_continuing
from tests.models.backbones.cosmos import tiny_cosmos
from tests.models.backbones.tiny_families import save_wan_vace
from tests.models.build import noisy_weights
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.core.samples import CONDITIONS, CONTROLS, Conditions
from worldgen.models.backbones.cosmos import cosmos2_5, cosmos3
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.registry import load_backbone
from worldgen.models.contract import ROWS, contract_rows, honoured
from worldgen.models.families import FAMILIES
from worldgen.models.interface import WorldModel, sampler_options
from worldgen.models.native.sizes import build_pipeline

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # a scheduler of diffusers
]
pytest.importorskip("diffusers", minversion="0.42")

WIDTH, HEIGHT = 96, 64
OTHER_SIZE = {"cosmos2_5": (64, 32), "svd": (64, 64), "sana_wm": (64, 64), "ltx2": (64, 64), "native": (48, 32)}
FRAMES = {"svd": 5, "native": 4}
CPU = torch.device("cpu")
HONOURED = [(str(row["family"]), str(row.get("condition") or row.get("control"))) for row in contract_rows(FAMILIES)]
REFUSED = [
    (family, row) for family, promise in FAMILIES.items() for row in ROWS
    if not any(honoured(promise, row, use) for use in promise.uses)
]  # fmt: skip


def native(folder: Path) -> Any:
    pipeline = build_pipeline("tiny", words=["a street at night in rain , the road is wet"])
    for part in pipeline.parts().values():
        noisy_weights(part, 0.05)
    return pipeline


def ltx2(folder: Path) -> WorldModel:
    model = tiny_continuing.save_ltx2(folder / "ltx2")
    return load(model, lora=str(tiny_continuing.save_ltx2_lora(model, folder / "lora")))


def load(folder: Path, **options) -> WorldModel:
    return load_backbone(str(folder), BackboneConfig(**options), CPU)


BUILT: dict[str, Callable[[Path], Any]] = {
    "native": native,
    "wan_vace": lambda folder: load(save_wan_vace(folder / "vace")),
    "cosmos3": lambda folder: load(tiny_cosmos.save_cosmos3(folder / "cosmos3")),
    "wan_i2v": lambda folder: load(tiny_continuing.save_wan_i2v(folder / "i2v", form="A14B")),
    "cosmos2_5": lambda folder: load(tiny_cosmos.save_cosmos2_5(folder / "predict", transfer=False)),
    "cosmos2_5 with controls": lambda folder: load(tiny_cosmos.save_cosmos2_5(folder / "transfer", transfer=True)),
    "ltx2": ltx2,
    "sana_wm": lambda folder: load(tiny_continuing.save_sana_wm(folder / "sana")),
    "svd": lambda folder: load(tiny_continuing.save_svd(folder / "svd")),
}  # fmt: skip
"""Name of a family -> its model at tiny size. Cosmos 2.5 is published as two models, one with controls."""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Models by family, built when first asked for."""
    built: dict[str, Any] = {}

    def of(family: str) -> Any:
        if family not in built:
            built[family] = BUILT[family](tmp_path_factory.mktemp("models"))
        return built[family]

    with pytest.MonkeyPatch.context() as patch:
        tiny_cosmos.shim_torchvision(patch)
        patch.setattr(cosmos2_5, "check_torchvision", lambda: None)
        for module in (cosmos2_5, cosmos3):
            patch.setattr(module, "required_guardrail", lambda _: tiny_cosmos.StandInGuardrail())
        yield of


def inputs(family: str, name: str, variant: int) -> Any:
    """One input of a clip; another one of the same shape for another ``variant``."""
    rng = np.random.default_rng(variant)
    width, height = OTHER_SIZE.get(family, (WIDTH, HEIGHT))
    frames, fps = FRAMES.get(family, 9), FAMILIES[family].fps
    if name == "context":
        return Clip(rng.integers(0, 256, (1, height, width, 3), np.uint8), fps)
    if name == "text":
        return ("a wet street at night", "a clear day, the road is empty")[variant]
    if name == "ego":
        return EgoMotion(np.full(frames, (12.0, 3.0)[variant]), np.full(frames, (0.2, -0.3)[variant]), fps)
    if name == "layout":
        return rng.random((frames, len(LAYOUT_CHANNELS), height, width)).astype(np.float32)
    return rng.integers(0, 256, (frames, height, width, 3), np.uint8)


def request(family: str, *rows: str, exchanged: str = "") -> Conditions:
    """A request with these rows of the table, one of them exchanged."""
    given: dict[str, Any] = {row: inputs(family, row, int(row == exchanged)) for row in rows}
    controls = {name: given.pop(name) for name in CONTROLS if name in given}
    size = OTHER_SIZE.get(family, (WIDTH, HEIGHT))
    camera = Camera.from_fov(*size, 70.0)
    return Conditions(
        FRAMES.get(family, 9), FAMILIES[family].fps, controls=controls, camera=camera, seed=3, **given
    )  # fmt: skip


def rows_with(family: str, name: str) -> tuple[str, ...]:
    """The input in question and what the family cannot do without."""
    promise = FAMILIES[family]
    needed = [row for row in promise.needs if row in CONDITIONS]
    if family == "cosmos3" and name == "ego":  # its motion goes on from a picture
        needed = ["context"]
    if family in {"sana_wm", "wan_i2v"}:
        needed = list(dict.fromkeys([*needed, "context", "text"]))
    if "text" in promise.conditions and not (family == "native" and name == "text"):
        needed.append("text")
    return tuple(dict.fromkeys([*needed, name]))


def made(model: Any, asked: Conditions) -> np.ndarray:
    """The frames that a clip gets after its known ones."""
    steps = 1 if model.promise.family == "native" else 2
    clip = model([asked], sampler_options(model.promise, steps=steps))[0]
    return clip.frames[0 if asked.context is None else len(asked.context) :]


@pytest.mark.parametrize(("family", "name"), HONOURED)
def test_what_the_table_says_yes_to_changes_the_clip(models, family, name):
    model = models("cosmos2_5 with controls" if family == "cosmos2_5" and name in CONTROLS else family)
    assert name in (*model.promise.conditions, *model.promise.controls)
    rows = rows_with(family, name)
    first = made(model, request(family, *rows))
    np.testing.assert_array_equal(first, made(model, request(family, *rows)))
    other = made(model, request(family, *rows, exchanged=name))
    assert first.shape == other.shape and np.abs(first.astype(int) - other).mean() > 0


@pytest.mark.parametrize(("family", "name"), REFUSED)
def test_what_the_table_says_no_to_is_refused_by_name(models, family, name):
    model = models(family)
    asked = request(family, *(row for row in rows_with(family, name) if row != name), name)
    with pytest.raises(InputError, match=name):
        model.check([asked])


def test_every_family_is_built_here():
    assert {name.split(" with")[0] for name in BUILT} == set(FAMILIES)
    assert {family for family, _ in HONOURED} == set(FAMILIES)
    assert len(set(HONOURED) | set(REFUSED)) == len(FAMILIES) * len(ROWS) and not set(HONOURED) & set(REFUSED)
