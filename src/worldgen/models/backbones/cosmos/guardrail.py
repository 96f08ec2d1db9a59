"""The content guardrail that the licences of the Cosmos models ask for: it must see every prompt and every clip.

worldgen ships none. It takes the user's own, the package ``cosmos_guardrail`` with weights of a gated repository, and
runs no Cosmos model without it. The checks are made here rather than in the pipeline, which skips the check of a clip
when the checker is not exactly of the class that diffusers imported.

The published checker pixelates faces, so pedestrians near the camera change, and refuses prompts by single words:
NVIDIA's own negative prompt was refused once for "lifeless" (NVIDIA/TensorRT-LLM pull request 17523). Negative prompts
are therefore not shown to it: they say what a clip must not show.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Protocol

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.models.backbones.pipeline_loading import FOREIGN_ERRORS
from worldgen.models.interface import ContentRefused

PACKAGE = "cosmos_guardrail"


class Guardrail(Protocol):
    """What worldgen asks of a checker; ``cosmos_guardrail.CosmosSafetyChecker`` has it."""

    def check_text_safety(self, prompt: str) -> bool:
        """Whether a prompt may be used."""

    def check_video_safety(self, frames: np.ndarray) -> np.ndarray | None:
        """Frames ``(n, H, W, 3)`` uint8, perhaps with faces pixelated; None for a clip that may not be used."""

    def to(self, device: Any) -> Any:
        """Put the networks of the checker on a device."""


def required_guardrail(family: str) -> Guardrail:
    """The user's installed checker. Raises: InputError where there is none, or where it cannot be loaded."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise InputError(
            f"guardrail of the family {family}, which its licence asks for", Received(f"no package {PACKAGE}"),
            f"pip install {PACKAGE} in an environment without opencv-python-headless, with which it clashes",
        )  # fmt: skip
    try:
        return importlib.import_module(PACKAGE).CosmosSafetyChecker()
    except (*FOREIGN_ERRORS, ImportError) as error:
        raise InputError(
            f"guardrail of the family {family}", Received(f"{type(error).__name__}: {error}"),
            "access to https://huggingface.co/nvidia/Cosmos-1.0-Guardrail and its files",
        ) from error  # fmt: skip


def refuse_unsafe_words(guardrail: Guardrail, prompt: str, device: Any) -> None:
    """Raises ContentRefused for a prompt that the guardrail refuses."""
    if not prompt:
        return
    guardrail.to(device)
    try:
        allowed = guardrail.check_text_safety(prompt)
    finally:
        guardrail.to("cpu")  # its networks would take the memory of the denoiser
    if not allowed:
        raise ContentRefused("prompt", prompt, "words that the installed guardrail lets pass")


def safe_frames(guardrail: Guardrail, frames: np.ndarray, device: Any) -> np.ndarray:
    """Frames ``(n, H, W, 3)`` uint8 as the guardrail returns them.

    Raises: ContentRefused for a clip that it refuses, InputError for a checker that returns another shape.
    """
    guardrail.to(device)
    try:
        checked = guardrail.check_video_safety(frames)
    finally:
        guardrail.to("cpu")
    if checked is None:
        raise ContentRefused("generated clip", Received("refused by the installed guardrail"), "another prompt or seed")
    checked = np.asarray(checked)
    if checked.shape != frames.shape or checked.dtype != np.uint8:
        raise InputError(
            "frames of the guardrail", Received(f"{checked.dtype} {checked.shape}"), f"uint8 {frames.shape}"
        )
    return checked
