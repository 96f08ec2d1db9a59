"""Fresh weights for runs that do not start from a saved pipeline."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from worldgen.core.errors import InputError
from worldgen.models.native.codec import PatchCodec, build_codec
from worldgen.models.native.loading import load_codec
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.models.native.sizes import SIZES, build_pipeline


def new_codec(size: str, seed: int) -> PatchCodec:
    """A codec with fresh weights that depend on the seed alone.

    Raises:
        InputError: for a size that is not known.
    """
    if size not in SIZES:
        raise InputError("size", size, "one of " + ", ".join(SIZES))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_codec(SIZES[size].codec)


def new_pipeline(size: str, seed: int, *, words: Iterable[str], codec: str) -> WorldPipeline:
    """A pipeline with fresh weights around the trained codec in folder ``codec``. words: texts of the vocabulary.

    Raises:
        InputError: for a size that is not known, and a codec that is missing or does not fit.
    """
    if size not in SIZES:
        raise InputError("size", size, "one of " + ", ".join(SIZES))
    if not codec:
        raise InputError(
            "init.codec", codec, "the folder of a trained codec (worldgen train task=codec), or init.pipeline"
        )
    trained = load_codec(codec)
    pipeline = build_pipeline(size, words=words, seed=seed)
    pipeline.register_modules(codec=trained)
    if trained.config.latent_channels != pipeline.transformer.config.latent_channels:
        raise InputError(
            f"latent channels of codec {codec}",
            trained.config.latent_channels,
            str(pipeline.transformer.config.latent_channels),
        )
    return pipeline
