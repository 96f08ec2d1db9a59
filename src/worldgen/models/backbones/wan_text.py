"""Words as the Wan models read them: states of UMT5, padded with zeros to 512 tokens."""

from __future__ import annotations

from typing import Any

import torch

from worldgen.models.backbones.text_encoding import refuse_cut_words

MAX_TOKENS = 512
WAY = f"wan {MAX_TOKENS}"


def encode_wan_words(tokenizer: Any, encoder: Any, text: str, device: torch.device) -> torch.Tensor:
    """States ``(1, 512, D)`` of a text, by the pipeline's own function. Raises: InputError for too long a text."""
    from diffusers.pipelines.wan.pipeline_wan import WanPipeline, prompt_clean

    refuse_cut_words(text, len(tokenizer(prompt_clean(text)).input_ids), MAX_TOKENS)
    words = WanPipeline(tokenizer=tokenizer, text_encoder=encoder, vae=None, scheduler=None)  # type: ignore[arg-type]  # only its words are used
    states, _ = words.encode_prompt(
        text, do_classifier_free_guidance=False, max_sequence_length=MAX_TOKENS, device=device
    )
    return states
