"""Encoded prompts by the hash of their words and of the text encoder, so that a large encoder runs once per prompt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import torch

from worldgen.core.errors import InputError, Received
from worldgen.files.atomic import replace_file


@dataclass(eq=False)
class PromptCache:
    """Text states ``(1, L, D)`` by words. encoder: name of the text encoder and of how it is called.

    folder: where they are kept for later runs; None keeps them in memory. Rows of zeros at the end, which pad a prompt
    to the length of the model, are not stored.
    """

    encoder: str
    folder: Path | None = None
    known: dict[str, torch.Tensor] = field(default_factory=dict)

    def key(self, text: str) -> str:
        """Name of a prompt in the cache."""
        return hashlib.blake2b(f"{self.encoder}\n{text}".encode(), digest_size=16).hexdigest()

    def get(self, text: str) -> torch.Tensor | None:
        """The states of ``text`` on the CPU, or None. Raises: InputError for a file that cannot be read."""
        key = self.key(text)
        if key not in self.known and self.folder is not None:
            path = self.folder / f"{key}.safetensors"
            if path.is_file():
                self.known[key] = _read(path)
        return self.known.get(key)

    def put(self, text: str, states: torch.Tensor) -> None:
        """Keep the states ``(1, L, D)`` of ``text``."""
        key = self.key(text)
        self.known[key] = states.detach().cpu()
        if self.folder is None:
            return
        from safetensors.torch import save

        filled = states[0].abs().amax(dim=1).nonzero()
        length = int(filled.max()) + 1 if len(filled) else 0
        self.folder.mkdir(parents=True, exist_ok=True)
        data = save(
            {"states": states[:, :length].detach().cpu().contiguous(), "length": torch.tensor([states.shape[1]])}
        )
        with replace_file(self.folder / f"{key}.safetensors") as file:
            file.write(data)


def _read(path: Path) -> torch.Tensor:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(path)
        states, length = stored["states"], int(stored["length"][0])
    except (SafetensorError, OSError, KeyError, IndexError) as error:
        raise InputError(
            f"encoded prompt {path}", Received(str(error)), "a whole file; delete it to encode again"
        ) from error
    whole = states.new_zeros(states.shape[0], length, states.shape[2])
    whole[:, : states.shape[1]] = states
    return whole
