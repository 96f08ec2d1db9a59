"""Saved pipelines and codecs, read with every tensor accounted for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub.errors
import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from torch import nn
from transformers import DistilBertConfig, DistilBertModel, PreTrainedTokenizerFast

from worldgen.core.errors import InputError, Received
from worldgen.files.json_files import read_object
from worldgen.files.shipped import assets_dir
from worldgen.models.native.codec import PatchCodec
from worldgen.models.native.painter.scene_painter import ScenePainter
from worldgen.models.native.pipeline import CODE_NAME, NETWORKS, WorldPipeline
from worldgen.models.native.saved_config import refuse_other_sizes, refuse_other_values, saved_config
from worldgen.models.native.transformer import WorldTransformer
from worldgen.models.weights import (
    account,
    check_component,
    load_exactly,
    read_tensors,
    refuse_pickles,
    variant_of,
)

PAINTER = "painter"
PACKAGES = ("worldgen", "diffusers", "transformers")
"""Packages that a saved pipeline may name as the home of its parts."""
SHIPPED = "shipped"
TEXT_ENCODER = DistilBertModel


def load_pipeline(folder: str | Path) -> WorldPipeline:
    """A saved pipeline, in float32 whatever precision it was stored in.

    folder: one written by ``save_pretrained``, of any variant, or "shipped" for the model in the package. The tensors
    are compared with the networks that the configs describe, because the libraries would fill in missing ones
    silently. Raises InputError for a folder that holds no pipeline, for pickles, and for missing, extra or misshapen
    tensors.
    """
    folder = assets_dir() / "model" if folder == SHIPPED else Path(folder).expanduser()
    refuse_pickles(folder)
    if not (folder / "model_index.json").is_file():
        raise InputError(f"pipeline {folder}", Received("no model_index.json"), "a folder written by save_pretrained")
    for name in NETWORKS:
        if not (folder / name).is_dir():
            raise InputError(f"pipeline {folder}", Received(f"no folder {name}"), ", ".join(NETWORKS))
    _refuse_foreign_modules(folder)
    _account(PatchCodec, folder / "codec", "codec")
    _account(WorldTransformer, folder / "transformer", "transformer")
    _account_text_encoder(folder / "text_encoder")
    painted = (folder / PAINTER).is_dir()
    if painted:
        _account(ScenePainter, folder / PAINTER, PAINTER)
    try:
        # Each part has a fixed class. model_index.json does not choose which module is imported, so a folder can
        # neither run code of its own nor depend on where a class stood when the folder was written.
        pipeline = WorldPipeline(
            transformer=_from_folder(WorldTransformer, folder / "transformer"),
            codec=_from_folder(PatchCodec, folder / "codec"),
            text_encoder=_text_encoder(folder / "text_encoder"),
            tokenizer=PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer", local_files_only=True),
            scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler", local_files_only=True),
            painter=_from_folder(ScenePainter, folder / PAINTER) if painted else None,
        )
    except FOREIGN_ERRORS as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"pipeline {folder}", Received(str(error)), "a folder written by save_pretrained") from error
    for name, network in pipeline.parts().items():
        check_component(network, folder / name, name)
        network.float()  # files may be in half precision; CPUs compute fastest in float32, and programs cast for GPUs
    # The layout of the file. Channels last is as fast here, but gradients sum in another order, and a run that
    # continues from this model would not repeat recorded runs to the bit.
    for parameter in pipeline.transformer.parameters():
        parameter.data = parameter.data.contiguous()
    return pipeline


def _refuse_foreign_modules(folder: Path) -> None:
    """Refuse a model_index.json that names a module of another package: some versions of diffusers would import it.

    Nothing here imports what the file names; this keeps such a folder from being passed on as a good one.
    """
    index = read_object(folder / "model_index.json", f"model_index.json of {folder}", "what save_pretrained writes")
    own = WorldPipeline.__name__
    if index.get("_class_name") not in (own, [CODE_NAME.removesuffix(".py"), own]):
        raise InputError(f"class of the pipeline in {folder / 'model_index.json'}", index.get("_class_name"), own)
    for name, entry in index.items():
        if name.startswith("_") or not isinstance(entry, list) or not entry or entry[0] is None:
            continue
        if str(entry[0]).split(".")[0] not in PACKAGES:
            expected = "a part of " + ", ".join(PACKAGES)
            raise InputError(f"module of {name} in {folder / 'model_index.json'}", entry[0], expected)


def load_codec(folder: str | Path) -> PatchCodec:
    """A saved codec, or the codec of a saved pipeline; checked as :func:`load_pipeline` does."""
    folder = assets_dir() / "model" if folder == SHIPPED else Path(folder).expanduser()
    refuse_pickles(folder)
    if (folder / "model_index.json").is_file():
        folder = folder / "codec"
    if not (folder / "config.json").is_file():
        raise InputError(f"codec {folder}", Received("no config.json"), "a folder written by save_pretrained")
    _account(PatchCodec, folder, "codec")
    with _described(folder, "codec"):
        codec = _from_folder(PatchCodec, folder)
    return codec.float().to(memory_format=torch.channels_last)


def load_painter(folder: str | Path) -> ScenePainter:
    """A saved painter, or the painter of a saved pipeline; checked as :func:`load_pipeline` does."""
    folder = assets_dir() / "model" if folder == SHIPPED else Path(folder).expanduser()
    refuse_pickles(folder)
    if (folder / "model_index.json").is_file():
        folder = folder / PAINTER
    if not (folder / "config.json").is_file():
        raise InputError(f"painter {folder}", Received("no config.json"), "a folder written by save_pretrained")
    _account(ScenePainter, folder, PAINTER)
    with _described(folder, PAINTER):
        painter = _from_folder(ScenePainter, folder)
    return painter.float().to(memory_format=torch.channels_last)


def pipeline_hash(pipeline: WorldPipeline) -> str:
    """A name for the weights of all networks of a pipeline, adapters included."""
    return pipeline.weights_hash


def _from_folder(cls: type[WorldTransformer] | type[PatchCodec] | type[ScenePainter], folder: Path) -> Any:
    """A network of ``cls`` with the weights that :func:`worldgen.models.weights.read_tensors` reads."""
    return cls.from_pretrained(folder, local_files_only=True, variant=variant_of(folder), use_safetensors=True)


def _text_encoder(folder: Path) -> DistilBertModel:
    """The saved text encoder, built and filled here: the loader of transformers takes a quarter of a second longer."""
    network = TEXT_ENCODER(DistilBertConfig.from_dict(saved_config(folder, "text_encoder", TEXT_ENCODER.__name__)))
    load_exactly(network, folder, "text_encoder")
    return network.eval()


def _account_text_encoder(folder: Path) -> None:
    config = saved_config(folder, "text_encoder", TEXT_ENCODER.__name__)
    tensors = read_tensors(folder)
    refuse_other_sizes(config, tensors, name="text_encoder", folder=folder)
    with _described(folder, "text_encoder"), torch.device("meta"):
        network = TEXT_ENCODER(DistilBertConfig.from_dict(config))
    account(f"text_encoder in {folder}", network.state_dict(), tensors)


def _account(cls: type[WorldTransformer] | type[PatchCodec] | type[ScenePainter], folder: Path, name: str) -> None:
    """Compare the tensors in a folder with those of the network its config describes, built without memory."""
    config, tensors = saved_config(folder, name, cls.__name__), read_tensors(folder)
    refuse_other_sizes(config, tensors, name=name, folder=folder)
    if name == "transformer":
        refuse_other_values(config, folder)
    with _described(folder, name), torch.device("meta"):
        network: nn.Module = cls.from_config(config)  # type: ignore[assignment]  # a tuple only where one is asked for
    account(f"{name} in {folder}", network.state_dict(), tensors)


FOREIGN_ERRORS = (
    OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, AssertionError,
    MemoryError, getattr(huggingface_hub.errors, "StrictDataclassError", ValueError),
)  # fmt: skip
"""What the libraries and constructors raise when a saved file holds values of a wrong type or size."""


@contextlib.contextmanager
def _described(folder: Path, name: str) -> Iterator[None]:
    """Raise InputError when no network can be built from the config in ``folder``."""
    try:
        yield
    except FOREIGN_ERRORS as error:
        if isinstance(error, InputError):
            raise
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"config of {name} in {folder}", Received(reason), "values of a network") from error


def quiet_libraries() -> None:
    """Turn off the progress bars of libraries, which would break up the one line that a command prints."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
