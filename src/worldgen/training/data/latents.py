"""Clips encoded once and kept on disk, so that training the world model never decodes video.

A cache is a folder named by the content it was made from (codec weights, clips, size) with ``latents.npy``
``(N, C, h, w)`` float16 of all frames of all clips end to end, ``past1.npy`` ``(N, C + 1, h, w)`` float16 of the past each
frame has at stride 1 (see ``models.native.history.reprojection``), both again for the mirrored frames where wanted, ``layout.npy``
``(N, K, hl, wl)`` uint8, 254 for 1, where clips have layouts, ``ego.npy`` ``(N, 2)`` float32, and ``cache.json``. Plain arrays, mapped into memory; never pickled. A cache whose files are not as written is made anew.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.core.progress import LogLine
from worldgen.core.samples import Sample
from worldgen.core.seeds import stable_key
from worldgen.files.atomic import flush, put_folder
from worldgen.files.journal import Journal, read_journal
from worldgen.files.storage import write_json
from worldgen.models.native.codec import encode_video
from worldgen.models.native.pixels import video_from_clips
from worldgen.models.weights import weights_hash
from worldgen.training.data.clips import ClipPlace, Clips
from worldgen.training.data.rendered_layouts import layout_shape, mirror_layout, scene_layout
from worldgen.training.data.spans import clip_histories, cut_sample, mirrored_sample, span_of
from worldgen.training.data.windows import ClipRecord
from worldgen.training.loop.timing import PartProgress

CACHE_VERSION = 6

LAYOUT_STEPS = 254
"""Layouts are kept in so many steps: even, so that 0.5, which stands for no motion, stays what it is."""
_STEPS = (np.arange(256) / LAYOUT_STEPS).astype(np.float16)
"""What each byte stands for: looked up, because NumPy divides halves one by one."""


@dataclass(frozen=True)
class CacheKey:
    """What a cache was made from."""

    codec: str
    clips: str
    width_px: int
    height_px: int
    mirrored: bool
    layouts: bool
    strides: tuple[int, ...]
    max_frames: int

    @property
    def name(self) -> str:
        return stable_key("latents", CACHE_VERSION, sorted(self.to_json().items()))

    def to_json(self) -> dict:
        """As it stands in ``cache.json``."""
        return {**vars(self), "strides": list(self.strides)}


class LatentCache:
    """Encoded clips on disk. Maps its arrays on first use, in each process anew; light to send to loaders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        facts = json.loads((folder / "cache.json").read_text())
        self.offsets = [clip["offset"] for clip in facts["clips"]]
        self.has_layout = [clip["has_layout"] for clip in facts["clips"]]
        ego = np.load(folder / "ego.npy", allow_pickle=False)
        self.records = [_record(clip, ego) for clip in facts["clips"]]
        self._maps: dict[str, np.ndarray] = {}

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_maps": {}}  # a memory map would be sent as a copy

    def __len__(self) -> int:
        return len(self.records)

    def latents(self, index: int, frames: slice, *, mirrored: bool = False) -> np.ndarray:
        """Latents ``(F, C, h, w)`` float32 of some frames of a clip."""
        return self._frames("mirrored" if mirrored else "latents", index, frames)

    def reprojected(self, index: int, frames: slice, *, mirrored: bool = False) -> np.ndarray:
        """The past ``(F, C + 1, h, w)`` float32 of each frame, from the frame ``frames.step`` before it."""
        return self._frames(history_name(frames.step or 1, mirrored), index, frames)

    def layout(self, index: int, frames: slice, *, mirrored: bool = False) -> np.ndarray | None:
        """Layout maps ``(F, K, hl, wl)`` float16 of some frames of a clip, or None where it has none."""
        if not self.has_layout[index]:
            return None
        maps = _STEPS[self._frames("layout", index, frames, np.uint8)]
        return mirror_layout(maps) if mirrored else maps

    def _frames(self, name: str, index: int, frames: slice, dtype: type = np.float32) -> np.ndarray:
        if name not in self._maps:
            self._maps[name] = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        first = self.offsets[index]
        chosen = slice(first + frames.start, first + frames.stop, frames.step)
        return np.asarray(self._maps[name][chosen], dtype=dtype)


def history_name(stride: int, mirrored: bool) -> str:
    """Name of the array with the pasts at one stride."""
    return f"past{stride}" + ("_mirrored" if mirrored else "")


@dataclass(frozen=True)
class Launcher:
    """Who prepares: the processes of ``accelerator``, each with ``workers`` loader processes. log, stop: as of a
    :class:`~worldgen.training.loop.record.Launch`."""

    accelerator: Accelerator
    workers: int
    log: LogLine
    stop: Callable[[], bool] = lambda: False


