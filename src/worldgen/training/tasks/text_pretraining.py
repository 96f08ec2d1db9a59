"""Pretraining of a fresh text encoder on captions alone, before it sees a picture.

Pictures teach words slowly, because most of a picture follows from its history and layout: after a thousand steps from
random weights, all clips that began without a history had the same average weather and light. What a caption says of
weather, light, road and manoeuvre is known without any picture. The encoder learns it first, in about a minute, through
classifiers that are not kept.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save
from torch import nn
from transformers import DistilBertModel, PreTrainedTokenizerFast

from worldgen.core.errors import InputError
from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.scenario import LIGHTS, ROADS, WEATHERS
from worldgen.core.seeds import numpy_rng, stable_key
from worldgen.files.json_files import read_object
from worldgen.files.storage import write_bytes, write_json
from worldgen.models.native.text import pooled_text
from worldgen.models.weights import weights_hash
from worldgen.prompts import describe
from worldgen.simulation.balanced import balanced_scenario
from worldgen.training.launch import RESTARTS, Launch, PreparationContext
from worldgen.training.train_config import TrainConfig, output_folder

FIELDS = {"weather": WEATHERS, "light": LIGHTS, "road": ROADS, "manoeuvre": tuple(MANOEUVRES)}
"""The fields that classifiers predict -> their values."""
BATCH = 64
EPOCHS = 4
HELD_OUT = 512
LEARNING_RATE = 1e-3
FIRST_SEED = 1_000_000
"""The scenarios of the captions have seeds that no rendered training set uses."""


@dataclass(frozen=True, eq=False)
class Captions:
    """Captions with their answers.

    ids: tokens ``(N, L)`` int64. mask: ``(N, L)`` bool, False for padding. answers: for each of ``FIELDS`` an index
    ``(N,)`` int64.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    answers: dict[str, torch.Tensor]

    def rows(self, chosen: torch.Tensor) -> Captions:
        """Only some captions."""
        return Captions(self.ids[chosen], self.mask[chosen], {k: v[chosen] for k, v in self.answers.items()})


def written_captions(tokenizer: PreTrainedTokenizerFast, count: int, *, seed: int) -> Captions:
    """``count`` captions of random scenarios, in all registers."""
    scenarios = [balanced_scenario(index, FIRST_SEED + seed) for index in range(count)]
    texts = [describe(s, numpy_rng("words", seed, index)) for index, s in enumerate(scenarios)]
    tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    answers = {k: torch.tensor([values.index(getattr(s, k)) for s in scenarios]) for k, values in FIELDS.items()}
    return Captions(tokens["input_ids"], tokens["attention_mask"].bool(), answers)


def pretrain_text_encoder(
    encoder: DistilBertModel, tokenizer: PreTrainedTokenizerFast, *, captions: int, seed: int, launch: Launch
) -> dict[str, float]:
    """Train ``encoder`` in place on ``captions`` captions; returns the accuracy on held-out captions by field, 0 to 1.

    The same seed and encoder give the same weights, on one machine and number of threads.

    Raises:
        KeyboardInterrupt: when the launch asks to stop.
    """
    learnt = written_captions(tokenizer, captions, seed=seed)
    unseen = written_captions(tokenizer, HELD_OUT, seed=seed + 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        heads = nn.ModuleDict({k: nn.Linear(int(encoder.config.dim), len(values)) for k, values in FIELDS.items()})
    heads.to(_device(encoder))
    steps = EPOCHS * -(-captions // BATCH)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *heads.parameters()], lr=LEARNING_RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    encoder.train()
    batches = launch.parts(_batches(learnt, seed), total=steps, desc="pretrain text encoder", when_stopped=RESTARTS)
    for batch in batches:
        pooled = _pooled(encoder, batch)
        losses = [F.cross_entropy(heads[k](pooled), batch.answers[k].to(pooled.device)) for k in FIELDS]
        optimizer.zero_grad()
        functools.reduce(operator.add, losses).backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    encoder.eval()
    with torch.no_grad():
        pooled = _pooled(encoder, unseen)
        right = {k: float((heads[k](pooled).argmax(1).cpu() == unseen.answers[k]).float().mean()) for k in FIELDS}
    launch.log("captions read right: " + ", ".join(f"{k} {share:.3f}" for k, share in right.items()))
    return right


def pretrain_once(
    encoder: DistilBertModel, tokenizer: PreTrainedTokenizerFast, *, config: TrainConfig, context: PreparationContext
) -> None:
    """Give a fresh ``encoder`` the weights of its pretraining: those kept with the run, or made now by the main
    process."""
    path = kept_text_encoder(config)
    made_from = stable_key(
        "words", weights_hash(encoder.state_dict()), sorted(tokenizer.get_vocab()), config.text_captions, config.seed
    )
    if context.accelerator.is_main_process and not _is_kept(path, made_from):
        captions, launch = config.text_captions, context.launch
        launch.log(f"the text encoder is pretrained on {captions:,} captions, once, into {path}")
        right = pretrain_text_encoder(encoder, tokenizer, captions=captions, seed=config.seed, launch=launch)
        path.unlink(missing_ok=True)  # weights of another config must not stand beside the new record
        write_json(path.with_suffix(".json"), {"captions": captions, "read_right": right, "made_from": made_from})
        write_bytes(path, save({name: tensor.contiguous() for name, tensor in encoder.state_dict().items()}))
    context.accelerator.wait_for_everyone()
    encoder.load_state_dict(load_file(path))


def kept_text_encoder(config: TrainConfig) -> Path:
    """File with the pretrained text encoder of a run; a JSON file beside it says how well captions are read."""
    return output_folder(config) / "words.safetensors"


def _is_kept(path: Path, made_from: str) -> bool:
    """Whether ``path`` holds the pretrained weights; records of earlier versions do not say what they were made
    from."""
    if not path.is_file():
        return False
    try:
        record = read_object(path.with_suffix(".json"))
    except InputError:
        return False
    return record.get("made_from", made_from) == made_from


def _batches(captions: Captions, seed: int) -> Iterator[Captions]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(captions.ids), generator=generator).split(BATCH):
            yield captions.rows(chosen)


def _pooled(encoder: DistilBertModel, captions: Captions) -> torch.Tensor:
    """Text as the world transformer reads it as a whole, ``(N, D)``."""
    device = _device(encoder)
    ids, mask = captions.ids.to(device), captions.mask.to(device)
    return pooled_text(encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state, mask)


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
