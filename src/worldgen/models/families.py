"""What each family of world models promises, before any weights are opened: the rows of the contract table.

A family is one line of :data:`FAMILIES`; its code is in ``models/native`` or in a module of ``models/backbones``. The
promise of loaded weights may be narrower, and its sizes follow the loaded configs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from worldgen.core.samples import CONDITIONS, CONTROLS
from worldgen.models.promise import FrameCounts, ModelPromise

FOUR_K_PLUS_1 = FrameCounts(step=4, first=1, least=5)
"""Clips of codecs that pack 4 frames into one latent frame after the first."""
FOUR_K_PLUS_1_KNOWN = FrameCounts(step=4, first=1, least=1)
"""Known frames of such a codec: they fill whole latent frames."""

ARTEFACTS = (
    "overexposed, blurred details, subtitles, logo, watermark, painting, drawing, cartoon, computer graphics, worst "
    "quality, low quality, JPEG artefacts, deformed, disfigured, extra limbs, still picture"
)
"""Faults of pictures, as the negative prompt of families that take one. Words of the published lists that would work
against a scene of ours, such as "many people in the background", are left out."""

NATIVE = ModelPromise(
    family="native", licence="Apache-2.0", conditions=CONDITIONS, size_px=(224, 128), frames=FrameCounts(), fps=8.0,
    known_frames="given", prompt_style="words", start="sketch", max_chunk=64,
)  # fmt: skip
WAN_VACE = ModelPromise(
    family="wan_vace", licence="Apache-2.0", conditions=("context", "text"),
    controls=tuple(name for name in CONTROLS if name != "wsm"), default_controls=("depth",), reference=True,
    negative_text=True, frames=FOUR_K_PLUS_1, context_frames=FOUR_K_PLUS_1_KNOWN, chunk_frames=81, fps=16.0,
    known_frames="pasted", prompt_style="long", default_negative=ARTEFACTS, steps=30, guidance={"text": 5.0}, shift=3.0,
)  # fmt: skip
COSMOS3 = ModelPromise(
    family="cosmos3", licence="OpenMDW-1.1; a guardrail of your own", conditions=("context", "text", "ego"),
    controls=("wsm", "depth", "seg", "edge", "blur"), max_controls=5, default_controls=("wsm",),
    apart=(("ego", "controls"),), negative_text=True, size_px=(1280, 720), frames=FOUR_K_PLUS_1,
    context_frames=FOUR_K_PLUS_1_KNOWN, chunk_frames=101, fps=10.0, known_frames="clamped", prompt_style="json",
    default_negative=ARTEFACTS, steps=50, shift=10.0,
)  # fmt: skip
# Families that are given one picture and no control begin clips of scenes with drawn frames. What comes after them
# follows no labels, so they make no labelled sets.
WAN_I2V = ModelPromise(
    family="wan_i2v", licence="Apache-2.0", conditions=("context", "text"), needs=("context",), negative_text=True,
    frames=FOUR_K_PLUS_1, context_frames=FOUR_K_PLUS_1_KNOWN, chunk_frames=81, fps=16.0, known_frames="pasted",
    prompt_style="long", default_negative=ARTEFACTS, steps=40, guidance={"text": 3.5}, shift=5.0,
    start="sketch", uses=("sample",),
)  # fmt: skip
SVD = ModelPromise(
    family="svd", licence="Stability AI Community", conditions=("context",), needs=("context",), size_px=(1024, 576),
    size_multiple_px=64, frames=FrameCounts(least=2), chunk_frames=25, fps=7.0, known_frames="pasted", steps=25,
    start="sketch", uses=("sample",),
)  # fmt: skip
EIGHT_K_PLUS_1 = FrameCounts(step=8, first=1, least=9)
"""Clips of LTX-2's codec, which packs 8 frames into one latent frame after the first."""
SANA_WM = ModelPromise(
    family="sana_wm", licence="Apache-2.0", conditions=("context", "text", "ego"), needs=("ego",), negative_text=True,
    size_px=(1280, 704), size_multiple_px=32, frames=EIGHT_K_PLUS_1, context_frames=FrameCounts(step=8, first=1),
    chunk_frames=161, fps=16.0, known_frames="pasted", prompt_style="long", default_negative=ARTEFACTS, steps=60,
    guidance={"text": 5.0}, start="sketch", uses=("sample",),
)  # fmt: skip
LTX2 = ModelPromise(
    family="ltx2", licence="LTX-2 Community", conditions=("context", "text"), controls=("depth", "edge"),
    default_controls=("depth",), negative_text=True, size_px=(768, 512), size_multiple_px=32, frames=EIGHT_K_PLUS_1,
    context_frames=FrameCounts(step=8, first=1), chunk_frames=121, fps=24.0, known_frames="pasted",
    prompt_style="long", default_negative=ARTEFACTS, steps=30, guidance={"text": 3.0},
)  # fmt: skip
COSMOS2_5 = ModelPromise(
    family="cosmos2_5", licence="NVIDIA Open Model License; a guardrail of your own", conditions=("context", "text"),
    controls=("depth", "edge", "seg", "blur"), default_controls=("depth",), negative_text=True,
    apart=(("context", "controls"),),
    size_px=(1280, 704), frames=FOUR_K_PLUS_1, context_frames=FOUR_K_PLUS_1_KNOWN, chunk_frames=93, fps=16.0,
    known_frames="clamped", prompt_style="long", default_negative=ARTEFACTS, steps=36, guidance={"text": 3.0},
)  # fmt: skip

FAMILIES: dict[str, ModelPromise] = {
    promise.family: promise for promise in (NATIVE, WAN_VACE, COSMOS3, WAN_I2V, COSMOS2_5, LTX2, SANA_WM, SVD)
}
"""Name of a family -> what it promises."""


def native_promise(
    conditions: Iterable[str], *, size_px: tuple[int, int], fps: float, painter: bool = False
) -> ModelPromise:
    """The promise of native weights. painter: whether they hold one, which paints drawn pictures."""
    sketch = ("sketch",) if painter else ()
    return dataclasses.replace(
        NATIVE, conditions=tuple(conditions), controls=sketch, default_controls=sketch,
        apart=(("context", "controls"),) if painter else (), size_px=size_px, fps=fps,
    )  # fmt: skip