def cached_latents(
    base: Path, clips: Clips, places: list[ClipPlace], *, codec: torch.nn.Module, launcher: Launcher
) -> LatentCache:
    """The cache of ``places`` under ``base``, made now if it is not there or damaged. All processes share the work."""
    config = clips.config
    key = CacheKey(
        weights_hash(codec.state_dict()), clips.name(places), config.width_px, config.height_px, config.flip > 0,
        config.layouts, tuple(config.strides), config.max_frames,
    )  # fmt: skip
    folder = base / key.name
    accelerator = launcher.accelerator
    verdict: list[str | None] = [cache_damage(folder, key)] if accelerator.is_main_process else [None]
    if accelerator.num_processes > 1:
        broadcast_object_list(verdict)
    if verdict[0] is not None:
        if verdict[0] != ABSENT:
            launcher.log(f"latents in {folder} are made anew: {verdict[0]}")
        _LatentMaker(folder, clips, places, key).make(codec, launcher)
    return LatentCache(folder)


ABSENT = "there are none"


def cache_damage(folder: Path, key: CacheKey) -> str | None:
    """Why the cache in ``folder`` cannot be used, or None when every file is as it was written."""
    if not folder.is_dir():
        return ABSENT
    try:
        facts = json.loads((folder / "cache.json").read_text())
        if facts["cache_version"] != CACHE_VERSION or facts["key"] != key.to_json():
            return "they were made from something else"
        files = facts["files"].items()
    except (OSError, ValueError, KeyError) as error:
        return f"cache.json: {type(error).__name__}"
    for name, digest in files:
        if not (folder / name).is_file():
            return f"{name} is missing"
        if _digest(folder / name) != digest:
            return f"{name} has other content than was written"
    return None


class _Prepared(torch.utils.data.Dataset):
    """Clips decoded, framed and given their layouts: the part of the work that loader processes share."""

    def __init__(self, clips: Clips, places: list[ClipPlace]) -> None:
        self.clips, self.places = clips, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, number: int) -> tuple[int, Sample, np.ndarray | None]:
        raw = self.clips.raw(self.places[number])
        sample = self.clips.framed(raw)
        span = span_of(sample, self.clips.config.max_frames)
        maps = scene_layout(raw, sample.camera, frames=span) if self.clips.config.layouts else None
        return number, cut_sample(sample, span), maps


def _as_it_is(prepared: tuple) -> tuple:
    """What a loader hands over, where by default arrays would become tensors."""
    return prepared


