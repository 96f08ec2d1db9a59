"""Encoding of clips into a latent cache: by several processes, resumable after each clip, published whole."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Sample
from worldgen.files.atomic import flush, put_folder
from worldgen.files.digest import file_digest
from worldgen.files.journal import Journal, read_journal
from worldgen.files.json_files import read_json
from worldgen.files.storage import write_json
from worldgen.models.native.codec import PatchCodec, encode_video
from worldgen.models.native.pixels import video_from_clips
from worldgen.models.weights import weights_hash
from worldgen.training.data.clips import ClipPlace, Clips
from worldgen.training.data.latent_cache import (
    ABSENT,
    CACHE_VERSION,
    LAYOUT_STEPS,
    CacheKey,
    LatentCache,
    cache_damage,
    history_name,
)
from worldgen.training.data.rendered_layouts import layout_shape, mirror_layout, scene_layout
from worldgen.training.data.spans import clip_histories, cut_sample, mirrored_sample, span_of
from worldgen.training.launch import PreparationContext


def cached_latents(
    base: Path, clips: Clips, places: list[ClipPlace], *, codec: PatchCodec, context: PreparationContext
) -> LatentCache:
    """The cache of ``places`` under ``base``, made now if it is not there or damaged. All processes share the work.

    Raises:
        InputError: when a clip is not as its index says, or the codec's latents cannot be used.
        KeyboardInterrupt: when the launch asks to stop; the clips encoded so far are kept.
    """
    config = clips.config
    key = CacheKey(
        weights_hash(codec.state_dict()), clips.name(places), config.width_px, config.height_px, config.flip > 0,
        config.layouts, tuple(config.strides), config.max_frames,
    )  # fmt: skip
    folder = base / key.name
    accelerator = context.accelerator
    verdict: list[str | None] = [cache_damage(folder, key)] if accelerator.is_main_process else [None]
    if accelerator.num_processes > 1:
        broadcast_object_list(verdict)
    if verdict[0] is not None:
        if verdict[0] != ABSENT:
            context.launch.log(f"latents in {folder} are encoded again: {verdict[0]}")
        _LatentEncoder(folder, clips, places, key).encode(codec, context)
    return LatentCache(folder)


class _DecodedClips(torch.utils.data.Dataset):
    """Clips decoded, resized and given their layouts: the part of the work that loader processes do."""

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


def _unchanged(item: Any) -> Any:
    """Collates nothing: by default a loader would turn arrays into tensors."""
    return item


class _LatentEncoder:
    """Encodes clips into a hidden folder, each process a part of them, and renames the folder into place."""

    def __init__(self, folder: Path, clips: Clips, places: list[ClipPlace], key: CacheKey) -> None:
        self.folder, self.clips, self.places, self.key = folder, clips, places, key
        self.temporary = folder.with_name(f".{folder.name}.tmp")
        longest = clips.config.max_frames or None
        counts = [len(range(clips.row(place)["num_frames"])[:longest]) for place in places]
        self.offsets = np.concatenate([[0], np.cumsum(counts)]).tolist()

    @property
    def _sides(self) -> tuple[bool, ...]:
        return (False, True) if self.key.mirrored else (False,)

    def encode(self, codec: PatchCodec, context: PreparationContext) -> None:
        accelerator, log = context.accelerator, context.launch.log
        if accelerator.is_main_process:
            if not self._begun(accelerator.num_processes):
                self._begin(codec, accelerator)
            log(f"encoding {len(self.places)} clips, {self.offsets[-1]} frames, once, into {self.folder}")
        accelerator.wait_for_everyone()
        arrays = {path.stem: np.load(path, mmap_mode="r+", allow_pickle=False) for path in self.temporary.glob("*.npy")}
        path = self.temporary / f"part{accelerator.process_index}.jsonl"
        done = {clip["number"] for clip in read_journal(path)}
        if done:
            log(f"{len(done)} clips were encoded before this run was stopped")
        mine = [
            n for n in range(accelerator.process_index, len(self.places), accelerator.num_processes) if n not in done
        ]
        loader = torch.utils.data.DataLoader(
            _DecodedClips(self.clips, self.places), batch_size=None, sampler=mine, num_workers=context.workers,
            collate_fn=_unchanged,
        )  # fmt: skip
        with Journal(path) as journal:
            for number, sample, maps in context.launch.parts(loader, total=len(mine), desc="encode clips"):
                fact = self._encode(number, sample, maps, codec=codec, arrays=arrays, device=accelerator.device)
                # The arrays are written before the line: a run that goes on after kill -9 reads the same memory pages.
                journal.append(fact)
        for array in arrays.values():
            array.flush()
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            self._publish()
        accelerator.wait_for_everyone()

    def _begun(self, processes: int) -> bool:
        """Whether a stopped run left arrays of the same key, written by the same number of processes."""
        try:
            return read_json(self.temporary / "begun.json") == self._birth(processes)
        except (OSError, ValueError):
            return False

    def _begin(self, codec: PatchCodec, accelerator: Accelerator) -> None:
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(parents=True)
        self._allocate(codec, accelerator.device)
        write_json(self.temporary / "begun.json", self._birth(accelerator.num_processes))

    def _birth(self, processes: int) -> dict:
        return {"cache_version": CACHE_VERSION, "key": self.key.to_json(), "processes": processes}

    def _allocate(self, codec: PatchCodec, device: torch.device) -> None:
        """Empty arrays of the final size (holes in the file until they are written)."""
        config = self.clips.config
        blank = np.zeros((1, config.height_px, config.width_px, 3), np.uint8)
        latent_shape = _encode_frames(codec, blank, device).shape[1:]
        history_shape = (latent_shape[0] + 1, *latent_shape[1:])
        shapes: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {"ego": ((2,), np.float32)}
        for mirrored in self._sides:
            shapes["mirrored" if mirrored else "latents"] = (latent_shape, np.float16)
            shapes |= {history_name(stride, mirrored): (history_shape, np.float16) for stride in self.key.strides}
        if self.key.layouts:
            shapes["layout"] = (layout_shape(config.width_px, config.height_px), np.uint8)
        for name, (shape, dtype) in shapes.items():
            np.lib.format.open_memmap(self.temporary / f"{name}.npy", "w+", dtype, (self.offsets[-1], *shape)).flush()

    def _encode(
        self, number: int, sample: Sample, maps: np.ndarray | None, *, codec: PatchCodec,
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
                histories = clip_histories(codec, shown, shown_maps, stride=stride, device=device)
                arrays[history_name(stride, mirrored)][rows] = histories
        if sample.ego is not None:
            arrays["ego"][rows] = sample.ego.to_array()
        if maps is not None:
            arrays["layout"][rows] = np.rint(maps.astype(np.float32) * LAYOUT_STEPS)
        return {
            "number": number, "key": sample.key, "caption": sample.caption, "fps": sample.clip.fps,
            "offset": rows.start, "num_frames": len(sample.clip), "has_ego": sample.ego is not None,
            "has_layout": maps is not None, "camera": None if sample.camera is None else sample.camera.to_json(),
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
            files[path.name] = file_digest(path)
        record = {"cache_version": CACHE_VERSION, "key": self.key.to_json(), "files": files, "clips": facts}
        write_json(self.temporary / "cache.json", record)
        put_folder(self.temporary, self.folder)


@torch.no_grad()
def _encode_frames(codec: PatchCodec, frames: np.ndarray, device: torch.device) -> np.ndarray:
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
