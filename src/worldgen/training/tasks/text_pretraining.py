"""Teaching a fresh text encoder what captions say, before it meets a picture.

A picture is a slow teacher of words: most of it follows from the past and the layout, and after a thousand steps from random
weights every clip that began without a past was of one middle weather and light. What a caption says of weather, light, road and
manoeuvre is known without any picture, so that is learnt first, in a minute, by classifiers that are then thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.progress import LogLine, no_log
from worldgen.core.scenario import LIGHTS, ROADS, WEATHERS
from worldgen.core.seeds import numpy_rng
from worldgen.models.native.text import pooled_text
from worldgen.prompts import describe
from worldgen.simulation.balanced import balanced_scenario

FIELDS = {"weather": WEATHERS, "light": LIGHTS, "road": ROADS, "manoeuvre": tuple(MANOEUVRES)}
"""What the classifiers tell, and the answers there are."""
BATCH = 64
EPOCHS = 4
HELD_OUT = 512
LEARNING_RATE = 1e-3
FIRST_SEED = 1_000_000
"""Captions are of scenarios that no rendered training set uses."""


@dataclass(frozen=True, eq=False)
class Captions:
    """Token ids ``(N, L)`` int64, known tokens ``(N, L)`` bool, and for each field of ``FIELDS`` the answers ``(N,)`` int64."""

    ids: torch.Tensor
    mask: torch.Tensor
    answers: dict[str, torch.Tensor]

    def rows(self, chosen: torch.Tensor) -> Captions:
        """Only some captions."""
        return Captions(self.ids[chosen], self.mask[chosen], {k: v[chosen] for k, v in self.answers.items()})


def written_captions(tokenizer, count: int, *, seed: int) -> Captions:
    """``count`` captions of random scenarios, in all registers."""
    scenarios = [balanced_scenario(index, FIRST_SEED + seed) for index in range(count)]
    texts = [describe(s, numpy_rng("words", seed, index)) for index, s in enumerate(scenarios)]
    tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    answers = {k: torch.tensor([values.index(getattr(s, k)) for s in scenarios]) for k, values in FIELDS.items()}
    return Captions(tokens["input_ids"], tokens["attention_mask"].bool(), answers)


def teach_words(
    encoder: nn.Module, tokenizer, *, captions: int, seed: int, log: LogLine = no_log
) -> dict[str, float]:
    """Train ``encoder`` in place on ``captions`` captions; returns the share read right of those held out, by field.

    The same seed and encoder give the same weights, on one machine and number of threads.
    """
    learnt = written_captions(tokenizer, captions, seed=seed)
    unseen = written_captions(tokenizer, HELD_OUT, seed=seed + 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        heads = nn.ModuleDict({k: nn.Linear(encoder.config.dim, len(values)) for k, values in FIELDS.items()})
    heads.to(encoder.device)
    steps = EPOCHS * -(-captions // BATCH)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *heads.parameters()], lr=LEARNING_RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    encoder.train()
    for batch in _batches(learnt, seed):
        pooled = _pooled(encoder, batch)
        loss = sum(F.cross_entropy(heads[k](pooled), batch.answers[k].to(pooled.device)) for k in FIELDS)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    encoder.eval()
    with torch.no_grad():
        pooled = _pooled(encoder, unseen)
        right = {k: float((heads[k](pooled).argmax(1).cpu() == unseen.answers[k]).float().mean()) for k in FIELDS}
    log("captions read right: " + ", ".join(f"{k} {share:.3f}" for k, share in right.items()))
    return right


def _batches(captions: Captions, seed: int) -> Iterator[Captions]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(captions.ids), generator=generator).split(BATCH):
            yield captions.rows(chosen)


def _pooled(encoder: nn.Module, captions: Captions) -> torch.Tensor:
    """What the world transformer reads of the words as a whole, ``(N, D)``."""
    ids, mask = captions.ids.to(encoder.device), captions.mask.to(encoder.device)
    return pooled_text(encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state, mask)
