"""Text to states: a small BERT-style encoder (no pooling head) trained with the model, and its WordPiece vocabulary."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import DistilBertConfig, DistilBertModel, PreTrainedTokenizerFast

from worldgen.core.errors import InputError
from worldgen.models.native.conditions import ConditionBatch

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
MAX_TOKENS = 64
_WORD = re.compile(r"[a-z]+|[0-9]|[^\sa-z0-9]")


def build_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A lower-case WordPiece tokenizer (Devlin et al. 2019) whose whole words are those of ``texts``.

    Letters and digits are pieces of their own, so any other word is spelled out instead of becoming unknown. A model
    that is fine-tuned later can therefore learn new words without a new vocabulary.
    """
    words = sorted({word for text in texts for word in _WORD.findall(text.lower())})
    letters = string.ascii_lowercase + string.digits
    pieces = [*letters, *(f"##{c}" for c in letters), *"-,.;:!?'\"()/&%+"]
    vocabulary: dict[str, int] = {}
    for piece in [*SPECIAL_TOKENS, *pieces, *words]:
        vocabulary.setdefault(piece, len(vocabulary))
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(individual_digits=True)]
    )
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=MAX_TOKENS,
    )  # fmt: skip


def build_text_encoder(vocabulary_size: int, *, width: int = 128, layers: int = 3) -> DistilBertModel:
    """A fresh encoder of ``width`` channels (a multiple of 32)."""
    if width % 32:
        raise InputError("text encoder width", width, "a multiple of 32")
    config = DistilBertConfig(
        vocab_size=vocabulary_size, dim=width, n_layers=layers, n_heads=width // 32, hidden_dim=2 * width,
        max_position_embeddings=MAX_TOKENS, dropout=0.0, attention_dropout=0.0,
    )  # fmt: skip
    return DistilBertModel(config)


def text_states(encoder: DistilBertModel, conditions: ConditionBatch) -> torch.Tensor:
    """States ``(B, L, Dt)`` of the batch's tokens; the states of rows without text are never attended to."""
    mask = conditions.text_mask | ~conditions.text_mask.any(1, keepdim=True)
    return encoder(input_ids=conditions.text_ids, attention_mask=mask.long()).last_hidden_state


def pooled_text(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean ``(B, Dt)`` of text states ``(B, L, Dt)`` over known tokens ``(B, L)``; zeros where there are none."""
    return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp_min(1)