class _LatentMaker:
    """Encodes clips into a hidden folder, every process its share, and renames it into place."""

    def __init__(self, folder: Path, clips: Clips, places: list[ClipPlace], key: CacheKey) -> None:
        self.folder, self.clips, self.places, self.key = folder, clips, places, key
        self.temporary = folder.with_name(f".{folder.name}.tmp")
        longest = clips.config.max_frames or None
        counts = [len(range(clips.row(place)["num_frames"])[:longest]) for place in places]
        self.offsets = np.concatenate([[0], np.cumsum(counts)]).tolist()

    @property
    def _sides(self) -> tuple[bool, ...]:
        return (False, True) if self.key.mirrored else (False,)

    def make(self, codec: torch.nn.Module, launcher: Launcher) -> None:
        accelerator = launcher.accelerator
        if accelerator.is_main_process:
            if not self._begun(accelerator.num_processes):
                self._begin(codec, accelerator)
            launcher.log(f"encoding {len(self.places)} clips, {self.offsets[-1]} frames, once, into {self.folder}")
        accelerator.wait_for_everyone()
        arrays = {path.stem: np.load(path, mmap_mode="r+", allow_pickle=False) for path in self.temporary.glob("*.npy")}
        path = self.temporary / f"part{accelerator.process_index}.jsonl"
        done = {clip["number"] for clip in read_journal(path)}
        if done:
            launcher.log(f"{len(done)} clips were encoded before this run was stopped")
        mine = [n for n in range(accelerator.process_index, len(self.places), accelerator.num_processes) if n not in done]
        loader = torch.utils.data.DataLoader(
            _Prepared(self.clips, self.places), batch_size=None, sampler=mine, num_workers=launcher.workers,
            collate_fn=_as_it_is,
        )  # fmt: skip
        pace = PartProgress(len(mine), launcher.log, launcher.stop)
        with Journal(path) as journal:
            for count, (number, sample, maps) in enumerate(loader, 1):
                fact = self._encode(number, sample, maps, codec=codec, arrays=arrays, device=accelerator.device)
                # A line stands for arrays that are written: whoever goes on after kill -9 reads the same pages.
                journal.append(fact)
                pace.tell(count)
        for array in arrays.values():
            array.flush()
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            self._publish()
        accelerator.wait_for_everyone()

    def _begun(self, processes: int) -> bool:
        """Whether a run that was stopped left arrays of the same key, shared by as many processes."""
        try:
            return json.loads((self.temporary / "begun.json").read_text()) == self._birth(processes)
        except (OSError, ValueError):
            return False

    def _begin(self, codec: torch.nn.Module, accelerator: Accelerator) -> None:
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(parents=True)
        self._allocate(codec, accelerator.device)
        write_json(self.temporary / "begun.json", self._birth(accelerator.num_processes))

    def _birth(self, processes: int) -> dict:
        return {"cache_version": CACHE_VERSION, "key": self.key.to_json(), "processes": processes}

    def _allocate(self, codec: torch.nn.Module, device: torch.device) -> None:
        """Empty arrays of the final size (holes in the file until they are written)."""
        config = self.clips.config
        blank = np.zeros((1, config.height_px, config.width_px, 3), np.uint8)
        latent_shape = _encode_frames(codec, blank, device).shape[1:]
        past_shape = (latent_shape[0] + 1, *latent_shape[1:])
        shapes = {"latents": (latent_shape, np.float16), "ego": ((2,), np.float32)}
        for mirrored in self._sides:
            shapes["mirrored" if mirrored else "latents"] = (latent_shape, np.float16)
            shapes |= {history_name(stride, mirrored): (past_shape, np.float16) for stride in self.key.strides}
        if self.key.layouts:
            shapes["layout"] = (layout_shape(config.width_px, config.height_px), np.uint8)
        for name, (shape, dtype) in shapes.items():
            np.lib.format.open_memmap(self.temporary / f"{name}.npy", "w+", dtype, (self.offsets[-1], *shape)).flush()

    def _encode(
        self, number: int, sample: Sample, maps: np.ndarray | None, *, codec: torch.nn.Module,
        arrays: dict[str, np.ndarray], device: torch.device,
    ) -> dict:  # fmt: skip
        rows = slice(self.offsets[number], self.offsets[number + 1])
        if len(sample.clip) != rows.stop - rows.start:
            raise InputError(
                f"frames of clip {sample.key}", len(sample.clip), f"{rows.stop - rows.start}, as its index says"
            )
        for mirrored in self._sides:
            shown = mirrored_sample(sample) if mirrored else sample
            shown_maps = mirror_layout(maps) if mirrored and maps is not None else maps
            arrays["mirrored" if mirrored else "latents"][rows] = _encode_frames(codec, shown.clip.frames, device)
            for stride in self.key.strides:
                worn = clip_histories(codec, shown, shown_maps, stride=stride, device=device)
                arrays[history_name(stride, mirrored)][rows] = worn
        if sample.ego is not None:
            arrays["ego"][rows] = sample.ego.to_array()
        if maps is not None:
            arrays["layout"][rows] = np.rint(maps.astype(np.float32) * LAYOUT_STEPS)
        return {
            "number": number, "key": sample.key, "caption": sample.caption, "fps": sample.clip.fps, "offset": rows.start,
            "num_frames": len(sample.clip), "has_ego": sample.ego is not None, "has_layout": maps is not None,
            "camera": None if sample.camera is None else sample.camera.to_json(),
            "split": sample.split, "drive": sample.drive,
        }  # fmt: skip

    def _publish(self) -> None:
        parts = sorted(self.temporary.glob("part*.jsonl"))
        facts = sorted((clip for part in parts for clip in read_journal(part)), key=lambda clip: clip["number"])
        assert [clip["number"] for clip in facts] == list(range(len(self.places))), "every clip is encoded once"
        for path in (*parts, self.temporary / "begun.json"):
            path.unlink()
        if not any(clip["has_layout"] for clip in facts):
            (self.temporary / "layout.npy").unlink(missing_ok=True)
        files = {}
        for path in sorted(self.temporary.glob("*.npy")):
            flush(path)
            files[path.name] = _digest(path)
        record = {"cache_version": CACHE_VERSION, "key": self.key.to_json(), "files": files, "clips": facts}
        write_json(self.temporary / "cache.json", record)
        put_folder(self.temporary, self.folder)


@torch.no_grad()
def _encode_frames(codec: torch.nn.Module, frames: np.ndarray, device: torch.device) -> np.ndarray:
    """Frames ``(T, H, W, 3)`` uint8 to latents ``(T, C, h, w)`` float16."""
    video = video_from_clips([Clip(np.ascontiguousarray(frames), 1.0)]).to(device)
    latents = encode_video(codec, video)[0].movedim(1, 0)
    if len(latents) != len(frames):
        raise InputError(
            "codec", Received(f"{len(latents)} latent frames of {len(frames)}"), "one latent frame per frame"
        )
    if not torch.isfinite(latents).all() or latents.abs().max() > np.finfo(np.float16).max:
        raise InputError("codec", Received("latents that are not finite in float16"), "a trained codec")
    return latents.float().cpu().numpy().astype(np.float16)


def _record(clip: dict, ego: np.ndarray) -> ClipRecord:
    rows = ego[clip["offset"] : clip["offset"] + clip["num_frames"]]
    return ClipRecord(
        key=clip["key"], caption=clip["caption"], fps=clip["fps"], num_frames=clip["num_frames"],
        ego=EgoMotion.from_array(rows, clip["fps"]) if clip["has_ego"] else None,
        camera=Camera.from_json(clip["camera"]) if clip["camera"] else None,
        split=clip["split"], drive=clip["drive"],
    )  # fmt: skip


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
