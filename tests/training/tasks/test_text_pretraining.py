"""Pretraining of the text encoder: unseen captions are read, and the same seed gives the same weights."""

from __future__ import annotations

import pytest
import torch

from worldgen.core.scenario import LIGHTS, WEATHERS
from worldgen.models.native.text import build_text_encoder, build_tokenizer
from worldgen.prompts import parse, vocabulary
from worldgen.training.launch import Launch
from worldgen.training.tasks.text_pretraining import FIELDS, pretrain_text_encoder, written_captions


def encoder_and_tokenizer():
    tokenizer = build_tokenizer(vocabulary())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_text_encoder(len(tokenizer), width=32, layers=1), tokenizer


def test_answers_are_what_the_captions_say():
    _, tokenizer = encoder_and_tokenizer()
    captions = written_captions(tokenizer, 24, seed=3)
    for ids, weather, light in zip(captions.ids, captions.answers["weather"], captions.answers["light"], strict=True):
        said = parse(tokenizer.decode(ids, skip_special_tokens=True)).scenario
        assert (said.weather, said.light) == (WEATHERS[weather], LIGHTS[light])


@pytest.mark.slow
def test_unseen_captions_are_read_better_than_by_chance():
    encoder, tokenizer = encoder_and_tokenizer()
    lines: list[str] = []
    right = pretrain_text_encoder(encoder, tokenizer, captions=2048, seed=0, launch=Launch(log=lines.append))
    assert set(right) == set(FIELDS) and lines[0].startswith("captions read right: weather ")
    assert all(right[name] > 2 / len(FIELDS[name]) for name in ("weather", "light", "road")), right


def test_the_same_seed_gives_the_same_weights():
    states = []
    for seed in (0, 0, 1):
        encoder, tokenizer = encoder_and_tokenizer()
        pretrain_text_encoder(encoder, tokenizer, captions=64, seed=seed, launch=Launch())
        states.append(encoder.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])
