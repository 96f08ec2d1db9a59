"""Promises: what is refused, by which name, and which family could."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.samples import Conditions
from worldgen.models.families import FAMILIES, NATIVE, WAN_VACE
from worldgen.models.interface import SamplerOptions, sampler_options
from worldgen.models.promise import FrameCounts

OTHERS = tuple(FAMILIES.values())


def control(frames: int = 5, width: int = 32, height: int = 32) -> np.ndarray:
    return np.zeros((frames, height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("counts", "allowed", "refused"),
    [
        (FrameCounts(4, 1, least=5), (5, 9, 81), (1, 4, 6, 80)),
        (FrameCounts(8, 1), (1, 9, 121), (0, 2, 8, 120)),
        (FrameCounts(), (1, 2, 10_000), (0, 10_001)),
        (FrameCounts(1, 33, least=33, most=33), (33,), (32, 34)),
    ],
)
def test_lengths(counts, allowed, refused):
    assert all(counts.allows(n) for n in allowed) and not any(counts.allows(n) for n in refused)
    for n in refused:
        assert all(counts.allows(near) for near in counts.nearest(n))


def test_a_wrong_length_names_the_lengths_next_to_it():
    with pytest.raises(InputError, match=r"number of frames: received 24; expected 4k\+1 from 5 \(as in 21 or 25\)"):
        WAN_VACE.check(Conditions(24, 16.0, text="a street"))


def test_layout_is_refused_with_the_family_that_could():
    request = Conditions(5, 8.0, layout=np.zeros((5, 2, 8, 8), np.float16))
    with pytest.raises(InputError, match=r"does not honour: received 'layout'.*the family native could"):
        WAN_VACE.check(request, OTHERS)


def test_controls_are_refused_with_the_family_that_could():
    request = Conditions(5, 8.0, controls={"depth": control()})
    with pytest.raises(InputError, match=r"controls this model does not honour: received 'depth'.*wan_vace"):
        NATIVE.check(request, OTHERS)


def test_more_controls_than_a_family_takes_are_refused():
    request = Conditions(5, 16.0, text="a street", controls={"depth": control(), "edge": control()})
    with pytest.raises(InputError, match="at most 1 for the family wan_vace"):
        WAN_VACE.check(request, OTHERS)


def test_reference_and_negative_prompt_are_refused_where_they_would_be_ignored():
    for given, name in (({"reference": control()[0]}, "reference picture"), ({"negative_text": "blurry"}, "negative")):
        with pytest.raises(InputError, match=name + r".*wan_vace.* could"):
            NATIVE.check(Conditions(5, 8.0, **given), OTHERS)
        WAN_VACE.check(Conditions(5, 8.0, text="a street", **given))


def test_two_conditions_that_exclude_each_other_and_a_missing_one_are_refused():
    clip = Clip(control(1), 8.0)
    apart = dataclasses.replace(WAN_VACE, apart=(("context", "controls"),))
    with pytest.raises(InputError, match="context and controls; expected one of them"):
        apart.check(Conditions(5, 8.0, context=clip, controls={"depth": control()}))
    needs = dataclasses.replace(WAN_VACE, needs=("context", "controls"))
    needs.check(Conditions(5, 8.0, controls={"depth": control()}))
    with pytest.raises(InputError, match="context or controls"):
        needs.check(Conditions(5, 8.0, text="a street"))


def test_a_control_has_exactly_the_size_and_length_of_the_clip():
    context = Clip(control(1), 8.0)
    for wrong in (control(width=64), control(frames=9), control().astype(np.float32)):
        with pytest.raises(InputError, match="control depth"):
            Conditions(5, 8.0, context=context, controls={"depth": wrong})
    with pytest.raises(InputError, match=r"control: received .heat"):
        Conditions(5, 8.0, controls={"heat": control()})
    with pytest.raises(InputError, match="control edge"):
        Conditions(5, 8.0, controls={"depth": control(), "edge": control(width=48)})


def test_a_size_that_a_family_cannot_make_is_refused():
    with pytest.raises(InputError, match="frame size: received 40x32; expected multiples of 16"):
        WAN_VACE.check(Conditions(5, 8.0, controls={"depth": control(width=40)}))


def test_options_take_the_defaults_of_a_model_and_refuse_guidance_of_what_it_does_not_honour():
    assert sampler_options(NATIVE) == SamplerOptions()
    options = sampler_options(WAN_VACE, steps=4, guidance={"control": 0.8})
    assert (options.steps, options.chunk, options.guidance) == (4, 81, {"text": 5.0, "control": 0.8})
    with pytest.raises(InputError, match=r"guidance.*layout"):
        WAN_VACE.check_guidance({"layout": 2.0})
    with pytest.raises(InputError, match=r"guidance.*control"):
        NATIVE.check_guidance({"control": 2.0})


def test_families_without_a_control_begin_with_drawn_frames_and_make_no_labelled_sets():
    """What follows a picture alone keeps to no labels."""
    blind = [p for p in FAMILIES.values() if not p.controls and "layout" not in p.conditions]
    assert {promise.family for promise in blind} == {"wan_i2v", "svd", "sana_wm"}
    for promise in blind:
        assert promise.start == "sketch"
        with pytest.raises(InputError, match=f"model for worldgen generate: received '{promise.family}'; expected"):
            promise.check_use("generate")
    for promise in FAMILIES.values():
        promise.check_use("sample")
