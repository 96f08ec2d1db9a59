"""Windows as the network reads them: latents, conditions and words, encoded once and kept on disk.

A window is a safetensors file with its facts in the header; it appears when it is whole. A preparation that was stopped
goes on with the next window. Several processes share the work.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.english import counted
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Sample
from worldgen.core.seeds import stable_key
from worldgen.data.dataset.index import DataSet
from worldgen.files.storage import write_bytes
from worldgen.instruments.depth_reader import load_depth_reader
from worldgen.rendering.controls.clip_controls import DepthModel
from worldgen.training.backbones.trainable import NO_CONTROL, Given, Trainable, WindowPixels
from worldgen.training.backbones.window_controls import available_controls, framed_sample
from worldgen.training.backbones.window_plan import PlannedWindow, WindowPlan
from worldgen.training.data.windows import window_ego
from worldgen.training.launch import PreparationContext
from worldgen.training.train_config import TrainConfig, output_folder

WINDOW_VERSION = 1
WORDS_FILE = "words.safetensors"


@dataclass(frozen=True)
class WindowRecord:
    """Facts of an encoded window. file: its name. controls: that it has. ego, camera: None where not known."""

    file: str
    key: str
    caption: str
    fps: float
    ego: EgoMotion | None
    camera: Camera | None
    controls: tuple[str, ...]


@dataclass(eq=False)
class WindowCache:
    """Encoded windows in ``folder``: those of training first, then the held-out ones."""

    folder: Path
    records: list[WindowRecord]
    training: list[int]
    held_out: list[int]
    words_length: int
    _words: dict[str, torch.Tensor] = field(default_factory=dict)

    def tensors(self, number: int, given: Given) -> dict[str, torch.Tensor]:
        """``latents`` and the tensors of one given of a window, float32."""
        with safe_open(self.folder / self.records[number].file, framework="pt") as file:
            names = {"latents": "latents"} | {
                name.removeprefix(given.name): name for name in list(file.keys()) if name.startswith(given.name)
            }
            return {short: file.get_tensor(name).float() for short, name in names.items()}

    def words(self, text: str) -> torch.Tensor:
        """States ``(L, D)`` of a caption."""
        if not self._words:
            self._words = load_file(self.folder / WORDS_FILE)
        short = self._words[stable_key("words", text)]
        whole = short.new_zeros(self.words_length, *short.shape[1:])
        whole[: len(short)] = short
        return whole


def cached_windows(
    config: TrainConfig, plan: WindowPlan, trainable: Trainable, context: PreparationContext
) -> WindowCache:
    """The cache of a plan, made now as far as it is not there.

    Raises:
        InputError: for frames or controls that the model does not honour, and clips that are not as their index says.
        KeyboardInterrupt: when the launch asks to stop; the windows encoded so far are kept.
    """
    trainable.check_givens(givens_of(config))
    base = Path(config.data.cache).expanduser() if config.data.cache else output_folder(config) / "windows"
    folder = base / _cache_name(config, plan, trainable)
    windows = list(dict.fromkeys([*plan.training, *plan.held_out]))
    todo = [(n, w) for n, w in enumerate(windows) if read_window_record(folder / _file(n)) is None]
    accelerator, launch = context.accelerator, context.launch
    accelerator.wait_for_everyone()
    if todo:
        launch.log(f"encoding {len(todo)} windows of {config.data.num_frames} frames, once, into {folder}")
    mine = todo[accelerator.process_index :: accelerator.num_processes]
    missing: Counter[str] = Counter()
    reads_depth = bool(config.tune.depth_model and mine)
    depth = load_depth_reader(config.tune.depth_model, trainable.device) if reads_depth else None
    encoded = _encoded(config, plan, trainable, mine, missing, depth=depth)
    for number, data in launch.parts(encoded, total=len(mine), desc="encode windows"):
        write_bytes(folder / _file(number), data)
    for reason, count in sorted(missing.items()):
        launch.log(f"{counted(count, 'clip')} without the control {reason}; trained without it")
    accelerator.wait_for_everyone()
    records = [_required(folder / _file(n)) for n in range(len(windows))]
    if config.tune.part == "control" and not any(record.controls for record in records):
        needs = " and ".join(sorted(missing)) or "controls that no clip gives"
        received = Received(f"none of {len(records)} windows with a control")
        raise InputError("tune.controls", received, f"clips that give one: {needs}")
    if accelerator.is_main_process:
        _encode_words(folder, records, trainable)
    accelerator.wait_for_everyone()
    place = {window: n for n, window in enumerate(windows)}
    return WindowCache(
        folder, records, [place[w] for w in plan.training], [place[w] for w in plan.held_out],
        _words_length(folder),
    )  # fmt: skip


def givens_of(config: TrainConfig) -> list[Given]:
    """Everything that the network may be told of a window: each number of known frames with each control and none."""
    tune = config.tune
    return [Given(known, control) for known in tune.known_frames for control in (NO_CONTROL, *tune.controls)]


def read_window_record(path: Path) -> WindowRecord | None:
    """Facts of an encoded window; None where there is no whole file."""
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["window"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    ego = None
    if facts["ego"] is not None:
        speed_mps, yaw_rate_radps = (np.asarray(values, np.float64) for values in facts["ego"])
        ego = EgoMotion(speed_mps, yaw_rate_radps, facts["fps"])
    return WindowRecord(
        path.name, facts["key"], facts["caption"], facts["fps"], ego,
        None if facts["camera"] is None else Camera.from_json(facts["camera"]), tuple(facts["controls"]),
    )  # fmt: skip


def _cache_name(config: TrainConfig, plan: WindowPlan, trainable: Trainable) -> str:
    data, tune = config.data, config.tune
    places = [(w.place.set_index, w.place.row_index, w.start) for w in dict.fromkeys([*plan.training, *plan.held_out])]
    return stable_key(
        "windows", WINDOW_VERSION, trainable.backbone.weights_hash,
        plan.clips.name([w.place for w in (*plan.training, *plan.held_out)]), [str(place) for place in places],
        data.width_px, data.height_px, data.num_frames, data.strides[0], list(tune.controls),
        [str(known) for known in tune.known_frames], *filter(None, (trainable.words_name, tune.depth_model)),
    )  # fmt: skip


def _file(number: int) -> str:
    return f"window_{number:06d}.safetensors"


def _encoded(
    config: TrainConfig, plan: WindowPlan, trainable: Trainable, todo: Sequence[tuple[int, PlannedWindow]],
    missing: Counter[str], *, depth: DepthModel | None,
) -> Iterator[tuple[int, bytes]]:  # fmt: skip
    """(number, bytes of its file) of each window; a clip is decoded once for its windows, which are neighbours."""
    size = (config.data.width_px, config.data.height_px)
    names = config.tune.controls
    now: tuple[PlannedWindow, Sample, dict] | None = None
    for number, window in todo:
        if now is None or now[0].place != window.place:
            raw = plan.clips.raw(window.place)
            data_set: DataSet = plan.clips.sets[window.place.set_index]
            stored = data_set.controls(window.place.row_index) if names else {}
            controls, lacking = available_controls(raw, names, size, stored=stored, depth=depth)
            missing.update(f"{name}, which needs {reason}" for name, reason in lacking.items())
            now = (window, framed_sample(raw, size), controls)
        yield number, _file_bytes(config, window, now[1], now[2], trainable)


def _file_bytes(
    config: TrainConfig, window: PlannedWindow, sample: Sample, controls: dict, trainable: Trainable
) -> bytes:
    data = config.data
    stop = window.start + (data.num_frames - 1) * data.strides[0] + 1
    if stop > len(sample.clip):
        raise InputError(f"frames of clip {sample.key}", len(sample.clip), f"at least {stop}, as its index says")
    part = slice(window.start, stop, data.strides[0])
    fps = sample.clip.fps / data.strides[0]
    pixels = WindowPixels(sample.clip.frames[part], fps, {name: video[part] for name, video in controls.items()})
    givens = [given for given in givens_of(config) if given.control in ("", *controls)]
    tensors = trainable.encode(pixels, givens)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{name} of clip {sample.key}", Received("values that are not finite"), "a sound codec")
    ego = None
    if sample.ego is not None:
        motion = window_ego(sample.ego, window.start, data.strides[0], data.num_frames)
        ego = [motion.speed_mps.tolist(), motion.yaw_rate_radps.tolist()]
    facts = {
        "key": f"{sample.key}@{window.start}", "caption": sample.caption, "fps": fps, "ego": ego,
        "camera": None if sample.camera is None else sample.camera.to_json(), "controls": list(controls),
    }  # fmt: skip
    packed = {name: tensor.to(torch.float16).contiguous() for name, tensor in tensors.items()}
    return save(packed, metadata={"window": json.dumps(facts)})


def _encode_words(folder: Path, records: list[WindowRecord], trainable: Trainable) -> None:
    """States of every caption and of no words, without the zeros that pad them."""
    texts = list(dict.fromkeys(["", *(record.caption for record in records)]))
    path = folder / WORDS_FILE
    keys = {stable_key("words", text): text for text in texts}
    if path.is_file() and set(load_file(path)) >= set(keys):
        return
    states = dict(zip(texts, trainable.encode_words(texts), strict=True))
    packed = {}
    for key, text in keys.items():
        rows = states[text]
        filled = rows.flatten(1).abs().amax(1).nonzero()
        packed[key] = rows[: int(filled.max()) + 1 if len(filled) else 1].contiguous().cpu()
    write_bytes(path, save(packed, metadata={"length": str(len(states[""]))}))


def _words_length(folder: Path) -> int:
    with safe_open(folder / WORDS_FILE, framework="pt") as file:
        return int(file.metadata()["length"])


def _required(path: Path) -> WindowRecord:
    record = read_window_record(path)
    assert record is not None, path
    return record
