"""What a model is told in words of a scene: the prompt in its family's style, and the negative prompt."""

from __future__ import annotations

from dataclasses import dataclass

from worldgen.core.errors import InputError
from worldgen.core.scene import Scene
from worldgen.models.promise import ModelPromise
from worldgen.prompts.model_prompts import PROMPT_STYLES, negative_prompt


@dataclass(frozen=True)
class ModelWords:
    """prompt: for the model. negative: what the clip should not show, None for models without a negative prompt."""

    prompt: str
    negative: str | None


def scene_words(words: str, scene: Scene, promise: ModelPromise, *, negative: str | None = None) -> ModelWords:
    """The words for a scene, in the style of the model's family.

    words: the user's, kept verbatim. negative: the user's, used instead of what speaks against the scene.

    Raises: InputError for a negative prompt where the model takes none.
    """
    if negative is not None and not promise.negative_text:
        raise InputError("negative prompt", negative, f"none: the family {promise.family} takes no such words")
    prompt = PROMPT_STYLES[promise.prompt_style](words, scene.scenario, scene)
    if promise.negative_text and negative is None:
        negative = negative_prompt(promise.default_negative, scene.scenario)
    return ModelWords(prompt, negative)
