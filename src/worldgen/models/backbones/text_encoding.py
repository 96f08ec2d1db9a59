"""The text encoder of a pretrained model: read when new words come, run once per prompt, and let go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from worldgen.core.errors import InputError, Received
from worldgen.models.backbones.digests import content_name
from worldgen.models.backbones.hub import ModelSource
from worldgen.models.backbones.memory_check import resolved_dtype
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.pipeline_loading import FOREIGN_ERRORS, library_class
from worldgen.models.backbones.prompt_cache import PromptCache

Encode = Callable[[Any, Any, str, torch.device], torch.Tensor]
"""From tokenizer, encoder, words and device to states ``(1, L, D)``."""
TEXT_FOLDERS = ("text_encoder", "tokenizer")


@dataclass(eq=False)
class TextEncoder:
    """Encodes words with the encoder of a pipeline's folder.

    encode_with: how the family calls its encoder; ``way`` names it, and is part of the cache's key. What stays in
    memory between prompts, and where, is ``config.text_encoder``.
    """

    source: ModelSource
    config: BackboneConfig
    device: torch.device
    encode_with: Encode
    way: str
    cache: PromptCache = field(init=False)
    _held: tuple[Any, Any] | None = None

    def __post_init__(self) -> None:
        self.source.require(*TEXT_FOLDERS)
        folder = Path(self.config.prompt_cache).expanduser() if self.config.prompt_cache else None
        dtype = resolved_dtype(self.config, self.device)
        name = f"{content_name(self.source.folder, TEXT_FOLDERS)} {self.way} {dtype}"
        self.cache = PromptCache(name, folder)

    @torch.no_grad()
    def encode(self, texts: list[str]) -> list[torch.Tensor]:
        """States ``(1, L, D)`` of each text on the CPU. Raises: InputError."""
        missing = [text for text in dict.fromkeys(texts) if self.cache.get(text) is None]
        if missing:
            tokenizer, encoder = self._held or self._read()
            encoder.to(self.device)
            for text in missing:
                self.cache.put(text, self.encode_with(tokenizer, encoder, text, self.device))
            self._held = None if self.config.text_encoder == "free" else (tokenizer, encoder)
            if self.config.text_encoder == "host":
                encoder.to("cpu")
            del tokenizer, encoder
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        found = [self.cache.get(text) for text in texts]
        assert all(states is not None for states in found)
        return [states for states in found if states is not None]

    def _read(self) -> tuple[Any, Any]:
        dtype = getattr(torch, resolved_dtype(self.config, self.device))
        folder = self.source.folder
        try:
            tokenizer = library_class(self.source, "tokenizer").from_pretrained(
                folder / "tokenizer", local_files_only=True
            )
            encoder, info = library_class(self.source, "text_encoder").from_pretrained(
                folder / "text_encoder", local_files_only=True, use_safetensors=True, dtype=dtype,
                output_loading_info=True,
            )  # fmt: skip
            missing = sorted(info["missing_keys"])
            if missing:
                received = Received(f"{len(missing)} missing tensors, as {missing[0]}")
                raise InputError(f"weights of text_encoder in {self.source.name}", received, "the whole encoder")
        except FOREIGN_ERRORS as error:
            if isinstance(error, InputError):
                raise
            reason = f"{type(error).__name__}: {error}"
            raise InputError(
                f"text encoder of {self.source.name}", Received(reason), "the files of its parts"
            ) from error
        return tokenizer, encoder.eval()  # dropout would give other states at every call


def refuse_cut_words(text: str, count: int, most: int) -> None:
    """Raises InputError for a prompt of more tokens than the network reads: the rest would be ignored in silence."""
    if count > most:
        shown = text if len(text) <= 60 else text[:57] + "..."
        raise InputError(f"prompt {shown!r}", Received(f"{count} tokens"), f"at most {most}")
