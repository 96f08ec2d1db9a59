"""Vocabulary and text encoder."""

from __future__ import annotations

import pytest
import torch

from worldgen.core.errors import InputError
from worldgen.models.native.conditions import ClipConditions, batch_conditions
from worldgen.models.native.text import build_text_encoder, build_tokenizer, text_states

TEXTS = ["A pedestrian crosses at night, in heavy rain.", "Two cyclists on the left"]


def test_known_words_are_whole_and_others_are_spelled():
    tokenizer = build_tokenizer(TEXTS)
    assert tokenizer.tokenize("Pedestrian at NIGHT") == ["pedestrian", "at", "night"]
    assert tokenizer.tokenize("zebra") == ["z", "##e", "##b", "##r", "##a"]
    assert tokenizer.tokenize("30 km") == ["3", "0", "k", "##m"]
    assert tokenizer.unk_token_id not in tokenizer("zebra crossing 42").input_ids


def test_vocabulary_does_not_depend_on_the_order_of_texts():
    assert build_tokenizer(TEXTS).get_vocab() == build_tokenizer(TEXTS[::-1]).get_vocab()


@torch.no_grad()
def test_padding_does_not_change_a_text():
    tokenizer = build_tokenizer(TEXTS)
    encoder = build_text_encoder(len(tokenizer), width=32, layers=2).eval()
    alone = batch_conditions([ClipConditions(2, 8.0, "night")], tokenizer)
    padded = batch_conditions([ClipConditions(2, 8.0, "night"), ClipConditions(2, 8.0, TEXTS[0])], tokenizer)
    length = alone.text_ids.shape[1]
    torch.testing.assert_close(
        text_states(encoder, padded)[:1, :length], text_states(encoder, alone), atol=1e-5, rtol=1e-4
    )


def test_clips_without_text_have_no_tokens():
    c = batch_conditions([ClipConditions(2, 8.0), ClipConditions(2, 8.0, "rain")], build_tokenizer(TEXTS))
    assert c.text_mask.any(1).tolist() == [False, True]
    assert c.ego_known.tolist() == [False, False] and c.layout is None


def test_width_must_suit_the_heads():
    with pytest.raises(InputError, match="multiple of 32"):
        build_text_encoder(10, width=40)
