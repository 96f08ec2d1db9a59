"""The adapter of a fine-tuned pretrained model: a LoRA in diffusers' own format, ego motion, and what they belong to.

A folder holds ``pytorch_lora_weights.safetensors``, which ``load_lora_weights`` of diffusers reads as well,
``ego.safetensors`` where ego motion was trained, and ``adapter.json``: base model with revision and hash, tensors and
digest of each file, and facts of the training that sampling needs.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError, Received
from worldgen.files.digest import file_digest
from worldgen.files.json_files import read_object
from worldgen.files.storage import write_json
from worldgen.models.backbones.backbone import Backbone
from worldgen.models.backbones.digests import lora_name
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.pipeline_loading import FOREIGN_ERRORS
from worldgen.models.backbones.tuned.ego_injector import EgoInjector, EgoInjectorSizes

ADAPTER_VERSION = 1
KIND = "backbone"
RECORD = "adapter.json"
LORA_FILE = "pytorch_lora_weights.safetensors"
EGO_FILE = "ego.safetensors"
ATTACHMENTS = {
    "wan_vace": ("blocks", "attn1", "ffn"), "wan_i2v": ("blocks", "attn1", "ffn"),
    "ltx2": ("transformer_blocks", "attn1", "ff"),
}  # fmt: skip
"""Family -> where its transformer has blocks, and in a block, what reads the tokens after each shift of time."""


MODEL_LORA = ("cosmos3",)
"""Families whose pipeline loads no LoRA; their transformer does."""


@dataclass(frozen=True)
class TunedRecord:
    """``adapter.json``.

    family, base, revision, base_weights: of the model that was fine-tuned. ego: sizes of the ego injector, or None.
    fps, num_frames, size_px: of the training windows. camera: the most common one of the training clips, or None.
    controls: that the adapter was trained to follow. notes: facts for people.
    """

    family: str
    base: str
    base_weights: str
    revision: str = ""
    ego: EgoInjectorSizes | None = None
    fps: float = 0.0
    num_frames: int = 0
    size_px: tuple[int, int] = (0, 0)
    camera: Camera | None = None
    controls: tuple[str, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)


def is_tuned_adapter(folder: str | Path) -> bool:
    """Whether a folder holds the adapter of a fine-tuned pretrained model."""
    path = Path(folder).expanduser() / RECORD
    return path.is_file() and read_object(path).get("kind") == KIND


def write_tuned_record(folder: Path, record: TunedRecord) -> None:
    """Write ``adapter.json`` beside the weights, which are counted and named by content."""
    files = {
        name: {"tensors": len(_names(folder / name)), "blake2b": file_digest(folder / name)}
        for name in (LORA_FILE, EGO_FILE)
        if (folder / name).is_file()
    }
    values = {
        "adapter_version": ADAPTER_VERSION, "kind": KIND, "family": record.family, "base": record.base,
        "revision": record.revision, "base_weights": record.base_weights, "files": files,
        "ego": None if record.ego is None else record.ego.to_json(), "fps": record.fps,
        "num_frames": record.num_frames, "size_px": list(record.size_px),
        "camera": None if record.camera is None else record.camera.to_json(), "controls": list(record.controls),
        "notes": record.notes,
    }  # fmt: skip
    write_json(folder / RECORD, values)


def read_tuned_record(folder: str | Path) -> TunedRecord:
    """``adapter.json`` of a folder, after its files were compared with it.

    Raises: InputError for another version, and for files that are missing or not as they were written.
    """
    folder = Path(folder).expanduser()
    values = read_object(folder / RECORD)
    if values.get("adapter_version") != ADAPTER_VERSION or values.get("kind") != KIND:
        received = Received(f"version {values.get('adapter_version')!r} of kind {values.get('kind')!r}")
        raise InputError(f"adapter {folder}", received, f"version {ADAPTER_VERSION} of kind {KIND}")
    try:
        _check_files(folder, values["files"])
        return TunedRecord(
            family=str(values["family"]), base=str(values["base"]), base_weights=str(values["base_weights"]),
            revision=str(values["revision"]), ego=None if values["ego"] is None else EgoInjectorSizes(**values["ego"]),
            fps=float(values["fps"]), num_frames=int(values["num_frames"]),
            size_px=(int(values["size_px"][0]), int(values["size_px"][1])),
            camera=None if values["camera"] is None else Camera.from_json(values["camera"]),
            controls=tuple(values["controls"]), notes=dict(values["notes"]),
        )  # fmt: skip
    except (KeyError, TypeError, IndexError) as error:
        received = Received(f"{type(error).__name__}: {error}")
        raise InputError(f"{RECORD} in {folder}", received, "the record of an adapter") from error


def tuned_options(folder: str | Path, config: BackboneConfig, *, family: str) -> BackboneConfig:
    """Options under which a model is read with the LoRA of the adapter in ``folder``.

    Raises: InputError, before gigabytes are read, for the adapter of another family, files that are missing or changed,
    and an adapter that changes nothing.
    """
    folder = Path(folder).expanduser()
    record = read_tuned_record(folder)
    if record.family != family:
        expected = f"an adapter of the family {family}; this one belongs to {record.base}"
        raise InputError(f"family of adapter {folder}", record.family, expected)
    changes = record.ego is not None and read_injector(folder, record.ego)[1]
    has_lora = (folder / LORA_FILE).is_file()
    if has_lora:
        tensors = load_file(folder / LORA_FILE)
        changes = changes or any(bool(tensor.any()) for name, tensor in tensors.items() if ".lora_B." in name)
    if not changes:
        raise InputError(f"adapter {folder}", Received("an adapter whose update is zero"), "one that was trained")
    if not has_lora or family in MODEL_LORA:
        return config
    return dataclasses.replace(config, lora=str(folder), lora_file=LORA_FILE)


def attach_tuned(model: Backbone, folder: str | Path) -> None:
    """Complete a model that was read with the options of :func:`tuned_options`: check what its LoRA was trained on, and
    make ego motion a condition.

    Raises: InputError for the adapter of another base, and tensors that fit no layer.
    """
    folder = Path(folder).expanduser()
    record = read_tuned_record(folder)
    network = denoiser_of(model)
    lora = folder / LORA_FILE if (folder / LORA_FILE).is_file() else None
    fused = None if record.family in MODEL_LORA else lora
    if model.weights_hash != lora_name(record.base_weights, fused, model.config.lora_scale):
        revision = f" at revision {record.revision}" if record.revision else ""
        expected = f"{record.base}{revision} with weights {record.base_weights}, on which it was trained"
        raise InputError(f"base of adapter {folder}", Received("other weights"), expected)
    if lora is not None:
        refuse_lost_tensors(lora, network)
        if fused is None:
            fuse_into_network(lora, network, scale=model.config.lora_scale)
            model.weights_hash = lora_name(model.weights_hash, lora, model.config.lora_scale)
    if record.family == "ltx2":  # it takes any LoRA for one that reads controls
        model.promise = dataclasses.replace(model.promise, controls=(), default_controls=())
    if record.ego is not None:
        injector, _ = read_injector(folder, record.ego)
        attach_injector(injector.to(model.device), network, record.family)
        model.injector = injector
        conditions = (*model.promise.conditions, "ego")
        model.promise = dataclasses.replace(model.promise, conditions=conditions, fps=record.fps or model.promise.fps)
        model.weights_hash = lora_name(model.weights_hash, folder / EGO_FILE, 1.0)


def fuse_into_network(lora: Path, network: Any, *, scale: float = 1.0) -> None:
    """Add a LoRA to the weights of a transformer. Raises: InputError for a file that it cannot take."""
    try:
        network.load_lora_adapter(lora.parent, weight_name=lora.name, prefix="transformer", local_files_only=True)
        network.fuse_lora(lora_scale=scale)
        network.unload_lora()
    except FOREIGN_ERRORS as error:
        raise InputError(f"adapter {lora.parent}", Received(str(error)), "a LoRA of this model") from error


def denoiser_of(model: Backbone) -> Any:
    """The transformer of a loaded model. Raises: InputError for a model with two of them."""
    pipeline: Any = getattr(model, "pipeline", None) or getattr(model, "omni", None)
    if getattr(pipeline, "transformer_2", None) is not None:
        received = Received("two transformers, for high and low noise")
        raise InputError("model to fine-tune", received, "one transformer, as Wan2.1-VACE or Wan2.2-TI2V-5B")
    return pipeline.transformer


def check_ego_possible(family: str) -> None:
    """Raises InputError for a family whose transformer has no known place for ego motion."""
    if family not in ATTACHMENTS:
        known = ", ".join(ATTACHMENTS)
        instead = "; cosmos3 has ego motion already, as actions" if family == "cosmos3" else ""
        expected = f"false: ego motion can be added to {known}{instead}"
        raise InputError("tune.ego", Received(f"true for the family {family}"), expected)


def attach_injector(injector: EgoInjector, network: torch.nn.Module, family: str) -> None:
    """Attach a injector to the transformer of a family. Raises: InputError for a family without an attachment."""
    check_ego_possible(family)
    blocks, attention, feed_forward = ATTACHMENTS[family]
    injector.attach(network, blocks=blocks, attention=attention, feed_forward=feed_forward)


def read_injector(folder: Path, sizes: EgoInjectorSizes) -> tuple[EgoInjector, bool]:
    """The injector of an adapter, and whether it changes anything. Raises: InputError for tensors that do not fit."""
    injector = EgoInjector(sizes)
    tensors = load_file(folder / EGO_FILE)
    wanted = {name: tensor.shape for name, tensor in injector.state_dict().items()}
    given = {name: tensor.shape for name, tensor in tensors.items()}
    if wanted != given:
        differing = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
        raise InputError(f"{EGO_FILE} in {folder}", Received(f"other tensors, as {differing[0]}"), "those of its sizes")
    injector.load_state_dict(tensors)
    injector.requires_grad_(False).eval()
    return injector, bool(tensors["shift.weight"].any() or tensors["shift.bias"].any())


def _check_files(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    for name, facts in files.items():
        path = folder / name
        if not path.is_file():
            raise InputError(f"adapter {folder}", Received(f"no {name}"), f"the {facts['tensors']} tensors of {name}")
        count = len(_names(path))
        if count != facts["tensors"]:
            raise InputError(f"tensors of {path}", count, f"the {facts['tensors']} that were written")
        if file_digest(path) != facts["blake2b"]:
            raise InputError(f"adapter file {path}", Received("other content"), "the file as it was written")
    if not files:
        raise InputError(f"adapter {folder}", Received("no weights in its record"), f"{LORA_FILE} or {EGO_FILE}")


def refuse_lost_tensors(path: Path, network: torch.nn.Module) -> None:
    """Raises InputError for a LoRA with tensors that belong to no layer of a transformer."""
    layers = {name for name, module in network.named_modules() if isinstance(module, torch.nn.Linear)}
    lost = sorted(name for name in _names(path) if _layer(name) not in layers)
    if lost:
        raise InputError(f"adapter {path}", Received(f"{len(lost)} tensors of no layer, as {lost[0]}"), "its base")


def _layer(key: str) -> str:
    return key.removeprefix("transformer.").split(".lora_")[0]


def _names(path: Path) -> list[str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except (SafetensorError, OSError) as error:
        raise InputError(f"adapter file {path}", Received(str(error)), "a whole .safetensors file") from error
